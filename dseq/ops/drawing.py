"""Values that come from no tensor: constants with a row for each sample, and random numbers."""

import numpy as np

from dseq.kernels.fill import fill
from dseq.kernels.random import normal, normal_alike, uniform, uniform_alike
from dseq.ops.function import Function, Spec
from dseq.ops.reading import untouched
from dseq.ops.types import standard
from dseq.program.floatx import floatx
from dseq.program.operand import flat
from dseq.program.tensor import is_tracing

KERNELS = {"uniform": (uniform, uniform_alike), "normal": (normal, normal_alike)}


def is_per_sample(shape) -> bool:
    """Whether a shape begins with a batch axis whose length data will give, as `ops.shape(x)` of a symbolic tensor."""
    return isinstance(shape, list | tuple) and len(shape) > 0 and shape[0] is None


class _Sourceless(Function):
    """A value of a given shape that needs no data; with None as its first size, it has a row for each sample."""

    def __init__(self, **options):
        super().__init__(**options)
        sizes = self.shape[1:] if is_per_sample(self.shape) else self.shape
        whole = all(isinstance(n, int | np.integer) and n >= 0 for n in sizes)
        if not whole or not is_tracing():
            rule = "only the first size may be None, for the batch axis, and only in a layer's `call`."
            raise self.error(rule, f"shape={self.shape}")

    def infer(self):
        shared = not is_per_sample(self.shape)
        return Spec(tuple(self.shape), standard(self.dtype or floatx()), shared)

    def empty(self, plan):
        """The block to write."""
        shared = not is_per_sample(self.shape)
        shape = tuple(self.shape) if shared else tuple(self.shape[1:])
        dtype = standard(self.dtype or floatx())
        return untouched(plan, "y", shape, shared, plan.dtype if np.dtype(dtype).kind == "f" else dtype)


class _Filled(_Sourceless):
    """One value everywhere."""

    defaults = {"shape": (), "value": 0, "dtype": None}
    function_name = "full"

    def write(self, plan):
        y = self.empty(plan)
        plan.forward(fill, flat(y), plan.constant(self.value, y.dtype))
        return y


class _Drawn(_Sourceless):
    """Random numbers, drawn anew in each step; those of a sample depend on its place in the global batch."""

    defaults = {"shape": (), "kind": "uniform", "seed": None, "dtype": None}
    function_name = "random"

    def write(self, plan):
        y = self.empty(plan)
        number = plan.stream()
        if self.seed is not None:  # far above the numbers a plan hands out; several draws of one seed differ
            number = 2**20 + (int(self.seed) * 1_000_003 + number) % 2**30
        for_samples, alike = KERNELS[self.kind]
        if y.per_row:
            plan.forward(for_samples, y.reshape((y.size,)), plan.clock, number)
        else:
            plan.forward(alike, flat(y), plan.clock, number)
        return y


def filled(shape, value, dtype=None):
    """A symbolic tensor of one value with a row for each sample.

    Args:
        shape: Its shape, None first.
        value: A number.
        dtype: Its type; the default float type if None.

    Raises:
        ValueError: If this is not in a layer's `call`, or another size is None.
    """
    return _Filled(shape=tuple(shape), value=value, dtype=dtype)()


def drawn(kind, shape, seed=None, dtype=None):
    """A symbolic tensor of random numbers, for use in a layer's `call`.

    Args:
        kind: `"uniform"` in [0, 1) or `"normal"` with mean 0 and variance 1.
        shape: Its shape; with None first, it has a row for each sample, else it belongs to no sample.
        seed: Integer that picks a stream of numbers, or None.
        dtype: Its type, one of floats; the default float type if None.

    Raises:
        ValueError: If this is not in a layer's `call`, or a size other than the first is None.
    """
    return _Drawn(shape=tuple(shape), kind=kind, seed=seed, dtype=dtype)()
