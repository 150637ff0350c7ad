"""Elements by place: Python's brackets, and indices that are constants or data."""

import numpy as np

from dseq.ops.moving import Moving
from dseq.ops.types import as_array
from dseq.program.tensor import Tensor
from dseq.program.variable import Variable


class GetItem(Moving):
    """Elements by Python's brackets."""

    function_name = "get_item"

    @staticmethod
    def data(args):
        return [args[0]]

    @staticmethod
    def compute(x, key):
        return as_array(x)[_key(key)]

    def __call__(self, x, key):
        self.key = _key(key)
        if any(isinstance(part, Tensor | Variable) for part in self._parts()):
            raise self.error(
                "brackets take integers, slices, None, `...` and arrays.",
                f"key={key!r}",
                "Use `dseq.ops.take` or `take_along_axis` for indices that are data.",
                TypeError,
            )
        return super().__call__(x, key)

    def _parts(self):
        return self.key if isinstance(self.key, tuple) else (self.key,)

    def check(self, x):
        if x.shared:
            return
        first = self._parts()[0] if self._parts() else Ellipsis
        whole = first is Ellipsis or (isinstance(first, slice) and first == slice(None))
        if not whole:
            raise self.error(
                "the first index must be `:`, since the samples lie on several ranks.", f"key={self.key!r}"
            )

    def shape_of(self, x):
        try:
            if None in x.shape[1:]:
                return self._unknown(x)
            return super().shape_of(x)
        except IndexError as error:
            raise self.error(f"{error}.", f"key={self.key!r} for shape {x.shape}", kind=IndexError) from None

    def _unknown(self, x):
        """The shape where sizes are not known, which whole slices pass on."""
        self.check(x)
        parts = self._parts()
        fixed = sum(part is not None and part is not Ellipsis for part in parts)
        whole = (slice(None),) * (x.ndim - fixed)
        at = next((i for i, part in enumerate(parts) if part is Ellipsis), None)
        parts = (*parts, *whole) if at is None else (*parts[:at], *whole, *parts[at + 1 :])
        sizes, axis = [], 0
        for part in parts:
            if part is None:
                sizes.append(1)
                continue
            size = x.shape[axis]
            axis += 1
            if isinstance(part, slice):
                known = part == slice(None) or size is not None
                sizes.append(len(range(size)[part]) if size is not None else None if known else None)
            elif not isinstance(part, int | np.integer):
                raise self.error("all sizes but that of the batch must be known.", f"shape {x.shape}")
        return tuple(sizes)

    def move(self, array):
        return array[self.key]


def _key(key):
    """A key as NumPy takes it: lists that files made of tuples are tuples again."""
    if isinstance(key, list) and any(part is None or part is Ellipsis or isinstance(part, slice) for part in key):
        return tuple(key)
    return key


def get_item(x, key):
    """`x[key]`

    Args:
        x: Tensor, variable or array.
        key: Integers, slices, None, `...`, arrays, or a tuple of such. The batch axis takes `:` only.
    """
    return GetItem.apply(x, key)
