"""Puts what a weights file holds into a model: all is checked before anything is changed."""

import warnings
from collections import Counter

from dseq.saving import layout

SHOWN = 10


def assign(tree, model, skip_mismatch=False, warn=None) -> None:
    """Gives the variables of a model and its optimizer the values of a file.

    Groups are matched by class and order as Keras does; where that fails, by the layers' names, if these fit the whole
    model. An optimizer that has no variables yet is built, so that its state is not lost.

    Args:
        tree: What `dseq.saving.weights.read` gave.
        model: A built model.
        skip_mismatch: Whether objects that do not fit keep their values, with a warning for each.
        warn: Called with the text of each warning; `warnings.warn` if None.

    Raises:
        ValueError: If the model is not built, or an object does not fit; nothing is changed then.
    """
    if not model.built:
        raise ValueError(
            "You are loading weights into a model that has not yet been built. "
            f"Received: model {model.name!r}. Build it by calling it on data or by `build(input_shape)`."
        )
    warn = warn or (lambda message: warnings.warn(message, stacklevel=3))
    groups, file = tree["groups"], tree["file"]
    everything = layout.entries(model)
    objects = [entry for entry in everything if entry.model is None]
    found, problems, by_name = _match(objects, groups)
    told = []
    for entry in everything:
        if entry.model is not None:
            group = groups.get(entry.path)
            reason = _skip_optimizer(entry, group, by_name)
            problem = None if reason else _problem(entry, group)
            if reason:
                told.append(f"Skipping variable loading for optimizer {entry.name!r}, because {reason}.")
            elif problem:
                problems[entry.path] = problem
            found[entry.path] = None if reason else group
    if problems and not skip_mismatch:
        raise ValueError(_report(problems, everything, groups, model, file))
    for path, problem in problems.items():
        told.append(f"Skipped while loading {file}: {problem} It keeps its values.")
        found[path] = None
    unused = _unused(groups, found)
    if unused and not problems:
        told.append(f"{file} holds weights of layers that model {model.name!r} does not have: {_shorten(unused)}.")
    for message in told:
        warn(message)
    for entry in everything:
        group = found[entry.path]
        if group is not None:
            for index, variable in enumerate(entry.variables):
                variable.assign(group["vars"][str(index)])


def _match(objects, groups):
    """`(the group of each object by path, what does not fit by path, whether names decided)`."""
    found = {entry.path: groups.get(entry.path) for entry in objects}
    problems = _problems(objects, found)
    if problems:
        named = _by_names(groups)
        renamed = {entry.path: named.get(entry.names) for entry in objects}
        if not _problems(objects, renamed):
            return renamed, {}, True
    return found, problems, False


def _problems(objects, found):
    """What does not fit, by path."""
    checked = ((entry.path, _problem(entry, found[entry.path])) for entry in objects)
    return {path: problem for path, problem in checked if problem}


def _problem(entry, group):
    """What does not fit between an object and a group of the file, or None."""
    variables, arrays = entry.variables, group["vars"] if group else {}
    kind = "Layer" if entry.model is None else "Optimizer"
    label = f"{kind} {entry.name!r} (group /{entry.path})"
    if set(arrays) != {str(index) for index in range(len(variables))}:
        saved = f"received {len(arrays)} variables" if group else "the file has no such group"
        return f"{label} expected {len(variables)} variables, but {saved}." if group or variables else None
    for index, variable in enumerate(variables):
        array = arrays[str(index)]
        if tuple(array.shape) != tuple(variable.shape):
            return (
                f"{label}: {variable.path!r} has shape {tuple(variable.shape)} in the model, but "
                f"{tuple(array.shape)} in the file (vars/{index})."
            )
    return None


def _by_names(groups):
    """The groups under paths in which names stand for classes; without those that are not unique."""
    renamed = {path: _names(path, groups) for path in groups}
    count = Counter(renamed.values())
    return {names: groups[path] for path, names in renamed.items() if count[names] == 1}


def _names(path, groups):
    walked, names, inside_list = "", "", False
    for part in path.split("/"):
        walked = layout.join(walked, part)
        name = groups[walked]["name"] if inside_list and walked in groups else None
        names = layout.join(names, name or part)
        inside_list = part == "layers" and not inside_list
    return names


def _skip_optimizer(entry, group, by_name):
    """Why an optimizer can't take what the file has, or None; an optimizer without variables is built first."""
    optimizer = entry.owner
    if group is not None and not getattr(optimizer, "built", True):
        optimizer.build(entry.model.trainable_variables)
    have, saved = len(entry.variables), len(group["vars"]) if group else 0
    if have != saved:
        return f"it has {have} variables whereas the saved optimizer has {saved} variables"
    if by_name:  # its variables are in the order of the file's layers
        return "the layers of the file have another order"
    return None


def _unused(groups, found):
    """Layers with weights in the file of which nothing was taken."""
    taken = {id(group) for group in found.values() if group is not None}
    layers = [path for path in groups if path.split("/")[-2:-1] == ["layers"]]
    return [path for path in layers if groups[path]["vars"] and id(groups[path]) not in taken]


def _report(problems, everything, groups, model, file):
    saved = sum(1 for path, group in groups.items() if group["vars"] and "optimizer" not in path.split("/"))
    have = sum(1 for entry in everything if entry.model is None and entry.variables)
    lines = [
        f"A total of {len(problems)} objects could not be loaded from {file} into model {model.name!r}; nothing was "
        f"changed.",
        *list(problems.values())[:SHOWN],
    ]
    if len(problems) > SHOWN:
        lines.append(f"... and {len(problems) - SHOWN} more.")
    if saved != have:
        lines.append(f"The file has weights of {saved} layers, the model of {have}.")
    names = [f"`{entry.name}`" for entry in everything if entry.path in problems]
    lines.append(f"To load the rest and keep the fresh weights of {_shorten(names)}, pass `skip_mismatch=True`.")
    return "\n".join(lines)


def _shorten(names):
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
