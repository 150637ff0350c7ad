"""The base of every model: a layer that can be trained, saved and shown."""

import copy

import numpy as np

from dseq.layers.layer import Layer
from dseq.models import configuration, facts, graph_configuration, summary
from dseq.program.graph import Arguments
from dseq.program.recent import Recent
from dseq.program.structure import flatten, pack
from dseq.program.tensor import Tensor
from dseq.saving import weights as weights_file
from dseq.training.trainer import Trainer


class Model(Trainer, Layer):
    """A graph of layers with training and saving.

    `Model(inputs, outputs)` makes a functional model of symbolic tensors, `Sequential` one of a list. A subclass makes
    layers in its constructor and calls them in `call`.

    Args:
        inputs: Symbolic tensor, or a list, tuple or dict of them.
        outputs: The same.
        name: Name of the model.

    Example:
        >>> x = dseq.Input((8,))
        >>> model = dseq.Model(x, dseq.layers.Dense(3)(x))
        >>> model.count_params()
        27
        >>> class Two(dseq.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = dseq.layers.Dense(8, activation="relu")
        ...         self.out = dseq.layers.Dense(3)
        ...     def call(self, x):
        ...         return self.out(self.hidden(x))
    """

    takes_any_type = True

    def __new__(cls, *args, **kwargs):
        from dseq.models.functional import Functional

        for method in ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"):
            if hasattr(cls, method):
                raise ValueError(
                    f"`{method}` cannot be overridden: a step is compiled as a whole. Received: class {cls.__name__}. "
                    "Use `add_loss` in `call`, a custom loss or metric, or a callback."
                )
        return super().__new__(Functional if cls is Model and _is_functional(args, kwargs) else cls, *args, **kwargs)

    def __init__(self, *args, **kwargs):
        from dseq.models.functional import Functional

        self._specs = self._call_arguments = None
        self._data_structure = self._data_samples = None
        if _is_functional(args, kwargs) and not isinstance(self, Functional):
            _make_functional(type(self))  # `super().__init__(inputs=..., outputs=...)` of a subclass
            Functional.__init__(self, *args, **kwargs)
        else:
            super().__init__(*args, **kwargs)

    def __getstate__(self):
        state = super().__getstate__() | {"_sessions": Recent(), "_position": None, "_world": None}
        if self._compiled is not None:  # what was resolved is known by the ids of losses and metrics
            state["_compiled"] = copy.copy(self._compiled)
            state["_compiled"].outputs, state["_compiled"]._resolved = [], {}
        return state

    # The graph.

    @property
    def layers(self) -> list:
        """The layers of the model: those kept in its attributes, in the order in which they were set."""
        return self._sublayers()

    @layers.setter
    def layers(self, value):
        raise AttributeError("`Model.layers` cannot be set; use `Sequential.add` and `pop`, or make another model.")

    def build(self, input_shape=None) -> None:
        """Makes the weights.

        Args:
            input_shape: Full shape of the input, the batch axis first; a list or dict of shapes for several inputs.
        """
        if not self._is_traced or self._call_arguments is not None or input_shape is None:
            return
        structure = _shapes_as_tensors(input_shape, self.dtype)
        arguments = Arguments((structure,), {})
        self._build_for(arguments, [t.shape for t in arguments.data])

    def _build_for(self, arguments, shapes):
        if not self._is_traced:
            return super()._build_for(arguments, shapes)
        first = self._call_arguments is None
        if first:
            types = [_type_of(x, self.dtype) for x in arguments.data]
            self._specs = [Tensor((None, *s[1:]), dtype) for s, dtype in zip(shapes, types, strict=True)]
            self._call_arguments = arguments.filled(self._specs)
            self._call_arguments[1].pop("training", None)
        try:
            super()._build_for(arguments, shapes)
            if first:  # layers inside are built by the first call
                self.output_shapes([t.shape for t in self._specs], self._call_arguments)
        except BaseException:
            if first:
                self._specs = self._call_arguments = None
                self.built = False
            raise

    # Inputs and outputs, in whatever structure they come.

    @property
    def input_tensors(self) -> list:
        """A symbolic tensor for each input, in the order of `flatten_inputs`."""
        return self.inputs if self._specs is None else self._specs

    @property
    def call_arguments(self):
        """How a model written as `call` is called, `(args, kwargs)` with symbolic tensors; None for others."""
        return self._call_arguments

    def flatten_inputs(self, data) -> list:
        """The input data as a flat list, in the order of the model's inputs.

        Args:
            data: An array, or a list, tuple or dict of arrays in the form of the inputs. A dict may also name the
                inputs; keys that are no input are ignored.

        Raises:
            ValueError: If an input is missing, or the number differs.
        """
        structured = any(hasattr(leaf, "shape") for leaf in flatten(data))
        arrays = flatten(data) if structured else [data]
        structure = pack(data, range(len(arrays))) if structured else 0
        if self._is_traced and not self.built:
            self._data_structure = structure
            self._data_samples = [np.asarray(a)[:0] for a in arrays]
        elif self._is_traced and not _same_form((structure,), self._call_arguments[0]):
            raise ValueError(
                f"Model {self.name!r} must be given data in the form it was first called with. "
                f"Received: {type(data).__name__} of {len(arrays)} array(s)"
            )
        return arrays

    def flatten_targets(self, data, what="y") -> list:
        """Targets or sample weights as a flat list, in the order of the model's outputs.

        Args:
            data: An array, or a list, tuple or dict of arrays; None entries stand for "none".
            what: Name of the argument, for messages.

        Raises:
            ValueError: If a target is missing.
        """
        if data is None:
            return []
        if isinstance(data, dict):
            if self._is_traced and not self.built and self._data_samples:
                self.build_for_data(self._data_samples)  # the names of the outputs are not known before
            names = self.output_names
            if set(data) != set(names) and _same_form(data, self._form_of_outputs()):
                return flatten(data)
            unknown = set(data) - set(names)
            missing = [name for name in names if name not in data]
            if unknown or (missing and what != "sample_weight"):
                raise ValueError(
                    f"`{what}` must have one entry for each output {names}. Received: a dict with keys {list(data)}"
                )
            return [data.get(name) for name in names]
        if isinstance(data, list | tuple) and any(hasattr(leaf, "shape") for leaf in flatten(data)):
            return flatten(data)
        return [data]

    def pack_outputs(self, arrays):
        """Output arrays in the form in which the model returns them."""
        if self._is_traced:
            return pack(self._last_trace().structure, arrays)
        return arrays[0] if len(arrays) == 1 else list(arrays)

    def _form_of_outputs(self):
        return self._last_trace().structure

    def _last_trace(self):
        args, kwargs = self._call_arguments
        kinds = [(t.shape, t.dtype, False) for t in self._specs]
        return self._trace(Arguments(args, kwargs), kinds, False)

    @property
    def output_names(self) -> list:
        """Names of the outputs: the keys if `call` returns a dict, else numbers."""
        structure = self._last_trace().structure
        if isinstance(structure, dict) and not any(isinstance(v, dict | list | tuple) for v in structure.values()):
            return sorted(structure)
        return [f"output_{i}" for i in range(len(flatten(structure)))]

    def build_for_data(self, x) -> None:
        """Builds the model for data.

        Args:
            x: List of arrays, as `flatten_inputs` gave it.
        """
        if not self._is_traced:
            self.build((None, *x[0].shape[1:]))
            return
        tensors = [Tensor((None, *a.shape[1:]), _type_of(a, self.dtype)) for a in x]
        structure = 0 if self._data_structure is None else self._data_structure
        arguments = Arguments((pack(structure, tensors),), {})
        self._build_for(arguments, [t.shape for t in tensors])

    def get_layer(self, name=None, index=None):
        """One layer, by name or by position.

        Args:
            name: Name of the layer.
            index: Position in `layers`.

        Raises:
            ValueError: If there is no such layer, or not exactly one of the two is given.
        """
        if (name is None) == (index is None):
            raise ValueError(f"Provide either a layer name or a layer index. Received: index={index}, name={name!r}")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model {self.name!r} only has "
                    f"{len(self.layers)} layers."
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}. Existing layers are: {[layer.name for layer in self.layers]}.")

    def facts(self) -> list:
        """What must be equal on ranks that hold the same model, as (label, text) pairs."""
        return facts.facts(self)

    # Showing.

    def summary(
        self,
        line_length=None,
        positions=None,
        print_fn=None,
        expand_nested=False,
        show_trainable=False,
        layer_range=None,
    ) -> None:
        """Prints a table of the layers with their output shapes and numbers of parameters, on rank 0 only.

        Args:
            line_length: Width of the table.
            positions: Relative positions of the columns.
            print_fn: Called with the text instead of printing it.
            expand_nested: Whether to show the layers of models inside.
            show_trainable: Whether to show if layers are trainable.
            layer_range: Pair of layer names: the first and last to show.
        """
        with self._on_its_ranks() as world:
            if world.rank == 0:
                shown = expand_nested, show_trainable, layer_range
                summary.print_summary(self, line_length, positions, print_fn, *shown)

    # Configuration.

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A model with this configuration and fresh weights.

        Args:
            config: What `get_config` of dseq or Keras gave.
            custom_objects: Dict of classes and functions of your own, by name.
        """
        if graph_configuration.is_functional(config) and graph_configuration.is_functional_class(cls):
            return graph_configuration.functional_from_config(cls, config, custom_objects)
        return super().from_config(config)

    def to_json(self, **kwargs) -> str:
        """The model's structure, and how it was compiled, as JSON that Keras reads too.

        Args:
            **kwargs: For `json.dumps`.
        """
        return configuration.to_json(self, **kwargs)

    def get_build_config(self):
        """The shapes for which a model written as `call` was built; None if it was not."""
        return configuration.build_config(self)

    def get_compile_config(self):
        """The arguments of `compile` as plain data, an empty dict for a model that is not compiled."""
        return configuration.compile_config(self)

    def compile_from_config(self, config) -> None:
        """Compiles the model as `get_compile_config` of dseq or Keras says."""
        configuration.compile_from_config(self, config)

    # Saving.

    def save_weights(self, filepath, overwrite=True) -> None:
        """Writes all weights, and the optimizer's variables if compiled, to a file that Keras 3 reads too.

        All ranks call it; rank 0 writes. The file is replaced as a whole or not at all.

        Args:
            filepath: Path that ends in `.weights.h5`.
            overwrite: Whether an existing file may be replaced.

        Raises:
            ValueError: If the name or the model does not fit; FileExistsError: if the file exists and
                `overwrite` is False; OSError: if writing failed, with the old file intact. All ranks raise the same.
        """
        weights_file.check_path(filepath)
        self._require_built("saving")
        self._build_optimizer()
        with self._on_its_ranks() as world, world.section("save_weights"):
            self.unite()
            world.agree("save_weights", [("filepath", str(filepath))])
            world.share_outcome(lambda: weights_file.write(filepath, self, overwrite=overwrite))

    def load_weights(self, filepath, skip_mismatch=False, by_name=False) -> None:
        """Reads weights that dseq or Keras wrote, and the optimizer's variables if compiled.

        All ranks call it; rank 0 reads, the others receive.

        Args:
            filepath: Path of a `.weights.h5` file, or of an `.h5` file of Keras 1 or 2; only weights count.
            skip_mismatch: Whether layers that do not fit keep their weights, with a warning, instead of an error.
            by_name: For `.h5` files: whether layers are matched by their names instead of their order.

        Raises:
            ValueError: If the file does not fit the model; OSError: if it cannot be read. Nothing is changed then.
        """
        weights_file.check_path(filepath, loading=True)
        self._require_built("loading")
        self._build_optimizer()
        with self._on_its_ranks() as world, world.section("load_weights"):
            world.agree("load_weights", [("filepath", str(filepath))])
            tree = world.share_outcome(lambda: weights_file.read(filepath))
            quiet = None if world.rank == 0 else lambda message: None  # one warning, not one for each rank
            weights_file.assign(tree, self, skip_mismatch, quiet, by_name)

    def _require_built(self, what):
        if not self.built:
            verb = {"saving": "You are saving a model", "loading": "You are loading weights into a model"}[what]
            raise ValueError(
                f"{verb} that has not yet been built. Model {self.name!r}: build it first by calling it on some data, "
                f"by `build(input_shape)`, or by an `Input` as its first layer."
            )


def _is_functional(args, kwargs) -> bool:
    """Whether a model's constructor was given inputs and outputs."""
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)


def _make_functional(cls):
    """Puts `Functional` in the place of `Model` among the bases of a class."""
    from dseq.models.functional import Functional

    cls.__bases__ = tuple(Functional if base is Model else base for base in cls.__bases__)
    for base in cls.__bases__:
        if issubclass(base, Model) and not issubclass(base, Functional):
            _make_functional(base)


def _same_form(data, structure) -> bool:
    """Whether data stand in a structure's form, in which a list is as good as a tuple."""
    if isinstance(structure, dict):
        return (
            isinstance(data, dict)
            and set(data) == set(structure)
            and all(_same_form(data[key], structure[key]) for key in structure)
        )
    if isinstance(structure, list | tuple):
        return isinstance(data, list | tuple) and len(data) == len(structure) and all(map(_same_form, data, structure))
    return not isinstance(data, dict)


def _type_of(data, default):
    """The type of an input: integers and bools stay what they are, floats become the model's."""
    dtype = np.dtype(data.dtype)
    return default if dtype.kind not in "iub" else dtype.name


def _shapes_as_tensors(structure, dtype):
    """Full shapes in a structure as symbolic tensors: a tuple of sizes is a leaf."""
    if isinstance(structure, dict):
        return {key: _shapes_as_tensors(part, dtype) for key, part in structure.items()}
    if any(isinstance(part, list | tuple | dict) for part in structure):
        return [_shapes_as_tensors(part, dtype) for part in structure]
    return Tensor(structure, dtype)
