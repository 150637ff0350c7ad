"""Predictions whose vectors do not lie along the last axis, brought into that form."""

from math import prod

from dseq.kernels.reshape import transpose_backward, transpose_forward
from dseq.program.operand import Operand, flat

MOST_AXES = 4  # that the kernel can walk; axes that stay together count as one


def sample_axis(name, axis, y_pred_shape) -> int:
    """The place of an axis in one sample's shape.

    Args:
        name: Whose axis it is, for the message.
        axis: The axis as users count it, samples being axis 0.
        y_pred_shape: Shape of one sample's predictions.

    Raises:
        ValueError: If it is no axis, or the one of the samples.
    """
    rank = len(y_pred_shape) + 1
    whole = isinstance(axis, int) and not isinstance(axis, bool)
    if whole and -rank < axis < rank and axis % rank != 0:
        return axis % rank - 1
    raise ValueError(
        f"`axis` of {name} must be an axis of the predictions other than the one of samples, which is 0. Received: "
        f"axis={axis!r} for predictions of shape {(None, *y_pred_shape)}"
    )


def without(shape, axis) -> tuple:
    """A shape without one axis."""
    return (*shape[:axis], *shape[axis + 1 :])


def last(plan, x, axes, name="moved"):
    """An operand with some axes moved behind the others, which keep their order; the gradient is moved back.

    Args:
        plan: The plan.
        x: Operand.
        axes: The axes that become the last ones, places in one sample's shape.
        name: What listings call the result.

    Returns:
        The operand, `x` itself if the axes are the last ones already.

    Raises:
        ValueError: If the axes are too scattered.
    """
    kept = [a for a in range(len(x.shape)) if a not in axes]
    order = [*kept, *sorted(axes)]
    if order == list(range(len(x.shape))):
        return x
    runs = []
    for a in order:  # neighbours before and after are one axis to the kernel
        if runs and runs[-1][-1] + 1 == a:
            runs[-1].append(a)
        else:
            runs.append([a])
    if len(runs) > MOST_AXES:
        raise ValueError(f"`axis` may not pick axes from between so many others. Received: axes {order} of {x.shape}")
    sizes = [prod(x.shape[a] for a in run) for run in runs]
    strides = [prod(x.shape[run[-1] + 1 :]) for run in runs]
    missing = MOST_AXES - len(runs)
    layout = [1] * missing + sizes + [0] * missing + strides
    y = plan.value(name, [x.shape[a] for a in order], x.dtype)
    plan.forward(transpose_forward, flat(y), flat(x), *layout)
    if x.grad is not None:
        y.grad = gradient_of(plan, y)
        plan.backward(transpose_backward, flat(x.grad), flat(y.grad), *layout)
    y.mask = x.mask
    return y


def gradient_of(plan, operand):
    """A new block for the gradient of a value that a loss makes of predictions."""
    grad = Operand(f"d {operand.label}", operand.shape, "activation_grads", operand.dtype, operand.rows_per_sample)
    plan.blocks.append(grad)
    return grad
