"""What transposed convolutions share."""

from math import prod

from dseq import activations, constraints, initializers, regularizers
from dseq.kernels.conv import (
    conv_backward_input,
    conv_backward_kernel,
    conv_transpose_kernel,
    conv_write_input,
    conv_write_kernel,
)
from dseq.kernels.dense import dense_backward_bias
from dseq.kernels.transposed import (
    crop_backward,
    crop_forward,
    spread_forward,
    transposed_backward_input,
    transposed_write_input,
)
from dseq.layers.convolutional.geometry import data_format as data_format_of
from dseq.layers.convolutional.geometry import (
    full,
    image,
    join,
    known_channels,
    numbers,
    padding_of,
    positive,
    split,
    transposed_size,
    transposed_start,
)
from dseq.layers.layer import Layer
from dseq.layers.reshaping.permute import permuted
from dseq.program.operand import matrix


class BaseConvTranspose(Layer):
    """A transposed convolution of images of `rank` dimensions: the input gradient of a convolution, used as a layer.

    Each pixel of the input adds the kernel, times its value, to a window of the output.

    Args:
        rank: 1, 2 or 3.
        filters: Positive integer, channels of the output.
        kernel_size: Integer or tuple of `rank` integers.
        strides: The same: steps of the output for one step of the input.
        padding: `"valid"` or `"same"`.
        output_padding: Integer or tuple of `rank` integers below the strides, or None for the size that follows from
            the others.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        dilation_rate: Integer or tuple: steps between the taps of a window.
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
        output_padding=None,
        data_format=None,
        dilation_rate=1,
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
        filters, padding = positive(filters, "filters", kind), padding_of(padding, kind)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.rank = rank
        self.filters = filters
        self.kernel_size = numbers(kernel_size, rank, "kernel_size")
        self.strides = numbers(strides, rank, "strides")
        self.padding = padding
        self.output_padding = None if output_padding is None else numbers(output_padding, rank, "output_padding", 0)
        self.data_format = data_format_of(data_format)
        self.dilation_rate = numbers(dilation_rate, rank, "dilation_rate")
        if any(more >= stride for more, stride in zip(self.output_padding or (), self.strides, strict=False)):
            raise ValueError(
                "`output_padding` must be strictly less than `strides` for all dimensions. Received: output_padding="
                f"{self.output_padding}, strides={self.strides} in {self.name!r}"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: strides="
                f"{self.strides} and dilation_rate={self.dilation_rate} in {self.name!r}"
            )
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
        self.compute_output_shape(input_shape)
        self.kernel = self.add_weight(
            (*self.kernel_size, self.filters, channels),
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

    def _windows(self):
        more = self.output_padding or (None,) * self.rank
        paddings = (self.padding,) * self.rank
        return list(zip(self.kernel_size, self.strides, self.dilation_rate, paddings, more, strict=True))

    def compute_output_shape(self, input_shape):
        sizes, channels = split(input_shape, self.data_format)
        found = tuple(transposed_size(n, *axis) for n, axis in zip(sizes, self._windows(), strict=True))
        if any(n is not None and n <= 0 for n in found):
            raise ValueError(
                f"Computed output size would be zero or negative. Received `inputs shape={tuple(input_shape)}`, "
                f"`kernel shape={(*self.kernel_size, self.filters, channels)}`, "
                f"`output_padding={self.output_padding}` in {self.name!r}."
            )
        return join(input_shape[0], found, self.filters, self.data_format)

    def lower(self, plan, x):
        first = self.data_format == "channels_first"
        if first:
            x = permuted(plan, x, (*range(2, self.rank + 2), 1))
        y = self._convolve(plan, x)
        y = activations.lower(plan, self.activation, y)
        return permuted(plan, y, (self.rank + 1, *range(1, self.rank + 1))) if first else y

    def _convolve(self, plan, x):
        *sizes, channels = x.shape
        windows = self._windows()
        outputs = [transposed_size(n, *axis) for n, axis in zip(sizes, windows, strict=True)]
        before = [transposed_start(*axis) for axis in windows]
        reached = [
            max((n - 1) * stride + (window - 1) * dilation + 1, start + output)
            for n, (window, stride, dilation, *_), start, output in zip(sizes, windows, before, outputs, strict=True)
        ]
        y = plan.value("y", (*outputs, self.filters))
        whole = y if reached == outputs else plan.value("whole", (*reached, self.filters))
        w, b = image(self.kernel, 2), self.bias
        turned = plan.value("turned", (prod(self.kernel_size) * channels, self.filters), plan.dtype, True)
        turned = turned.reshape((*w.shape[:3], channels, self.filters))
        how = *full(self.strides), *full(self.dilation_rate)
        plan.forward(conv_transpose_kernel, turned, w)
        if b is not None:
            plan.forward(spread_forward, matrix(whole), b)
        kernel = conv_write_input if b is None else conv_backward_input
        plan.forward(kernel, image(whole), image(x), turned, *how, 1, 0, 0, 0)
        if x.grad is not None:
            spare = plan.value("spare", x.shape, plan.dtype)
            plan.backward(
                transposed_backward_input, image(x.grad), image(whole.grad), w, *how, image(spare),
                first=transposed_write_input,
            )  # fmt: skip
        plan.backward(conv_backward_kernel, w.grad, image(whole.grad), image(x), *how, 1, first=conv_write_kernel)
        if whole is not y:
            start = full(before, 0)
            plan.forward(crop_forward, image(y), image(whole), *start)
            plan.backward(crop_backward, image(whole.grad), image(y.grad), *start)
        plan.backward(dense_backward_bias, None if b is None else b.grad, matrix(y.grad))
        return y
