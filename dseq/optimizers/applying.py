"""Updates of single weights, with gradients from wherever: `apply`, and optimizers written in Python."""

import warnings

import numpy as np

from dseq.kernels import clip as kernels
from dseq.optimizers import update
from dseq.optimizers.slots import release
from dseq.optimizers.state import State, unknown
from dseq.program.host import is_host
from dseq.program.variable import Variable


class Applying(State):
    """The part of an optimizer that works on weights one by one."""

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Updates one weight; what an optimizer of your own overrides.

        Args:
            gradient: Its gradient, an array of its shape, clipped.
            variable: The weight, a `Variable`.
            learning_rate: Float.
        """
        part = self._part(variable, np.array(gradient, variable.dtype).reshape(-1))
        part.clip = np.array([1.0, 1.0, np.inf])
        part.hyper = np.array(self.row(self.kind(variable), float(learning_rate), int(self.iterations) + 1))
        if self.decays_apart:
            part.hyper[0] = 0.0
        _run(self.weight_calls(part) if self.whole_weights else self.element_calls(part))

    def _part(self, variable, gradient):
        """A weight and its gradient, wherever they lie; in this rank's own memory."""
        release(self, variable)
        lo, hi = self._layout.span(variable)
        cut = [a if a is None else a[lo:hi] for a in (self._average, self._accumulated)]
        slots = {name: slot[lo:hi] for name, slot in self.slots.items()}
        return self._made(variable.array.reshape(-1), gradient, slots, *cut, self.kind(variable), variable)

    def apply(self, grads, trainable_variables=None) -> None:
        """Makes one step.

        Args:
            grads: List of gradients, arrays; None for a weight that has none and is left alone.
            trainable_variables: Their variables; those the optimizer was built with if None.

        Raises:
            ValueError: If there is no gradient, or they do not belong to the weights the optimizer was built with.
        """
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be built on a list of "
                    "variables. Call `optimizer.build(trainable_variables)` first."
                )
            trainable_variables = self._layout.variables
        variables = list(trainable_variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"There must be one gradient for each variable. Received: {len(grads)} gradients for {len(variables)} "
                "trainable variables."
            )
        if not self.built:
            self.build(variables)
        for variable in variables:
            if variable not in self._layout:
                raise ValueError(unknown(variable))
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        if len(missing) == len(variables):
            raise ValueError("No gradients provided for any variable.")
        if missing:
            warnings.warn(f"Gradients do not exist for variables {missing} when minimizing the loss.", stacklevel=2)
        given = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        parts = []
        for gradient, variable in given:
            copy = np.array(np.broadcast_to(np.asarray(gradient), variable.shape), self._layout.dtype, order="C")
            parts.append(self._part(variable, copy.reshape(-1)))
        self._step(parts, [v for _, v in given])
        for _, variable in given:
            constraint = getattr(variable, "constraint", None)
            if constraint is not None:
                variable.array[...] = constraint(variable.array)

    def _step(self, parts, variables, unscale=None):
        self.begin_step(unscale)
        _run(update.calls(self, parts, parts))
        if self.use_ema:  # of weights without a gradient too
            for variable in self._layout.variables:
                if not any(v is variable for v in variables):
                    part = self._part(variable, variable.array.reshape(-1))
                    _run([(kernels.moving_average, (part.average, part.p, self.memory.control))])
        if self.memory.control[0]:
            self.end_step()

    def run_update_step(self, gradient, variable) -> None:
        """Calls `update_step` in a step of its own making, or in a training step.

        Args:
            gradient: Array of the weight's shape.
            variable: The weight.
        """
        known = variable.synchronised
        self.update_step(gradient, variable, self._rate())
        variable.synchronised = known  # every rank has made the same update

    def apply_gradients(self, grads_and_vars) -> Variable:
        """Makes one step.

        Args:
            grads_and_vars: Pairs of a gradient and its variable.

        Returns:
            The number of steps made, as a variable.
        """
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations


def _run(calls):
    for kernel, arguments in calls:
        if is_host(kernel):
            kernel.run(None, [arguments])
        else:
            kernel(*arguments)
