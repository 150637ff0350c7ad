"""Copies of models with fresh weights."""

from dseq.layers.core.input_layer import InputLayer
from dseq.models.diagram import is_graph, is_stack, starts_of
from dseq.models.graph_configuration import call_of, structures
from dseq.program.serialization import deserialize_keras_object, serialize_keras_object
from dseq.program.structure import flatten, form, map_structure, pack
from dseq.program.tensor import Tensor


def clone_model(model, input_tensors=None, clone_function=None, call_function=None, recursive=False):
    """A copy of a model: the same layers anew, with fresh weights; compiled like the model.

    Args:
        model: A `Sequential` or functional model; a class of your own if it has `get_config`.
        input_tensors: Symbolic tensors on which to build the copy, in the form of `model.input`; new inputs if None.
        clone_function: Function `(layer) -> layer` that makes the copy of each layer that is no input; that of the
            layer's configuration if None. A layer that stands in several places is copied once.
        call_function: Function `(layer, *args, **kwargs)` that calls a copy on its tensors; for functional models.
        recursive: Whether models inside are copied layer by layer with the same functions, not as one layer.

    Returns:
        A model of the same class.

    Raises:
        ValueError: If an argument does not fit the model.

    Example:
        >>> copy = dseq.models.clone_model(model)
        >>> copy.set_weights(model.get_weights())
    """
    return _clone(model, input_tensors, clone_function, call_function, recursive, {})


def _clone(model, input_tensors, clone_function, call_function, recursive, cache):
    changed = any(x is not None for x in (input_tensors, clone_function, call_function))
    if is_stack(model):
        if call_function is not None:
            raise ValueError(
                "`call_function` argument is not supported with Sequential models: their layers are listed, not "
                f"called. Use it with functional models. Received: model {model.name!r}"
            )
        made = _clone_stack(model, _copier(clone_function, None, recursive, cache), input_tensors)
    elif is_graph(model) and (changed or _is_plain(model)):
        made = _clone_graph(
            model, _copier(clone_function, call_function, recursive, cache), input_tensors, call_function
        )
    elif changed:
        raise ValueError(
            "Arguments `clone_function`, `call_function` and `input_tensors` are only supported for Sequential models "
            f"or functional models. Received: model {model.name!r} of type {type(model).__name__}"
        )
    else:
        kind = type(model)
        return deserialize_keras_object(serialize_keras_object(model), custom_objects={kind.__name__: kind})
    if not model.trainable:
        made.trainable = False
    config = model.get_compile_config()
    if config:
        made.compile_from_config(config)
    return made


def _is_plain(model):
    """Whether the model's class keeps the constructor of functional models."""
    return "get_config" not in vars(type(model)) or type(model).__module__.startswith("dseq.")


def _copier(clone_function, call_function, recursive, cache):
    """The function that copies a layer, each once."""

    def copy(layer):
        if id(layer) not in cache:
            if recursive and (is_stack(layer) or is_graph(layer)):
                inner_calls = None if is_stack(layer) else call_function
                cache[id(layer)] = layer, _clone(layer, None, clone_function, inner_calls, True, cache)
            elif clone_function is not None:
                cache[id(layer)] = layer, clone_function(layer)
            else:
                cache[id(layer)] = layer, type(layer).from_config(layer.get_config())
        return cache[id(layer)][1]

    return copy


def _clone_stack(model, copy, input_tensors):
    layers = [copy(layer) for layer in model.layers]
    first = model._stack[0] if model._stack else None
    if input_tensors is not None:
        tensors = flatten(input_tensors)
        if len(tensors) != 1 or not isinstance(tensors[0], Tensor):
            raise ValueError(
                f"Argument `input_tensors` must contain a single symbolic tensor. Received: {input_tensors}"
            )
        name = first.name if isinstance(first, InputLayer) else None
        layers.insert(0, InputLayer(batch_shape=tensors[0].shape, dtype=tensors[0].dtype, name=name))
    elif isinstance(first, InputLayer):
        layers.insert(0, InputLayer.from_config(first.get_config()))
    return type(model)(layers, name=model.name)


def _clone_graph(model, copy, input_tensors, call_function):
    (given, wanted), starts = structures(model), starts_of(model)
    if input_tensors is None:
        inputs = map_structure(lambda tensor: _fresh_input(starts[id(tensor)][0]), given)
    else:
        inputs = _fitting(input_tensors, given)
    new = {id(old): tensor for old, tensor in zip(flatten(given), flatten(inputs), strict=True)}
    for node in model._nodes:
        args, kwargs = call_of(node)
        args, kwargs = pack((args, kwargs), [new.get(id(leaf), leaf) for leaf in flatten((args, kwargs))])
        layer = copy(node.layer)
        made = call_function(layer, *args, **kwargs) if call_function else layer(*args, **kwargs)
        tensors = flatten(made)
        if len(tensors) != len(node.outputs):
            raise ValueError(
                f"The copy of a layer must give as many tensors as the layer, {len(node.outputs)} of "
                f"{node.layer.name!r}. Received: {len(tensors)}"
            )
        for old, tensor in zip(node.outputs, tensors, strict=True):
            new.setdefault(id(old), tensor)
    outputs = map_structure(lambda tensor: new[id(tensor)], wanted)
    kind = type(model)
    return kind(inputs=inputs, outputs=outputs, name=model.name)


def _fresh_input(layer):
    return InputLayer.from_config(layer.get_config()).output


def _fitting(input_tensors, given):
    """The tensors to build on, in the form of the model's inputs."""
    wrong = [leaf for leaf in flatten(input_tensors) if not isinstance(leaf, Tensor)]
    if wrong:
        raise ValueError(f"All entries in `input_tensors` must be symbolic tensors. Received: {wrong}")
    if form(input_tensors) == form(given):
        return input_tensors
    leaves = flatten(input_tensors)
    if not isinstance(given, dict) and len(leaves) == len(flatten(given)):
        return pack(given, leaves)  # a tuple for a list, or a list of one
    raise ValueError(
        f"`input_tensors` must have the same structure as `model.input`. Received: {input_tensors} for {given}"
    )
