"""Run one layer alone, in any float type, and check its gradients.

Example:
    >>> LayerHarness(dseq.layers.Dense(4, "tanh"), (5,)).check_gradients()
"""

import numpy as np

from dseq.layers.core.input_layer import Input
from dseq.program.memory import Parameters
from dseq.program.operand import Operand
from dseq.program.plan import Plan
from dseq.program.step import Step


class LayerHarness:
    """One layer, lowered alone, with random inputs; its weights are randomised too.

    Args:
        layer: A layer whose `dtype` is the float type wanted.
        *input_shapes: Shape of one sample of each input.
        rows: Number of samples.
        seed: Seed of all values.
        runner: `"table"`, `"calls"` or `"python"`.
        training: Whether the layer behaves as in training.
        scale: Standard deviation of inputs and weights.
        overwrites: Whether gradients that nothing was added to before are written, as in training; else all calls add.
    """

    def __init__(
        self, layer, *input_shapes, rows=3, seed=0, runner="table", training=True, scale=1.0, overwrites=False
    ):
        self.layer = layer
        self.rng = np.random.default_rng(seed)
        layer(*(Input(shape, dtype=layer.dtype) for shape in input_shapes))
        for variable in layer.variables:
            variable.assign(scale * self.rng.standard_normal(variable.shape))
        self.plan = plan = Plan(training, layer.dtype, layer.trainable_variables)
        plan.overwrites = overwrites
        self.inputs = [plan.input(f"x{i}", shape) for i, shape in enumerate(input_shapes)]
        for operand in self.inputs:
            operand.grad = Operand(f"d {operand}", operand.shape, "activation_grads", operand.dtype)
            plan.blocks.append(operand.grad)
        self.outputs = layer.lower_into(plan, self.inputs)
        plan.give(self.outputs[0].grad)
        frozen = [v for v in layer.variables if id(v) not in plan.gradients]
        self.parameters = Parameters(layer.trainable_variables, frozen, plan.tail_size, plan.dtype)
        self.step = Step(plan, self.parameters, runner)
        self.step.clock[:3] = 17, 3, 0
        self.resize(rows, scale)

    def resize(self, rows, scale=1.0) -> None:
        """Binds for another number of rows and draws new inputs."""
        self.step.bind(rows)
        for operand in self.inputs:
            self.step.array(operand)[...] = scale * self.rng.standard_normal((rows, *operand.shape))

    def array(self, operand) -> np.ndarray:
        """The memory of an operand."""
        return self.step.array(operand)

    def forward(self) -> np.ndarray:
        """Runs the forward pass; returns a copy of the first output."""
        self.step.forward()
        return self.array(self.outputs[0]).copy()

    def backward(self, dy) -> None:
        """Runs the backward pass for a gradient of the first output; all gradients begin at zero."""
        self.parameters.grads.fill(0)
        self.step._grads.fill(0)
        self.array(self.outputs[0].grad)[...] = dy
        self.repeat_backward()

    def repeat_backward(self) -> None:
        """Runs the backward pass on the gradients of inputs, weights and output as they are."""
        kept = [operand.grad.block for operand in [*self.inputs, self.outputs[0]]]
        for block in self.plan.blocks:
            if block.arena == "activation_grads" and block not in kept:
                self.array(block)[...] = 0
        self.step.backward()

    def check_gradients(self, epsilon=1e-6, rtol=1e-6, atol=1e-7) -> None:
        """Compares d(y . dy) along one random direction per input and weight with central differences.

        Raises:
            AssertionError: If they differ.
        """
        dy = self.rng.standard_normal(self.forward().shape)
        self.backward(dy)
        for operand in [*self.inputs, *self.layer.trainable_variables]:
            x = self.array(operand) if operand.per_row else operand.array
            gradient = self.array(operand.grad or self.plan.gradients[id(operand)]).copy()
            direction = self.rng.standard_normal(x.shape)
            kept = x.copy()
            x[...] = kept + epsilon * direction
            above = (self.forward() * dy).sum()
            x[...] = kept - epsilon * direction
            below = (self.forward() * dy).sum()
            x[...] = kept
            expected = (above - below) / (2 * epsilon)
            np.testing.assert_allclose((gradient * direction).sum(), expected, rtol, atol, err_msg=str(operand))
