"""What building layers needs: weights are made once, wholly or not at all, under the names of the models around."""

import functools
import itertools
import threading
from contextlib import contextmanager

_versions = itertools.count(1)


class _Names(threading.local):
    scope = ()
    owner = None


_names = _Names()


def new_version() -> int:
    """A number above all that were given before."""
    return next(_versions)


def weight_path(layer, name) -> str:
    """The full name of a weight: the models and layers that are being built around it, its layer, its own name."""
    inner = () if _names.owner is layer else (layer.name,)
    return "/".join([*_names.scope, *inner, name])


@contextmanager
def name_scope(name, owner=None):
    """Puts `name/` before the paths of weights made inside.

    Args:
        name: The name of a model or layer.
        owner: The layer itself: its own weights then have its name once.
    """
    before = _names.scope, _names.owner
    if owner is None or _names.owner is not owner:
        _names.scope = (*_names.scope, name)
    _names.owner = owner
    try:
        yield
    finally:
        _names.scope, _names.owner = before


def misfit(rule, shape):
    """What is wrong with a full shape, as text; None if nothing is.

    Args:
        rule: Dict of `ndim`, `min_ndim` and `axes`, as `Layer.require` keeps it.
        shape: The shape.
    """
    if rule.get("ndim") is not None and len(shape) != rule["ndim"]:
        return f"expected ndim={rule['ndim']}, found ndim={len(shape)}. Full shape received: {shape}"
    if rule.get("min_ndim") is not None and len(shape) < rule["min_ndim"]:
        return f"expected min_ndim={rule['min_ndim']}, found ndim={len(shape)}. Full shape received: {shape}"
    for axis, size in rule.get("axes", {}).items():
        if shape[axis] not in (size, None):
            return f"expected axis {axis} of input shape to have value {size}, but received input with shape {shape}"
    return None


@contextmanager
def all_or_nothing(layers):
    """Puts layers, and those inside them, back as they were if the body raises.

    Args:
        layers: List of layers.
    """
    kept = [(layer, _shallow(vars(layer))) for layer in family(layers)]
    try:
        yield
    except BaseException:
        for layer, state in kept:
            vars(layer).update(state)
            for name in set(vars(layer)) - set(state):
                delattr(layer, name)
        raise


def family(layers):
    """Layers and all that is inside them, each once.

    Args:
        layers: List of layers.
    """
    found, waiting = {}, list(layers)
    while waiting:
        layer = waiting.pop()
        if id(layer) not in found:
            found[id(layer)] = layer
            waiting += layer._sublayers()
    return found.values()


def _shallow(state):
    return {k: v.copy() if isinstance(v, list | dict) else v for k, v in state.items()}


def build_once(build):
    """Wraps a layer's `build`: it sets `built`, and a layer that has weights gets no others.

    Args:
        build: The method `(self, *input_shapes)`.
    """

    @functools.wraps(build)
    def wrapped(self, *args, **kwargs):
        if self.built and (self._trainable_variables or self._non_trainable_variables):
            for index, shape in enumerate([*args, *kwargs.values()]):
                self.check_input(tuple(shape), index)
            return
        with all_or_nothing([self]):
            build(self, *args, **kwargs)
        self.built, self._build_shapes = True, (args, kwargs)

    return wrapped
