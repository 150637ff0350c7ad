"""Keras' functions on structures: lists, tuples and dicts, nested in any way.

Dicts are walked in the order of their sorted keys. None is a leaf.
"""

from dseq.program.structure import flatten as _flatten
from dseq.program.structure import pack


def is_nested(structure) -> bool:
    """Whether a value is a list, tuple or dict."""
    return isinstance(structure, list | tuple | dict)


def flatten(structure) -> list:
    """All leaves."""
    return _flatten(structure)


def flatten_with_path(structure) -> list:
    """All leaves as `(path, leaf)`; a path is a tuple of keys and positions."""
    if not is_nested(structure):
        return [((), structure)]
    keys = sorted(structure) if isinstance(structure, dict) else range(len(structure))
    return [((key, *path), leaf) for key in keys for path, leaf in flatten_with_path(structure[key])]


def pack_sequence_as(structure, flat_sequence):
    """Leaves in the form of a structure.

    Args:
        structure: The form.
        flat_sequence: As many leaves as it has.

    Raises:
        ValueError: If there are more or fewer.
    """
    count, given = len(_flatten(structure)), len(flat_sequence)
    if count != given:
        raise ValueError(
            f"`flat_sequence` must have one entry for each leaf of `structure`, {count}. Received: {given} entries"
        )
    return pack(structure, flat_sequence)


def map_structure(func, *structures, none_is_leaf=True):
    """A structure of what a function gives for the leaves.

    Args:
        func: Takes one leaf of each structure.
        *structures: Structures of the same form.
        none_is_leaf: Whether the function is called for None, too; else None stays.

    Raises:
        ValueError: If the forms differ, or there is no structure.
    """
    if not structures:
        raise ValueError("`map_structure` needs at least one structure. Received: none")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    leaves = zip(*map(_flatten, structures), strict=True)
    results = [None if not none_is_leaf and all(x is None for x in group) else func(*group) for group in leaves]
    return pack(structures[0], results)


def assert_same_structure(a, b, check_types=None) -> None:
    """Raises a ValueError if two structures differ in form.

    Args:
        a: A structure.
        b: Another.
        check_types: Accepted as in Keras; kinds of containers always count.
    """
    same = is_nested(a) == is_nested(b)
    if same and is_nested(a):
        same = type(a) is type(b) and len(a) == len(b) and (not isinstance(a, dict) or set(a) == set(b))
    if not same:
        raise ValueError(f"`a` and `b` don't have the same structure. Received: a={a!r}, b={b!r}")
    if is_nested(a):
        for key in a if isinstance(a, dict) else range(len(a)):
            assert_same_structure(a[key], b[key])


def lists_to_tuples(structure):
    """The structure with tuples in the places of lists."""
    if isinstance(structure, dict):
        return {key: lists_to_tuples(part) for key, part in structure.items()}
    return tuple(map(lists_to_tuples, structure)) if isinstance(structure, list | tuple) else structure


def map_shape_structure(func, structure):
    """`map_structure` where each list or tuple of sizes is a leaf.

    Args:
        func: Takes a shape.
        structure: Structure of shapes.
    """
    if isinstance(structure, list | tuple) and all(n is None or isinstance(n, int) for n in structure):
        return func(tuple(structure))
    if isinstance(structure, dict):
        return {key: map_shape_structure(func, part) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(map_shape_structure(func, part) for part in structure)
    raise ValueError(f"A structure of shapes must hold tuples of integers. Received: {structure!r}")


__all__ = [
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "pack_sequence_as",
]
