"""Penalties on sums of absolute values and of squares."""

import numpy as np

from dseq.kernels.regularizer import (
    l1l2_activity_backward,
    l1l2_activity_forward,
    l1l2_weight_backward,
    l1l2_weight_forward,
    l1l2_weight_write,
)
from dseq.program.operand import flat
from dseq.program.tensor import Tensor
from dseq.regularizers.regularizer import Regularizer, factor


class L1L2(Regularizer):
    """The penalty `l1 * sum(abs(x)) + l2 * sum(square(x))`.

    The name `"l1_l2"` stands for both factors 0.01, as Keras' documentation has it; `"L1L2"` for this class' defaults.

    Args:
        l1: Factor of the sum of absolute values, >= 0.
        l2: Factor of the sum of squares, >= 0.

    Raises:
        ValueError: If a factor is not a finite number >= 0.

    Example:
        >>> float(L1L2(0.1, 0.2)(np.array([1.0, -2.0])))
        1.3
    """

    def __init__(self, l1=0.0, l2=0.0):
        self.l1 = factor(0.0 if l1 is None else l1, "l1")
        self.l2 = factor(0.0 if l2 is None else l2, "l2")

    def _factors(self):
        return self.l1, self.l2

    def __call__(self, x):
        l1, l2 = self._factors()
        if isinstance(x, Tensor):
            from dseq import ops

            terms = [l1 * ops.sum(ops.abs(x))] if l1 else []
            return sum(terms + [l2 * ops.sum(ops.square(x))] if l2 else terms)
        x = np.asarray(x)
        return x.dtype.type(l1 * np.abs(x).sum() + l2 * np.square(x).sum()) if x.size else x.dtype.type(0)

    def get_config(self):
        return {"l1": self.l1, "l2": self.l2}

    def lower(self, plan, variable):
        factors = self._constants(plan)
        total = factors and plan.penalty(f"{variable.label} penalty")
        if total is not None:
            plan.forward(l1l2_weight_forward, total, flat(variable), *factors, plan.clock)
            parts = flat(variable.grad), flat(variable), *factors, plan.clock
            plan.backward(l1l2_weight_backward, *parts, first=l1l2_weight_write)

    def lower_activity(self, plan, y):
        factors = self._constants(plan)
        total = factors and plan.penalty(f"{y.label} penalty", per_sample=True)
        if total is not None:
            rows = y.reshape((y.size,))
            plan.forward(l1l2_activity_forward, total, rows, *factors)
            plan.backward(l1l2_activity_backward, flat(y.grad), flat(y), *factors, plan.per_row_scale())

    def _constants(self, plan):
        """The factors as operands, None if both are 0."""
        factors = self._factors()
        return [plan.constant(k, "float64") for k in factors] if any(factors) else None


class L1(L1L2):
    """The penalty `l1 * sum(abs(x))`.

    Args:
        l1: Factor, >= 0.

    Raises:
        ValueError: If it is not a finite number >= 0.
    """

    def __init__(self, l1=0.01):
        self.l1 = factor(0.01 if l1 is None else l1, "l1")

    def _factors(self):
        return self.l1, 0.0

    def get_config(self):
        return {"l1": self.l1}


class L2(L1L2):
    """The penalty `l2 * sum(square(x))`; there is no factor 1/2.

    Args:
        l2: Factor, >= 0.

    Raises:
        ValueError: If it is not a finite number >= 0.
    """

    def __init__(self, l2=0.01):
        self.l2 = factor(0.01 if l2 is None else l2, "l2")

    def _factors(self):
        return 0.0, self.l2

    def get_config(self):
        return {"l2": self.l2}
