"""Another shape for the same values."""

from math import prod

from dseq.layers.layer import Layer


class Reshape(Layer):
    """Gives each sample another shape; nothing is copied.

    Args:
        target_shape: Shape of one sample; one entry may be -1 and takes what is left.
        **kwargs: `name`, `dtype`, as for every layer.
    """

    def __init__(self, target_shape, **kwargs):
        if isinstance(target_shape, int):
            target_shape = (target_shape,)
        if list(target_shape).count(-1) > 1 or any(n < -1 for n in target_shape):
            raise ValueError(
                "`target_shape` of Reshape must hold sizes, at most one of them -1. "
                f"Received: target_shape={tuple(target_shape)}"
            )
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def _resolve(self, shape):
        if None in shape:
            return tuple(None if n == -1 else n for n in self.target_shape)
        total, known = prod(shape), prod(n for n in self.target_shape if n != -1)
        fits = known == total if -1 not in self.target_shape else known > 0 and total % known == 0
        if not fits:
            raise ValueError(
                f"Reshape must keep the number of values of a sample. Received: input shape {tuple(shape)} and "
                f"target_shape={self.target_shape} in layer {self.name!r}"
            )
        return tuple(total // known if n == -1 else n for n in self.target_shape)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self._resolve(input_shape[1:]))

    def lower(self, plan, x):
        return x.reshape(self._resolve(x.shape))
