"""Weights in the layout of Keras 1 and 2 (`.h5`): a group for each layer, in the order of the model's layers.

The attribute `layer_names` of the root lists the groups, `weight_names` of a group its arrays. Files of whole models
have all that in the group `model_weights`. What is read is a tree
`{"layers": [(name, arrays), ...], "own": arrays or None}`.
"""

import h5py

TOP = "top_level_model_weights"


def holds(content) -> bool:
    """Whether an open file has this layout."""
    return any(name in content.attrs for name in ("layer_names", "layer_names0")) or "model_weights" in content


def read(content, array, refused) -> dict:
    """Reads an open file.

    Args:
        content: The file.
        array: `(group, name)`, which reads a dataset.
        refused: Class of the error for files that are something else.

    Returns:
        The tree.
    """
    if not _names(content, "layer_names"):
        content = _group(content, "model_weights", refused)
    layers = [
        (name, _arrays(_group(content, name, refused), array, refused)) for name in _names(content, "layer_names")
    ]
    own = _arrays(_group(content, TOP, refused), array, refused) if TOP in content else None
    return {"layers": layers, "own": own}


def _names(group, attribute):
    """An attribute that lists names; long ones are cut into several that are numbered."""
    found, number = group.attrs.get(attribute), 0
    found = [] if found is None else list(found)
    while f"{attribute}{number}" in group.attrs:
        found += list(group.attrs[f"{attribute}{number}"])
        number += 1
    return [name.decode() if isinstance(name, bytes) else str(name) for name in found]


def _group(group, path, refused):
    """A group inside a group, by hard links only: nothing leads out of the file."""
    for name in filter(None, path.split("/")):
        link = group.get(name, getlink=True)
        inner = group.get(name) if isinstance(link, h5py.HardLink) else None
        if not isinstance(inner, h5py.Group):
            raise refused(
                f"{group.file.filename} must have a group {name!r} in {group.name}, which its names call for."
            )
        group = inner
    return group


def _arrays(group, array, refused):
    found = []
    for path in _names(group, "weight_names"):
        above, _, name = path.rpartition("/")
        found.append(array(_group(group, above, refused), name))
    return found


def assign(tree, model, by_name=False, skip_mismatch=False, warn=None) -> None:
    """Gives the variables of a model the values of such a file: layer by layer in their order, or by their names.

    Args:
        tree: What `read` gave, and the path as `"file"`.
        model: A built model.
        by_name: Whether layers are matched by name; what has no match keeps its values.
        skip_mismatch: Whether weights of other shapes than in the file keep their values, with a warning for each.
        warn: Called with the text of each warning.

    Raises:
        ValueError: If layers or shapes do not fit; nothing is changed then.
    """
    pairs = _named(tree, model) if by_name else _in_order(tree, model)
    if tree["own"] is not None:
        own = model._trainable_variables + model._non_trainable_variables
        pairs.append((f"model {model.name!r} itself", own, tree["own"]))
    found, problems = [], []
    for label, variables, arrays in pairs:
        if len(variables) != len(arrays):
            message = f"Weight count mismatch for {label}. It expects {len(variables)} weight(s). "
            message += f"Received {len(arrays)} saved weight(s)."
            if not (by_name and skip_mismatch):
                raise ValueError(f"{message} File: {tree['file']}. Nothing was changed.")
            problems.append(message)
            continue
        for variable, array in zip(variables, arrays, strict=True):
            if tuple(variable.shape) == tuple(array.shape):
                found.append((variable, array))
                continue
            problems.append(
                f"Shape mismatch in {label} for weight {variable.path}. Weight expects shape {tuple(variable.shape)}. "
                f"Received saved weight with shape {tuple(array.shape)}."
            )
    if problems and not skip_mismatch:
        raise ValueError(
            f"{problems[0]} File: {tree['file']}; {len(problems)} weight(s) do not fit. Nothing was changed. To load "
            "the rest, pass `skip_mismatch=True`."
        )
    for problem in problems:
        warn(f"Skipped while loading {tree['file']}: {problem} It keeps its values.")
    for variable, array in found:
        variable.assign(array)


def _weights(layer):
    """A layer's weights in the order of these files: what is trained first."""
    return layer.trainable_variables + layer.non_trainable_variables


def _in_order(tree, model):
    saved = [(name, arrays) for name, arrays in tree["layers"] if arrays]
    layers = [layer for layer in model.layers if layer.weights]
    if len(saved) != len(layers):
        raise ValueError(
            f"Layer count mismatch when loading weights from file. Model expected {len(layers)} layers, found "
            f"{len(saved)} saved layers. File: {tree['file']}; nothing was changed. To load the layers whose names are "
            "in the file, pass `by_name=True`."
        )
    pairs = enumerate(zip(layers, saved, strict=True))
    return [
        (f"layer #{k} (named {layer.name} in the current model, {name} in the save file)", _weights(layer), arrays)
        for k, (layer, (name, arrays)) in pairs
    ]


def _named(tree, model):
    layers = {}
    for layer in model.layers:
        layers.setdefault(layer.name, []).append(layer)
    return [
        (f"layer #{k} (named {name})", _weights(layer), arrays)
        for k, (name, arrays) in enumerate(tree["layers"])
        for layer in layers.get(name, ())
    ]
