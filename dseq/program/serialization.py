"""Objects as plain data and back, in Keras 3's form: `{"module", "class_name", "config", "registered_name"}`.

Layers call it through `get_config` and `from_config`, files are JSON of it. Nothing in a configuration is ever code:
classes and functions are looked up in `dseq.program.registry`, and a lambda's bytes are never run.
"""

import copy
import inspect
import threading
from contextlib import contextmanager

import numpy as np

from dseq.program import registry
from dseq.program.tensor import Tensor

PLAIN = (str, int, float, bool)


class _State(threading.local):
    safe_mode = None
    written = None  # while something is written: id -> (number, object)
    made = None  # while something is read: shared_object_id -> object


_state = _State()


# Writing.


def serialize_keras_object(obj):
    """An object as plain data that `json.dumps` takes and `deserialize_keras_object` reads, as Keras does.

    Layers that stand in several places get a `shared_object_id`.

    Args:
        obj: Number, text, list, tuple, dict, bytes, slice, array, symbolic tensor, function with a name, or an object
            with `get_config`.

    Raises:
        TypeError: If it is something else.
        ValueError: If it is a lambda, which has no name by which it could be found again.

    Example:
        >>> serialize_keras_object(dseq.initializers.Constant(2.0))["class_name"]
        'Constant'
    """
    with writing() as finish:
        return finish(_plain(obj))


@contextmanager
def writing():
    """While one object is written, the objects in it are known, so that shared ones are found.

    Yields:
        A function of what was written, to be called at the end: it takes away the numbers of objects that are met only
        once and gives its argument back.
    """
    outermost = _state.written is None
    if outermost:
        _state.written = {}
    try:
        yield _keep_shared if outermost else lambda config: config
    finally:
        if outermost:
            _state.written = None


def _keep_shared(config):
    found, waiting = {}, [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "shared_object_id" in value:
                found.setdefault(value["shared_object_id"], []).append(value)
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    for holders in found.values():
        if len(holders) == 1:
            del holders[0]["shared_object_id"]
    return config


def _plain(obj):
    if obj is None or (isinstance(obj, PLAIN) and not isinstance(obj, np.generic)):
        return obj
    if isinstance(obj, list | tuple):
        return type(obj)(map(_plain, obj)) if type(obj) in (list, tuple) else [_plain(x) for x in obj]
    if isinstance(obj, dict):
        return {key: _plain(value) for key, value in obj.items()}
    if isinstance(obj, np.ndarray) and obj.ndim:
        return _special("__numpy__", value=obj.tolist(), dtype=obj.dtype.name)
    if isinstance(obj, np.ndarray | np.generic):
        return obj.item()
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, bytes):
        return _special("__bytes__", value=obj.decode())
    if isinstance(obj, slice):
        return _special("__slice__", start=_plain(obj.start), stop=_plain(obj.stop), step=_plain(obj.step))
    if obj is Ellipsis:
        return _special("__ellipsis__")
    if isinstance(obj, Tensor):
        layer = obj.node.layer
        call = next(i for i, node in enumerate(layer._inbound_nodes) if node is obj.node)
        return keras_tensor(obj, [layer.name, call, obj.index])
    if hasattr(obj, "keras_config"):  # it says itself what stands for it
        return _plain(obj.keras_config())
    if inspect.isclass(obj):
        raise TypeError(f"A class can't be part of a configuration, only its objects. Received: {obj.__qualname__}")
    return _object(obj) if hasattr(obj, "get_config") else _function(obj)


def _special(name, **config):
    return {"class_name": name, "config": config}


def keras_tensor(tensor, history) -> dict:
    """What stands for a symbolic tensor.

    Args:
        tensor: The tensor.
        history: List of the name of the layer that made it, which of its calls, which output of that call.
    """
    return _special("__keras_tensor__", shape=list(tensor.shape), dtype=tensor.dtype, keras_history=history)


def dtype_policy(name) -> dict:
    """What stands for a layer's type in a configuration.

    Args:
        name: `"float32"` or `"float64"`.
    """
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}, "registered_name": None}


def _function(obj):
    name = getattr(obj, "__name__", None)
    if name is None or not callable(obj):
        raise TypeError(
            f"Cannot serialize object {obj!r} of type {type(obj).__name__}. To be serializable, a class must implement "
            "the `get_config()` method that returns the constructor's arguments."
        )
    if name == "<lambda>":
        raise ValueError(
            "A lambda can't be written into a configuration: dseq never reads code from one. Received: "
            f"{obj!r}. Give the function a name with `def` and decorate it with "
            "`@dseq.saving.register_keras_serializable()`."
        )
    place = registry.place_of(obj)
    config = place[1] if place else registry.get_registered_name(obj)
    return {"module": "builtins", "class_name": "function", "config": config, "registered_name": "function"}


def _object(obj):
    kind = type(obj)
    config = obj.get_config()
    if not isinstance(config, dict):
        raise TypeError(
            f"The `get_config()` method of {kind.__name__} should return a dict of the constructor's arguments. "
            f"It returned: {config!r}"
        )
    place = registry.place_of(kind)
    written = {
        "module": place[0] if place else None if kind.__module__ == "__main__" else kind.__module__,
        "class_name": place[1] if place else kind.__name__,
        "config": _plain(config),
        # Keras gives classes that it does not export their own name here.
        "registered_name": registry.get_registered_name(kind) if not place or ".src." in place[0] else None,
    }
    for part in ("build_config", "compile_config"):
        values = getattr(obj, f"get_{part}", lambda: None)()
        if values is not None:
            written[part] = _plain(values)
    if hasattr(obj, "get_build_config") and _state.written is not None:  # a layer
        number, _ = _state.written.setdefault(id(obj), (len(_state.written), obj))
        written["shared_object_id"] = number
    return written


# Reading.


def in_safe_mode():
    """Whether lambdas in what is being read are refused at once; None if nothing was said about it."""
    return _state.safe_mode


def enable_unsafe_deserialization() -> None:
    """Turns the safe mode off in this thread, as in Keras. dseq does not run a lambda from a file even then."""
    _state.safe_mode = False


@contextmanager
def safe_mode_scope(safe_mode):
    """Inside, what is read obeys this `safe_mode`."""
    before = _state.safe_mode
    _state.safe_mode = safe_mode
    try:
        yield
    finally:
        _state.safe_mode = before


@contextmanager
def reading():
    """While one configuration is read, what was made of it is known, so that shared layers are made once.

    Yields:
        Whether this is the outermost object.
    """
    outermost = _state.made is None
    if outermost:
        _state.made = {}
    try:
        yield outermost
    finally:
        if outermost:
            _state.made = None


def deserialize_keras_object(config, custom_objects=None, safe_mode=True, module_objects=None, module=None):
    """The object that `serialize_keras_object`, or Keras, described.

    Args:
        config: The plain data.
        custom_objects: Dict of classes and functions of your own, by name.
        safe_mode: Whether a lambda is refused as unsafe. With False it is refused too: dseq runs no code from files.
        module_objects: Dict of objects that names may mean, besides the known ones.
        module: Keras' name of the module in which an object without `module` is looked up.

    Raises:
        TypeError: If a class or function is not known, or does not take its configuration.
        ValueError: If it holds a lambda, or an object finds fault with its arguments.
    """
    registry.CustomObjectScope(custom_objects)  # raises if it is no dict
    mode = safe_mode if _state.safe_mode is None else _state.safe_mode
    if isinstance(config, str):
        named = registry.get_registered_object(config, custom_objects)
        if named is not None:
            return named
    scope = registry.CustomObjectScope({**(module_objects or {}), **(custom_objects or {})})
    with reading() as outermost, scope, safe_mode_scope(mode):
        if outermost:
            config = copy.deepcopy(config)  # classes of the user's own may take their configurations apart
        return _revive(config, module, outermost)


def _revive(config, module, outermost=False):
    if config is None or isinstance(config, PLAIN):
        return config
    if isinstance(config, list | tuple):
        return [_revive(value, None) for value in config]
    if not isinstance(config, dict):
        raise TypeError(f"Could not parse config: {config!r} of type {type(config).__name__}")
    name = config.get("class_name")
    if name == "__tuple__":  # as Keras 2 wrote it
        return tuple(_revive(value, None) for value in config.get("items", config.get("config", ())))
    if name is None or "config" not in config:
        return {key: _revive(value, None) for key, value in config.items()}
    inner = {} if config["config"] is None else config["config"]
    if name in _SPECIAL:
        return _SPECIAL[name](inner)
    if name == "function":
        if not isinstance(inner, str):
            raise TypeError(f"A function in a configuration must be given by its name. Received: {inner!r}")
        return registry.locate(config, module, "function")
    if name in ("DTypePolicy", "Policy", "FloatDTypePolicy") and isinstance(inner, dict) and "name" in inner:
        found = registry.find("keras", "DTypePolicy")
        return found.from_config(inner) if found else inner["name"]
    if isinstance(inner, list) and name == "Sequential":  # Keras 1 wrote the layers alone
        inner = {"layers": inner}
    if not isinstance(inner, dict):
        raise TypeError(f"Expected 'config' to be a dict for {name!r}. Received: {inner!r}")
    number = config.get("shared_object_id")
    if number is not None and number in _state.made:
        return _state.made[number]
    made = _make(config, name, inner, module, outermost)
    if number is not None:
        _state.made[number] = made
    return made


def _make(config, name, inner, module, outermost):
    kind = registry.locate(config, module)
    if not inspect.isclass(kind):
        return kind
    if not hasattr(kind, "from_config"):
        raise TypeError(f"Unable to make an object of {name!r}: the class has no `from_config()` method.")
    try:
        made = kind.from_config(inner)
    except TypeError as error:
        if getattr(error, "explained", False):
            raise
        title = f"{name} {inner['name']!r}" if isinstance(inner.get("name"), str) else name
        wrong = TypeError(
            f"{title} could not be made of its configuration: {error}. Make sure that `get_config()` returns the "
            f"constructor's arguments, and that `from_config()` deserializes the objects among them. "
            f"Received: config={_short(inner)}"
        )
        wrong.explained = True
        raise wrong from error
    if config.get("build_config") and outermost and hasattr(made, "build_from_config") and not made.built:
        made.build_from_config(_revive(config["build_config"], None))
    if config.get("compile_config") and hasattr(made, "compile_from_config"):
        made.compile_from_config(config["compile_config"])
    return made


def _lambda(inner):
    if _state.safe_mode is not False:
        raise ValueError(
            "Requested the deserialization of a Python lambda. This carries a potential risk of arbitrary code "
            "execution and thus it is disallowed. Make the model by its own code instead and load its weights."
        )
    raise ValueError(
        "The configuration holds a Python lambda, and dseq runs no code from files, not even with `safe_mode=False`. "
        "Make the model by its own code instead and load its weights, or write the lambda as a function with a name, "
        "registered with `@dseq.saving.register_keras_serializable()`."
    )


def _array(inner):
    return np.array(inner["value"], dtype=inner["dtype"])


_SPECIAL = {
    "__numpy__": _array,
    "__tensor__": _array,
    "__bytes__": lambda inner: inner["value"].encode(),
    "__ellipsis__": lambda inner: Ellipsis,
    "__slice__": lambda inner: slice(*(_revive(inner[key], None) for key in ("start", "stop", "step"))),
    "__keras_tensor__": lambda inner: Tensor(inner["shape"], inner["dtype"]),
    "__lambda__": _lambda,
}


def _short(value, most=500):
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


# The constructor's arguments.


def for_constructor(kind, config) -> dict:
    """A configuration without what another version wrote as unused: names that a class does not take, given as None or
    False, are left out, so that its constructor complains about all others.

    Args:
        kind: The class.
        config: Dict of its constructor's arguments.
    """
    taken = set()
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        taken |= {p.name for p in parameters}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return {key: value for key, value in config.items() if key in taken or (value is not None and value is not False)}
