"""Functions that repeat, turn and pad: elements from other places."""

import numpy as np

from dseq.ops.arithmetic import multiply
from dseq.ops.drawing import filled, is_per_sample
from dseq.ops.function import is_symbolic
from dseq.ops.moving import Moving
from dseq.ops.types import as_array, type_of


class _AlongAxis(Moving):
    """The base of those whose `axis` must be one of a sample's own."""

    def check(self, x):
        axes = self.axis if isinstance(self.axis, tuple | list) else [self.axis]
        for axis in axes:
            if axis is not None:
                self.axis_of(axis, x)
            elif not x.shared:
                raise self.error(
                    "`axis` must be given for a tensor with a batch axis, whose samples lie on several ranks.",
                    f"axis=None for shape {x.shape}",
                )


class Repeat(_AlongAxis):
    """Each element several times."""

    defaults = {"repeats": None, "axis": None}

    @staticmethod
    def compute(x, repeats, axis):
        return np.repeat(as_array(x), repeats, axis)

    def move(self, array):
        return np.repeat(array, self.repeats, self.axis)


def repeat(x, repeats, axis=None):
    """Each element several times, one beside the other.

    Args:
        x: Tensor, variable or array.
        repeats: How often: a number, or one for each element along the axis.
        axis: The axis; of the flattened array if None. It can't be that of the samples.
    """
    return Repeat.apply(x, repeats=repeats, axis=axis)


class Tile(Moving):
    """The whole several times."""

    defaults = {"repeats": None}

    @staticmethod
    def compute(x, repeats):
        return np.tile(as_array(x), repeats)

    def move(self, array):
        return np.tile(array, self.repeats)


def tile(x, repeats):
    """The whole several times along each axis.

    Args:
        x: Tensor, variable or array.
        repeats: How often for each axis; 1 for that of the samples.
    """
    return Tile.apply(x, repeats=repeats)


class Flip(_AlongAxis):
    """The order of elements turned round."""

    defaults = {"axis": None}

    @staticmethod
    def compute(x, axis):
        return np.flip(as_array(x), axis)

    def move(self, array):
        return np.flip(array, tuple(self.axis) if isinstance(self.axis, list) else self.axis)


def flip(x, axis=None):
    """The order of elements turned round.

    Args:
        x: Tensor, variable or array.
        axis: Axis or axes; all if None. None of them can be that of the samples.
    """
    return Flip.apply(x, axis=axis)


class Roll(_AlongAxis):
    """Elements moved round."""

    defaults = {"shift": None, "axis": None}

    @staticmethod
    def compute(x, shift, axis):
        return np.roll(as_array(x), shift, axis)

    def move(self, array):
        return np.roll(array, self.shift, self.axis)


def roll(x, shift, axis=None):
    """Elements moved along an axis, where those that leave at the end come in at the start.

    Args:
        x: Tensor, variable or array.
        shift: By how many places.
        axis: The axis; of the flattened array if None. It can't be that of the samples.
    """
    return Roll.apply(x, shift=shift, axis=axis)


class Pad(Moving):
    """A border around a tensor."""

    defaults = {"pad_width": None, "mode": "constant"}

    @staticmethod
    def compute(x, pad_width, mode, constant_values=None):
        x = as_array(x)
        more = {"constant_values": constant_values or 0} if mode == "constant" else {}
        return np.pad(x, pad_width, mode, **more)

    @classmethod
    def apply(cls, x, constant_values=None, **options):
        if is_symbolic([x]):
            return cls(**options)(x, constant_values=constant_values)
        return cls.compute(as_array(x), constant_values=constant_values, **options)

    def __call__(self, x, constant_values=None):
        if self.mode != "constant" and constant_values is not None:
            raise self.error("`constant_values` belong to mode 'constant'.", f"{constant_values=}, mode={self.mode!r}")
        if self.mode not in ("constant", "reflect", "symmetric", "edge", "wrap"):
            raise self.error("`mode` must be 'constant', 'reflect' or 'symmetric'.", f"mode={self.mode!r}")
        self.fill = constant_values or 0
        return super().__call__(x, constant_values=constant_values)

    def move(self, array):
        width = self.pad_width
        width = width if isinstance(width, int) else [[w, w] if isinstance(w, int) else list(w) for w in width]
        more = {"constant_values": -1} if self.mode == "constant" else {}
        return np.pad(array, width, self.mode, **more)


def pad(x, pad_width, mode="constant", constant_values=None):
    """A border around a tensor.

    Args:
        x: Tensor, variable or array.
        pad_width: `(before, after)` for each axis, the batch's `(0, 0)`.
        mode: `"constant"`, `"reflect"` or `"symmetric"`.
        constant_values: What a constant border is made of, 0 if None.
    """
    width = pad_width if isinstance(pad_width, int) else [list(w) if not isinstance(w, int) else w for w in pad_width]
    return Pad.apply(x, pad_width=width, mode=mode, constant_values=constant_values)


class BroadcastTo(Moving):
    """A tensor broadcast to a shape."""

    defaults = {"shape": None}
    function_name = "broadcast_to"

    @staticmethod
    def compute(x, shape):
        return np.broadcast_to(as_array(x), shape).copy()

    def check(self, x):
        if not x.shared and (len(self.shape) != x.ndim or self.shape[0] not in (None, -1, x.shape[0])):
            raise self.error(
                "the axis of the samples must stay as it is, with None for its size.",
                f"shape={self.shape} for a tensor of shape {x.shape}",
            )

    def move(self, array):
        shape = tuple(self.shape)
        if shape and shape[0] in (None, -1):
            shape = (1, *shape[1:])
        return np.broadcast_to(array, shape)


def broadcast_to(x, shape):
    """A tensor broadcast to a shape.

    Args:
        x: Tensor, variable or array.
        shape: The full shape; the batch's size is None.
    """
    if is_per_sample(shape) and not is_symbolic([x]):
        return multiply(filled(shape, 1, type_of(as_array(x))), x)  # a constant for each sample
    return BroadcastTo.apply(x, shape=tuple(shape))


class _Triangle(Moving):
    defaults = {"k": 0}
    numpy = None

    @classmethod
    def compute(cls, x, k):
        return cls.numpy(as_array(x), k)

    def check(self, x):
        if x.ndim - (not x.shared) < 2:
            raise self.error("samples must have two axes or more.", f"shape {x.shape}")

    def move(self, array):
        return self.numpy(array + 1, self.k) - 1


class Tril(_Triangle):
    """The lower triangle."""

    numpy = staticmethod(np.tril)


class Triu(_Triangle):
    """The upper triangle."""

    numpy = staticmethod(np.triu)


def tril(x, k=0):
    """Matrices with zeros above a diagonal.

    Args:
        x: Tensor, variable or array; matrices lie along the last two axes.
        k: Which diagonal; 0 is the main one, those above are positive.
    """
    return Tril.apply(x, k=k)


def triu(x, k=0):
    """Matrices with zeros below a diagonal; arguments as for `tril`."""
    return Triu.apply(x, k=k)


class Diagonal(Moving):
    """The diagonals of matrices."""

    defaults = {"offset": 0, "axis1": 0, "axis2": 1}

    @staticmethod
    def compute(x, offset, axis1, axis2):
        return np.diagonal(as_array(x), offset, axis1, axis2).copy()

    def check(self, x):
        self.axis_of(self.axis1, x, "axis1")
        self.axis_of(self.axis2, x, "axis2")

    def move(self, array):
        return np.diagonal(array, self.offset, self.axis1, self.axis2)


def diagonal(x, offset=0, axis1=0, axis2=1):
    """The diagonals of matrices, along a new last axis.

    Args:
        x: Tensor, variable or array.
        offset: Which diagonal; 0 is the main one, those above are positive.
        axis1: The axis of rows; it can't be that of the samples.
        axis2: The axis of columns.
    """
    return Diagonal.apply(x, offset=offset, axis1=axis1, axis2=axis2)


class Diag(Moving):
    """A diagonal matrix, or the diagonal of one."""

    defaults = {"k": 0}

    @staticmethod
    def compute(x, k):
        return np.diag(as_array(x), k)

    def check(self, x):
        if not x.shared:
            raise self.error("there must be no batch axis.", f"shape {x.shape}", "Use `dseq.ops.diagonal`.")

    def move(self, array):
        return np.diag(array + 1, self.k) - 1 if array.ndim == 1 else np.diag(array, self.k)


def diag(x, k=0):
    """The diagonal matrix of a vector, or the diagonal of a matrix, without a batch axis.

    Args:
        x: Tensor, variable or array.
        k: Which diagonal; 0 is the main one, those above are positive.
    """
    return Diag.apply(x, k=k)
