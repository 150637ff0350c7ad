"""Which classes and functions a configuration may name: dseq's own under Keras' modules, and those users register.

Nothing is imported because a file says so: what is not in these tables does not exist for a configuration.
"""

import inspect
import threading
import types

# Keras' modules by the words in them: `keras.src.layers.core.dense` and `dseq.layers.core.dense` are `keras.layers`.
_WORDS = {
    "activations": "keras.activations",
    "constraints": "keras.constraints",
    "dtype_policies": "keras.dtype_policies",
    "engine": "keras.models",
    "initializers": "keras.initializers",
    "layers": "keras.layers",
    "losses": "keras.losses",
    "metrics": "keras.metrics",
    "models": "keras.models",
    "ops": "keras.ops",
    "optimizers": "keras.optimizers",
    "random": "keras.random",
    "regularizers": "keras.regularizers",
    "schedules": "keras.optimizers.schedules",
}
_ROOTS = ("keras", "tf_keras", "dseq")

_provided = {}  # module of Keras -> {name: object}
_places = {}  # object -> (module, name)
_custom = {}
_custom_names = {}


class _Scopes(threading.local):
    objects = {}


_scopes = _Scopes()


def provide(module, objects) -> None:
    """Tells which of dseq's own objects configurations may name.

    Args:
        module: Keras' name of the module, `"keras.layers"`.
        objects: Dict of them by name; the first place that is given for an object is the one that is written.
    """
    known = _provided.setdefault(module, {})
    for name, value in objects.items():
        known[name] = value
        # A class has several names in some modules (`zeros` and `Zeros`); files have that of the class.
        _places.setdefault(value, (module, getattr(value, "__name__", name) if inspect.isclass(value) else name))


def place_of(value):
    """`(module, name)` under which files name a class or function of dseq; None if it is not one."""
    try:
        return _places.get(value)
    except TypeError:  # not hashable
        return None


def module_for(module):
    """Keras' public module that a module's name stands for, None if it is neither Keras' nor dseq's.

    Example:
        >>> module_for("keras.src.optimizers.schedules.learning_rate_schedule")
        'keras.optimizers.schedules'
    """
    words = module.split(".")
    if words[0] not in _ROOTS:
        return None
    if module in _provided or len(words) == 1:
        return module if module in _provided else "keras"
    known = [_WORDS[word] for word in words[1:] if word in _WORDS]
    if "keras.optimizers.schedules" in known:
        return "keras.optimizers.schedules"
    return known[0] if known else "keras"


def find(module, name, custom_objects=None):
    """What a name means: an object of the user's own, else one of dseq's.

    Args:
        module: Keras' name of the module in which dseq's own are looked up (`"keras.initializers"`), or None for
            objects of the user alone.
        name: A name (`"Zeros"`, `"my_package>Mine"`), or a configuration with `class_name` and `registered_name`.
        custom_objects: Dict of further objects by name.

    Returns:
        A class or function, or None if nothing has that name.
    """
    own, built_in = ([name], [name]) if not isinstance(name, dict) else _names_in(name)
    for candidate in own:
        found = get_registered_object(candidate, custom_objects)
        if found is not None:
            return found
    known = _provided.get(module, {})
    return next((known[candidate] for candidate in built_in if candidate in known), None)


def _names_in(config):
    """The names in a configuration by which to look for the user's own objects, and for dseq's."""
    name = config["config"] if config.get("class_name") == "function" else config.get("class_name")
    registered = config.get("registered_name", name)
    if config.get("class_name") == "function":
        registered = name
    own = [registered, name]
    if registered is None and isinstance(config.get("module"), str) and module_for(config["module"]):
        own = []  # Keras' own class, whatever else has its name
    return [n for n in own if isinstance(n, str)], [name] if isinstance(name, str) else []


def names_in_use() -> list:
    """The names of the user's own objects that are known now."""
    return sorted({*_scopes.objects, *_custom})


# What a whole configuration names.


def locate(config, module=None, what="class"):
    """The class or function that a configuration names.

    Args:
        config: Dict with `class_name`, and `module` and `registered_name` if it is in Keras 3's form.
        module: Keras' module for configurations that do not say one.
        what: `"class"` or `"function"`, for messages.

    Raises:
        TypeError: If there is none of that name.
    """
    said = config.get("module")
    if what == "function":
        said = None if said == "builtins" else said
        places = [module_for(said)] if said else []
        places += [f"keras.{part}" for part in ("activations", "losses", "metrics", "initializers", "regularizers")]
        name = config["config"]
    else:
        name = config["class_name"]
        places = [module_for(said) if isinstance(said, str) else None]
        if said is None:
            places += [module] if module else ["keras", *_UNSAID]
        elif places[0] == "keras":  # files of some versions name the package alone
            places += _UNSAID
    built_in = [p for p in places if p]
    for place in [None] if said is not None and places[:1] == [None] else built_in:
        found = find(place, config)
        if found is not None and (what == "function" or inspect.isclass(found) or _is_custom(found)):
            return found
    where, own = (f" of {said!r}" if said else ""), names_in_use() or "none"
    text = f"Could not locate {what} {name!r}{where}. "
    if isinstance(said, str) and module_for(said):
        text += "It is one of Keras' own that dseq does not have; if it is yours: "
    text += (
        "Make sure that custom classes and functions are decorated with "
        "`@dseq.saving.register_keras_serializable()` and imported before they are read, or pass "
        f"`custom_objects={{{name!r}: {name}}}`. Known custom objects: {own}."
    )
    error = TypeError(text)
    error.explained = True
    raise error


_UNSAID = ("keras.models", "keras.layers", "keras.optimizers", "keras.losses", "keras.metrics", "keras.initializers")
_UNSAID += ("keras.regularizers", "keras.constraints", "keras.optimizers.schedules")


def _is_custom(found):
    return isinstance(found, types.FunctionType) and place_of(found) is None


# Objects of the user's own: Keras' functions.


def register_keras_serializable(package="Custom", name=None):
    """Makes a class or function known, so that files and configurations may name it.

    Args:
        package: Name of the package it belongs to.
        name: Its name there; that of the class or function if None.

    Returns:
        A decorator that gives back what it decorates.

    Raises:
        ValueError: If a class has no `get_config`.

    Example:
        >>> @register_keras_serializable("my_package")
        ... class Halves(dseq.initializers.Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return np.full(shape, 0.5, dtype)
        >>> get_registered_name(Halves)
        'my_package>Halves'
    """

    def decorate(value):
        if inspect.isclass(value) and not hasattr(value, "get_config"):
            raise ValueError(
                "Cannot register a class that does not have a get_config() method. "
                f"Received: {value.__qualname__}. Give it one that returns the constructor's arguments as a dict."
            )
        registered = f"{package}>{name or value.__name__}"
        _custom[registered] = value
        _custom_names[value] = registered
        return value

    return decorate


def get_registered_name(obj):
    """The name under which a class or function is registered; its own name if it is not."""
    try:
        return _custom_names.get(obj) or obj.__name__
    except TypeError:
        return obj.__name__


def get_registered_object(name, custom_objects=None, module_objects=None):
    """The user's own object of a name, None if there is none.

    Args:
        name: Name, `"package>name"` for a registered one.
        custom_objects: Dict of further objects by name, which come first.
        module_objects: Dict of objects that come last.
    """
    for table in (custom_objects, _scopes.objects, _custom, module_objects):
        if table and name in table:
            return table[name]
    return None


def get_custom_objects() -> dict:
    """The dict of all registered objects; what is put into it is registered."""
    return _custom


class CustomObjectScope:
    """Makes objects known by name inside a `with` block, besides those that are known outside.

    Args:
        custom_objects: Dict of classes and functions by name.

    Example:
        >>> with CustomObjectScope({"Halves": Halves}):
        ...     model = dseq.models.model_from_json(text)
    """

    def __init__(self, custom_objects):
        if not isinstance(custom_objects or {}, dict):
            raise ValueError(f"`custom_objects` must be a dict of objects by name. Received: {custom_objects!r}")
        self.custom_objects = dict(custom_objects or {})
        self._before = []

    def __enter__(self):
        self._before.append(_scopes.objects)
        _scopes.objects = {**_scopes.objects, **self.custom_objects}
        return self

    def __exit__(self, *error):
        _scopes.objects = self._before.pop()


custom_object_scope = CustomObjectScope
