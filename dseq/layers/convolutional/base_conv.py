"""What all convolutions share."""

from math import prod

from dseq import activations, constraints, initializers, regularizers
from dseq.kernels.conv import (
    conv_backward_input,
    conv_backward_kernel,
    conv_forward,
    conv_transpose_kernel,
    conv_write_input,
    conv_write_kernel,
    pad_forward,
)
from dseq.kernels.dense import dense_backward_bias
from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.convolutional.geometry import (
    full,
    image,
    join,
    known_channels,
    margins,
    numbers,
    output_size,
    padding_of,
    positive,
    split,
)
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted
from dseq.program.operand import matrix


class BaseConv(Layer):
    """A convolution (cross-correlation) of images of `rank` dimensions.

    Args:
        rank: 1, 2 or 3.
        filters: Positive integer, channels of the output.
        kernel_size: Integer or tuple of `rank` integers.
        strides: The same.
        padding: `"valid"`, `"same"`, or in one dimension `"causal"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer or tuple: steps between the taps of a window.
        groups: Channels are cut into so many groups, each with filters of its own.
        activation: Name of an activation, an activation, or None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the bias, or None.
        activity_regularizer: Regularizer of the output, or None.
        kernel_constraint: Constraint of the kernel, or None.
        bias_constraint: Constraint of the bias, or None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.
    """

    def __init__(
        self,
        rank,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        kind = type(self).__name__
        filters, groups = positive(filters, "filters", kind), positive(groups, "groups", kind)
        if filters % groups:
            raise ValueError(
                f"The number of filters of {kind} must be evenly divisible by the number of groups. "
                f"Received: groups={groups}, filters={filters}."
            )
        padding = padding_of(padding, kind, ("valid", "same", "causal") if rank == 1 else ("valid", "same"))
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.rank = rank
        self.filters = filters
        self.kernel_size = numbers(kernel_size, rank, "kernel_size")
        self.strides = numbers(strides, rank, "strides")
        self.padding = padding
        self.data_format = data_format_of(data_format)
        self.dilation_rate = numbers(dilation_rate, rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: strides="
                f"{self.strides} and dilation_rate={self.dilation_rate} in {self.name!r}"
            )
        self.groups = groups
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel = self.bias = None
        self.require(ndim=rank + 2)

    def build(self, input_shape):
        self.check_input(input_shape)
        channels = known_channels(input_shape, self.data_format, self.name)
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. "
                f"Received: groups={self.groups}, input_channels={channels} (input_shape={tuple(input_shape)}) in "
                f"{self.name!r}."
            )
        self._output_sizes(input_shape, channels)
        self.kernel = self.add_weight(
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.filters,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.require(ndim=self.rank + 2, axes={1 if self.data_format == "channels_first" else -1: channels})

    def _windows(self, sizes):
        return zip(sizes, self.kernel_size, self.strides, self.dilation_rate, strict=True)

    def _output_sizes(self, shape, channels):
        sizes = split(shape, self.data_format)[0]
        found = tuple(output_size(*axis, self.padding) for axis in self._windows(sizes))
        if any(n is not None and n <= 0 for n in found):
            kernel_shape = (*self.kernel_size, channels, self.filters)
            raise ValueError(
                f"Computed output size would be zero or negative. Received `inputs shape={tuple(shape)}`, `kernel "
                f"shape={kernel_shape}`, `dilation_rate={list(self.dilation_rate)}` in {self.name!r}."
            )
        return found

    def compute_output_shape(self, input_shape):
        channels = split(input_shape, self.data_format)[1]
        return join(input_shape[0], self._output_sizes(input_shape, channels), self.filters, self.data_format)

    def lower(self, plan, x):
        first = self.data_format == "channels_first"
        if first:
            x = permuted(plan, x, (*range(2, self.rank + 2), 1))
        y = self._convolve(plan, x)
        y = activations.lower(plan, self.activation, y)
        return permuted(plan, y, (self.rank + 1, *range(1, self.rank + 1))) if first else y

    def _convolve(self, plan, x):
        *sizes, channels = x.shape
        outputs = [output_size(*axis, self.padding) for axis in self._windows(sizes)]
        sides = [margins(*axis, self.padding) for axis in self._windows(sizes)]
        before = full([first for first, _ in sides], 0)
        padded = x
        if any(map(sum, sides)):
            shape = [n + sum(two) for n, two in zip(sizes, sides, strict=True)]
            padded = plan.value("padded", (*shape, channels), plan.dtype)
            plan.forward(pad_forward, image(padded), image(x), *before)
        y = plan.value("y", (*outputs, self.filters))
        w, b = image(self.kernel, 2), self.bias
        how = *full(self.strides), *full(self.dilation_rate), self.groups
        plan.forward(conv_forward, image(y), image(padded), w, b, *how, 0)
        if x.grad is not None:
            turned = plan.value(
                "turned", (prod(self.kernel_size) * self.filters, channels // self.groups), plan.dtype, True
            )
            turned.brief = True
            turned = turned.reshape((*w.shape[:3], self.filters, channels // self.groups))
            where = *how, *before
            plan.backward(conv_backward_input, image(x.grad), image(y.grad), turned, *where, first=conv_write_input)
            plan.backward(conv_transpose_kernel, turned, w)
        plan.backward(conv_backward_kernel, w.grad, image(padded), image(y.grad), *how, first=conv_write_kernel)
        plan.backward(dense_backward_bias, None if b is None else b.grad, matrix(y.grad))
        return y
