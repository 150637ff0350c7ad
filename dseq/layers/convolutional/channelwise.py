"""A depthwise convolution in a plan: what depthwise and separable layers share."""

from dseq.kernels.dense import dense_backward_bias
from dseq.kernels.depthwise import (
    depthwise_backward_input,
    depthwise_backward_kernel,
    depthwise_forward,
    depthwise_write_input,
    repeat_backward,
    repeat_forward,
)
from dseq.kernels.epilogue import NONE
from dseq.layers.convolutional.geometry import margins, output_size, split
from dseq.program.operand import matrix


def sizes_of(layer, shape, filters):
    """The sizes of the images a layer makes.

    Args:
        layer: A layer with `kernel_size`, `strides`, `dilation_rate`, `padding` and `data_format`.
        shape: The full shape of its input.
        filters: Channels of its output, for the message.

    Raises:
        ValueError: If no window fits into the images.
    """
    sizes, channels = split(shape, layer.data_format)
    axes = zip(sizes, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    found = tuple(output_size(*axis, layer.padding) for axis in axes)
    if any(n is not None and n <= 0 for n in found):
        raise ValueError(
            f"Computed output size would be zero or negative. Received `inputs shape={tuple(shape)}`, `kernel "
            f"shape={(*layer.kernel_size, channels, filters)}`, `dilation_rate={list(layer.dilation_rate)}`, "
            f"`strides={layer.strides}`, `padding={layer.padding}` in {layer.name!r}."
        )
    return found


def plane(operand, channels_behind=1):
    """An operand whose samples are images of one or two dimensions, seen with two; None stays None."""
    if operand is None:
        return None
    rank = len(operand.shape) - channels_behind
    return operand.reshape((1,) * (2 - rank) + tuple(operand.shape))


def filtered(plan, x, kernel, bias, layer):
    """Writes a depthwise convolution into a plan.

    Args:
        plan: The plan.
        x: Operand of images, channels last.
        kernel: Weight of shape `(*kernel_size, channels, multiplier)`.
        bias: Weight of shape `(channels * multiplier,)`, or None.
        layer: The layer, with `kernel_size`, `strides`, `dilation_rate` and `padding`.

    Returns:
        Operand of the result, of `channels * multiplier` channels.
    """
    *sizes, channels = x.shape
    multiplier = kernel.shape[-1]
    if multiplier > 1:
        repeated = plan.value("repeated", (*sizes, channels * multiplier))
        plan.forward(repeat_forward, matrix(repeated), matrix(x))
        plan.backward(repeat_backward, matrix(x.grad), matrix(repeated.grad))
        x, channels = repeated, channels * multiplier
    axes = list(zip(sizes, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True))
    y = plan.value("y", (*(output_size(*axis, layer.padding) for axis in axes), channels))
    missing = 2 - len(axes)
    before = (0,) * missing + tuple(margins(*axis, layer.padding)[0] for axis in axes)
    how = (1,) * missing + layer.strides + (1,) * missing + layer.dilation_rate + before
    weights = kernel.reshape((1,) * missing + (*layer.kernel_size, channels))
    plan.forward(depthwise_forward, plane(y), plane(x), weights, bias, *how, NONE)
    plan.backward(depthwise_backward_input, plane(x.grad), plane(y.grad), weights, *how, first=depthwise_write_input)
    plan.backward(depthwise_backward_kernel, weights.grad, plane(x), plane(y.grad), *how)
    plan.backward(dense_backward_bias, None if bias is None else bias.grad, matrix(y.grad))
    return y
