"""Which group of a weights file holds which object's variables, by Keras 3's rules.

The root group is the model itself; `layers/<class>` (`dense`, `dense_1`, ... counted per model) are its layers, each
with groups of its own: a model its `layers`, a composite layer one group per attribute; `optimizer` is the model's
optimizer. A group's arrays are `vars/0`, `vars/1`, ... Names of layers appear as attributes only.
"""

from collections import Counter
from dataclasses import dataclass

from dseq.program.naming import snake_case


@dataclass(frozen=True)
class Entry:
    """An object that has a group in the file.

    Attributes:
        path: Its group, `"layers/dense"`; `""` is the root.
        names: The same path with the names of layers in place of classes, to match files of another order.
        owner: The layer, model or optimizer.
        model: The model whose optimizer it is; None for layers and models.
    """

    path: str
    names: str
    owner: object
    model: object = None

    @property
    def variables(self) -> list:
        """The object's own variables, without those of layers inside, in an order no `trainable` changes."""
        if self.model is not None:
            return list(self.owner.variables)
        return self.owner._trainable_variables + self.owner._non_trainable_variables

    @property
    def name(self) -> str | None:
        """The name kept as attribute."""
        name = getattr(self.owner, "name", None)
        return name if isinstance(name, str) else None


def entries(model) -> list[Entry]:
    """All objects of a model that have a group, in Keras' order; a shared layer has one, where it comes first."""
    found = []
    _walk(model, "", "", found, set())
    return found


def _walk(owner, path, names, found, seen):
    if id(owner) in seen:
        return
    seen.add(id(owner))
    found.append(Entry(path, names, owner))
    # The layers of a graph come first; then attributes by name, private ones last. `layers` is one of a written model.
    children, first = owner._children(), "layers"
    if hasattr(type(owner), "layers") and not any(attribute == "layers" for attribute, _ in children):
        children, first = [*children, ("layers", owner.layers)], None
    for attribute, child in sorted(children, key=lambda item: (item[0] != first, _rank(item[0]))):
        if isinstance(child, list):
            _walk_list(child, join(path, attribute), join(names, attribute), found, seen)
        else:
            _walk(child, join(path, attribute), join(names, attribute), found, seen)
    optimizer = getattr(owner, "optimizer", None)
    if optimizer is not None and id(optimizer) not in seen:
        seen.add(id(optimizer))
        found.append(Entry(join(path, "optimizer"), join(names, "optimizer"), optimizer, model=owner))


def _rank(attribute):
    return f"~{attribute}" if attribute.startswith("_") else attribute


def _walk_list(layers, path, names, found, seen):
    used = Counter()
    for layer in layers:
        kind = "container" if isinstance(layer, list) else snake_case(type(layer).__name__)
        group = f"{kind}_{used[kind]}" if used[kind] else kind
        used[kind] += 1
        if isinstance(layer, list):
            _walk_list(layer, join(path, group), join(names, group), found, seen)
        else:
            _walk(layer, join(path, group), join(names, layer.name), found, seen)


def join(path: str, name: str) -> str:
    """A group inside a group."""
    return f"{path}/{name}" if path else name
