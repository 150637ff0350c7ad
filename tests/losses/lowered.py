"""One loss alone in a plan, behind an activation or not, as a model's step would run it."""

import numpy as np

from dseq import activations
from dseq.program.memory import Parameters
from dseq.program.operand import Operand, flat
from dseq.program.plan import PER_ROW_SCALE, Plan
from dseq.program.step import Step


class LoweredLoss:
    """A loss behind an activation.

    Args:
        loss: The loss.
        y_true_shape: Shape of one sample's labels.
        x_shape: Shape of one sample of what the activation is applied to.
        activation: Name of the activation, or None.
        weighted: Whether values are weighted.
        dtype: Float type.
        runner: `"table"`, `"calls"` or `"python"`.
        mask: Whether the predictions have a mask of their first axis.
    """

    def __init__(
        self,
        loss,
        y_true_shape,
        x_shape,
        activation=None,
        weighted=False,
        dtype="float64",
        runner="table",
        mask=False,
    ):
        self.plan = plan = Plan(training=True, dtype=dtype)
        self.x = plan.input("x", x_shape)
        self.x.grad = Operand("d x", x_shape, "activation_grads", dtype)
        plan.blocks.append(self.x.grad)
        before = plan.enter("net", [], [self.x])
        y_pred = activations.lower(plan, activations.get(activation), self.x)
        plan.leave(before)
        labels = plan.input("y_true", *loss.target(y_true_shape, x_shape))
        if mask:
            y_pred.mask = plan.input("mask", x_shape[:1], "uint8")
        self.values = loss.values_per_sample(x_shape)
        weight = plan.input("weight", (self.values,)) if weighted else None
        self.total = plan.sums("total")
        loss.lower(plan, labels, y_pred, flat(weight), self.total, plan.scale("scale"))
        self.step = Step(plan, Parameters([], [], plan.tail_size, dtype), runner)

    def run(self, y_true, x, weight=None, scale=1.0, mask=None):
        """The weighted sum of the values, and the gradient by x."""
        self.step.bind(len(x))
        self.step.input("x")[...] = x
        self.step.input("y_true")[...] = np.reshape(y_true, self.step.input("y_true").shape)
        if weight is not None:
            self.step.input("weight")[...] = np.reshape(weight, (len(x), self.values))
        if mask is not None:
            self.step.input("mask")[...] = mask
        self.step.set_scale("scale", scale)
        if PER_ROW_SCALE in self.plan.scales:
            self.step.set_scale(PER_ROW_SCALE, 1 / max(len(x), 1))
        self.step.compute()
        return float(self.step.tail[self.total.start]), self.step.array(self.x.grad).copy()

    @property
    def faults(self):
        """How many labels were no class."""
        return sum(float(self.step.tail[operand.start]) for operand, _ in self.plan.faults)

    @property
    def kernels(self):
        """Names of the kernels the step calls."""
        return [kernel.__name__ for kernel, _ in self.plan.calls()]
