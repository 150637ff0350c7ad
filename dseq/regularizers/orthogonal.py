"""A penalty on rows or columns that are not orthogonal."""

import numpy as np

from dseq.kernels.regularizer import (
    column_products,
    off_diagonal_signs,
    orthogonal_columns_backward,
    orthogonal_forward,
    orthogonal_rows_backward,
    row_products,
    unit_columns,
    unit_rows,
)
from dseq.regularizers.regularizer import Regularizer, factor


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean of the absolute cosines between the rows of a matrix, or its columns.

    Args:
        factor: Factor of the penalty, >= 0.
        mode: `"rows"` or `"columns"`.

    Raises:
        ValueError: If an argument is not one of these, or the weight is not a matrix.

    Example:
        >>> round(float(OrthogonalRegularizer(1.0)(np.array([[3.0, 0.0], [1.0, 1.0]]))), 4)
        0.7071
    """

    def __init__(self, factor=0.01, mode="rows"):
        self.factor = _factor(factor, "factor")
        if mode not in ("rows", "columns"):
            raise ValueError(
                f'Invalid value for argument `mode`. Expected one of {{"rows", "columns"}}. Received: mode={mode}'
            )
        self.mode = mode

    def _check(self, shape):
        if len(shape) != 2:
            raise ValueError(f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={shape}")

    def _pairs(self, shape):
        size = shape[0 if self.mode == "rows" else 1]
        return size * (size - 1) / 2

    def __call__(self, x):
        x = np.asarray(x)
        self._check(x.shape)
        axis = 1 if self.mode == "rows" else 0
        with np.errstate(divide="ignore"):
            unit = x * np.minimum(1 / np.sqrt(np.square(x).sum(axis, keepdims=True)), 1e7)
        products = np.abs(unit @ unit.T if axis else unit.T @ unit)
        return x.dtype.type(self.factor * 0.5 * (products.sum() - np.trace(products)) / self._pairs(x.shape))

    def get_config(self):
        return {"factor": self.factor, "mode": self.mode}

    def lower(self, plan, variable):
        self._check(variable.shape)
        total = plan.penalty(f"{variable.label} penalty")
        if total is None:
            return
        rows = self.mode == "rows"
        count = variable.shape[0 if rows else 1]
        unit = plan.value("unit", variable.shape, plan.dtype, shared=True)
        inverse = plan.value("inverse", (count,), "float64", shared=True)
        products = plan.value("products", (count, count), plan.dtype, shared=True)
        share = plan.constant(self.factor * 0.5 / self._pairs(variable.shape), "float64")
        plan.forward(unit_rows if rows else unit_columns, unit, inverse, variable)
        plan.forward(row_products if rows else column_products, products, unit)
        plan.forward(orthogonal_forward, total, products, share, plan.clock)
        if variable.grad is not None:
            pull = plan.value("pull", variable.shape, plan.dtype, shared=True)
            signs = plan.value("signs", (count, count), plan.dtype, shared=True)
            plan.forward(off_diagonal_signs, signs, products)
            backward = orthogonal_rows_backward if rows else orthogonal_columns_backward
            plan.backward(backward, variable.grad, pull, signs, unit, inverse, share, plan.clock)

    def lower_activity(self, plan, y):
        raise ValueError(
            "OrthogonalRegularizer compares rows or columns of a weight; as `activity_regularizer` it would compare "
            f"the samples of a batch, which lie on several ranks. Received: it for {y.label}. Use it on weights."
        )


_factor = factor
