"""The base of every model: a layer that can be trained, saved and shown."""

import copy

from dseq.layers.layer import Layer
from dseq.models import facts, summary
from dseq.parallel import communicator
from dseq.saving import weights as weights_file
from dseq.training.trainer import Trainer


class Model(Trainer, Layer):
    """A graph of layers with training and saving.

    `Model(inputs, outputs)` makes a functional model of symbolic tensors; `Sequential` makes one of a list.

    Args:
        inputs: Symbolic tensor, or a list of them.
        outputs: Symbolic tensor, or a list of them.
        name: Name of the model.

    Example:
        >>> x = dseq.Input((8,))
        >>> model = dseq.Model(x, dseq.layers.Dense(3)(x))
        >>> model.count_params()
        27
    """

    def __new__(cls, *args, **kwargs):
        from dseq.models.functional import Functional
        from dseq.models.sequential import Sequential

        if cls is Model:
            cls = Functional
        if not issubclass(cls, Functional | Sequential) or hasattr(cls, "call"):
            raise ValueError(
                "Models written as subclasses are not supported yet; use Sequential or Model(inputs, outputs). "
                f"Received: class {cls.__name__}"
            )
        return super().__new__(cls, *args, **kwargs)

    def __getstate__(self):
        state = super().__getstate__() | {"_sessions": {}}
        if self._compiled is not None:  # what was resolved is known by the ids of losses and metrics
            state["_compiled"] = copy.copy(self._compiled)
            state["_compiled"].outputs, state["_compiled"]._resolved = [], {}
        return state

    # The graph.

    @property
    def layers(self) -> list:
        """The layers of the model."""
        return []

    @layers.setter
    def layers(self, value):
        raise AttributeError("`Model.layers` cannot be set; use `Sequential.add` and `pop`, or make another model.")

    def _sublayers(self):
        return [(layer.name, layer) for layer in self.layers]

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
        if communicator.get().rank == 0:
            summary.print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

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
        world = communicator.get()
        with world.section("save_weights"):
            world.agree("save_weights", [("filepath", str(filepath))])
            world.share_outcome(lambda: weights_file.write(filepath, self, overwrite=overwrite))

    def load_weights(self, filepath, skip_mismatch=False) -> None:
        """Reads weights that dseq or Keras 3 wrote, and the optimizer's variables if compiled.

        All ranks call it; rank 0 reads, the others receive.

        Args:
            filepath: Path of a `.weights.h5` file.
            skip_mismatch: Whether layers that do not fit keep their weights, with a warning, instead of an error.

        Raises:
            ValueError: If the file does not fit the model; OSError: if it cannot be read. Nothing is changed then.
        """
        weights_file.check_path(filepath)
        self._require_built("loading")
        self._build_optimizer()
        world = communicator.get()
        with world.section("load_weights"):
            world.agree("load_weights", [("filepath", str(filepath))])
            tree = world.share_outcome(lambda: weights_file.read(filepath))
            quiet = None if world.rank == 0 else lambda message: None  # one warning, not one for each rank
            weights_file.assign(tree, self, skip_mismatch=skip_mismatch, warn=quiet)

    def _require_built(self, what):
        if not self.built:
            verb = {"saving": "You are saving a model", "loading": "You are loading weights into a model"}[what]
            raise ValueError(
                f"{verb} that has not yet been built. Model {self.name!r}: build it first by calling it on some data, "
                f"by `build(input_shape)`, or by an `Input` as its first layer."
            )
