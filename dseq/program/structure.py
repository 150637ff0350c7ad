"""Nested lists, tuples and dicts of things: taken apart into a flat list, and put together again.

Dicts are walked in sorted order of their keys, as Keras does: the order of inputs and outputs in files depends on it.
"""


def flatten(structure) -> list:
    """The leaves in order; whatever is no list, tuple or dict is a leaf, None too."""
    leaves = []
    _collect(structure, leaves)
    return leaves


def pack(structure, leaves):
    """A structure of the same form with other leaves.

    Args:
        structure: The form.
        leaves: As many leaves as `flatten(structure)` gives.

    Raises:
        ValueError: If there are more or fewer.
    """
    leaves = list(leaves)
    result, used = _fill(structure, leaves, 0)
    if used != len(leaves):
        raise ValueError(f"There must be one leaf for each of the structure's {used}. Received: {len(leaves)}")
    return result


def map_structure(function, structure):
    """The structure with `function` applied to each leaf."""
    return pack(structure, [function(leaf) for leaf in flatten(structure)])


def paths(structure) -> list[str]:
    """Where each leaf is, for messages: `"['a'][0]"`."""
    found = []
    _collect_paths(structure, "", found)
    return found


def form(structure):
    """The structure's form as a hashable value: equal for structures that differ in leaves only."""
    if isinstance(structure, dict):
        return "dict", tuple((key, form(structure[key])) for key in _keys(structure))
    if isinstance(structure, list | tuple):
        return type(structure).__name__, tuple(map(form, structure))
    return None


def _keys(dictionary):
    try:
        return sorted(dictionary)
    except TypeError:  # keys of several types have no order of their own
        return sorted(dictionary, key=lambda key: (type(key).__name__, str(key)))


def _collect(structure, leaves):
    if isinstance(structure, dict):
        for key in _keys(structure):
            _collect(structure[key], leaves)
    elif isinstance(structure, list | tuple):
        for part in structure:
            _collect(part, leaves)
    else:
        leaves.append(structure)


def _collect_paths(structure, path, found):
    if isinstance(structure, dict):
        for key in _keys(structure):
            _collect_paths(structure[key], f"{path}[{key!r}]", found)
    elif isinstance(structure, list | tuple):
        for i, part in enumerate(structure):
            _collect_paths(part, f"{path}[{i}]", found)
    else:
        found.append(path)


def _fill(structure, leaves, used):
    if isinstance(structure, dict):
        filled = {}
        for key in _keys(structure):
            filled[key], used = _fill(structure[key], leaves, used)
        return {key: filled[key] for key in structure}, used
    if isinstance(structure, list | tuple):
        parts = []
        for part in structure:
            filled, used = _fill(part, leaves, used)
            parts.append(filled)
        if hasattr(structure, "_fields"):  # a named tuple
            return type(structure)(*parts), used
        return type(structure)(parts), used
    if used >= len(leaves):
        raise ValueError(f"There must be one leaf for each place of the structure. Received: only {len(leaves)}")
    return leaves[used], used + 1
