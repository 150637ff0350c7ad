"""Vectors for integers: a table that is learnt."""

import warnings

import numpy as np

from dseq import constraints, initializers, regularizers
from dseq.kernels.cast import cast_forward
from dseq.kernels.embedding import embedding_backward, embedding_forward, unequal_forward
from dseq.layers.layer import Layer
from dseq.program.operand import flat, matrix


class Embedding(Layer):
    """Turns non-negative integers into vectors of a fixed size: rows of a table.

    Args:
        input_dim: Positive integer, the number of rows: the largest integer is `input_dim - 1`.
        output_dim: Positive integer, the size of the vectors.
        embeddings_initializer: Initializer of the table.
        embeddings_regularizer: Regularizer of the table, or None.
        embeddings_constraint: Constraint of the table, or None.
        mask_zero: Whether 0 marks steps that do not count.
        weights: The table to begin with, an array `(input_dim, output_dim)` or a list of it.
        lora_rank: Must be None.
        lora_alpha: Must be None.
        quantization_config: Must be None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.

    Input shape:
        `(batch, ...)` of integers.

    Output shape:
        `(batch, ..., output_dim)`.

    Raises:
        ValueError: If an integer is none of the table's; on all ranks, before any weight is changed.
    """

    takes_any_type = True

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        weights=None,
        lora_rank=None,
        lora_alpha=None,
        quantization_config=None,
        **kwargs,
    ):
        if kwargs.pop("input_length", None) is not None:
            warnings.warn("Argument `input_length` is deprecated. Just remove it.", stacklevel=2)
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value <= 0:
                raise ValueError(f"`{name}` of Embedding must be a positive integer. Received: {name}={value!r}")
        if lora_rank is not None or lora_alpha is not None or quantization_config is not None:
            raise ValueError(
                "`lora_rank`, `lora_alpha` and `quantization_config` of Embedding must be None. Received: "
                f"{lora_rank!r}, {lora_alpha!r}, {quantization_config!r}"
            )
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.embeddings = None
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list | tuple) else [weights])

    def build(self, input_shape=None):
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.output_dim)

    def lower(self, plan, x):
        ids = flat(self._whole(plan, x))
        y = plan.value("y", (*x.shape, self.output_dim))
        fault = plan.fault(
            f"The integers given to Embedding {self.name!r} must be in the range [0, {self.input_dim}), its "
            "`input_dim`. Received: others."
        )
        plan.forward(embedding_forward, matrix(y), ids, self.embeddings, fault)
        plan.backward(embedding_backward, self.embeddings.grad, matrix(y.grad), ids)
        if self.mask_zero:
            y.mask = plan.value("mask", x.shape, "uint8")
            plan.forward(unequal_forward, flat(y.mask), ids, 0)
        return y

    def _whole(self, plan, x):
        """The input as integers, as Keras casts it."""
        if np.dtype(x.dtype).kind in "iu":
            return x
        ids = plan.value("ids", x.shape, "int32")
        plan.forward(cast_forward, flat(ids), flat(x))
        return ids

    def get_config(self):
        config = super().get_config()
        for name in ("weights", "lora_rank", "lora_alpha", "quantization_config"):
            config.pop(name, None)
        return config
