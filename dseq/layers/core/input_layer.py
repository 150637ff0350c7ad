"""The input of a model."""

import numpy as np

from dseq.layers.layer import Layer
from dseq.program.floatx import floatx
from dseq.program.tensor import Node, Tensor


class InputLayer(Layer):
    """Where data enters a graph.

    Args:
        shape: Shape of one sample: a tuple, or an integer for a vector. None stands for a size that data gives.
        batch_size: Fixed batch size for shapes in listings; any is accepted when running.
        dtype: Type of the data, `dseq.config.floatx()` if None.
        sparse: Must be falsy.
        ragged: Must be falsy.
        batch_shape: Full shape, instead of `shape` and `batch_size`.
        input_tensor: Must be None.
        optional: Must be False.
        name: Name of the input.
    """

    is_input = True

    def __init__(
        self,
        shape=None,
        batch_size=None,
        dtype=None,
        sparse=None,
        ragged=None,
        batch_shape=None,
        input_tensor=None,
        optional=False,
        name=None,
    ):
        if sparse or ragged or optional or input_tensor is not None:
            raise ValueError(
                "`sparse`, `ragged`, `optional` and `input_tensor` of an Input must be left at their defaults. "
                f"Received: sparse={sparse!r}, ragged={ragged!r}, optional={optional!r}, input_tensor={input_tensor!r}"
            )
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                "An Input takes its shape as `shape`, or as `batch_shape` with the batch axis first. "
                f"Received: shape={shape!r}, batch_shape={batch_shape!r}"
            )
        if shape is not None:
            batch_shape = (batch_size, *_standardize(shape))
        elif batch_size is not None:
            raise ValueError(f"`batch_size` cannot be combined with `batch_shape`. Received: batch_size={batch_size!r}")
        super().__init__(name=name)
        self.batch_shape = _standardize(batch_shape)
        self.dtype = np.dtype(dtype or floatx()).name
        self.sparse, self.ragged, self.optional = bool(sparse), bool(ragged), optional
        self.built = True
        Node(self, [], [Tensor(self.batch_shape, self.dtype, name=self.name)])

    def get_config(self):
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self.dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }

    def _record(self, tensors):
        raise ValueError(f"An InputLayer begins a graph and cannot be called. Received: {tensors} for {self.name!r}")


def Input(
    shape=None,
    batch_size=None,
    dtype=None,
    sparse=None,
    ragged=None,
    batch_shape=None,
    name=None,
    tensor=None,
    optional=False,
):
    """A symbolic tensor with which a model begins.

    Args:
        shape: Shape of one sample, without the batch axis; an integer n means `(n,)`.
        batch_size: Batch size shown in listings.
        dtype: Type of the data.
        sparse: Must be falsy.
        ragged: Must be falsy.
        batch_shape: Full shape, instead of `shape` and `batch_size`.
        name: Name of the input.
        tensor: Must be None.
        optional: Must be False.

    Returns:
        A symbolic tensor.

    Example:
        >>> dseq.Input((28, 28)).shape
        (None, 28, 28)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output


def _standardize(shape):
    """A shape as a tuple of positive integers and None; an integer stands for a vector, as older Keras had it."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    valid = isinstance(shape, tuple | list) and all(
        n is None or (isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0) for n in shape
    )
    if not valid:
        raise ValueError(f"Cannot convert {shape!r} to a shape: it must hold integers >= 0 or None.")
    return tuple(None if n is None else int(n) for n in shape)
