"""What every optimizer has: flat slots beside the weights, numbers for each step, and one kernel for all weights."""

import re
import warnings

import numpy as np

from dseq.optimizers.layout import Layout, section
from dseq.optimizers.learning_rate import current, describe
from dseq.optimizers.learning_rate import learning_rate as learning_rate_of
from dseq.program.naming import auto_name, snake_case
from dseq.program.operand import Operand
from dseq.program.variable import Variable


class Optimizer:
    """The base of optimizers.

    The weights of a model lie in one flat array, their gradients in another. What an optimizer remembers about them,
    its slots, are flat arrays of the same layout, so that one kernel updates any slice of all of them in one pass.

    Args:
        learning_rate: Float, schedule `schedule(step)` with steps counted from 0, or function without arguments.
        weight_decay: How much of each weight is taken away in a step, times the learning rate; None for nothing.
        clipnorm: Not supported yet.
        clipvalue: Not supported yet.
        global_clipnorm: Not supported yet.
        use_ema: Not supported yet.
        ema_momentum: For `use_ema`.
        ema_overwrite_frequency: For `use_ema`.
        loss_scale_factor: Not supported yet.
        gradient_accumulation_steps: Not supported yet.
        name: Name of the optimizer.
        **kwargs: Nothing else.

    Attributes:
        slots: Flat arrays by name, from `build` on.

    Raises:
        ValueError: If an argument is unknown, not supported yet, or not what it must be.
    """

    # Slots in the order of the kernel's arguments are the groups laid end to end. In files, those of a group alternate
    # variable by variable, and groups follow each other.
    groups = ()

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        **kwargs,
    ):
        if kwargs.pop("decay", None) is not None:
            warnings.warn("Argument `decay` is no longer supported and will be ignored.", stacklevel=3)
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        later = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
            "use_ema": use_ema or None,
            "loss_scale_factor": loss_scale_factor,
            "gradient_accumulation_steps": gradient_accumulation_steps,
        }
        for argument, value in later.items():
            if value is not None:
                raise ValueError(
                    f"`{argument}` of {type(self).__name__} is not supported yet. Received: {argument}={value}. "
                    "Leave it out."
                )
        self.name = name or auto_name(snake_case(type(self).__name__))
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = bool(use_ema), ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self.slots = {}
        self._layout = None
        self._slot_variables = []
        self._excluded_variables, self._excluded_names = [], None
        self._hyper = None
        self._iterations = self._scalar(0, "iteration", "int32")
        self._learning_rate = learning_rate_of(learning_rate, self.name)

    # What a subclass says.

    @property
    def kernel(self):
        """The kernel `(p, g, *slots, hyper)`."""
        raise NotImplementedError(f"{type(self).__name__} must have a `kernel`.")

    def numbers(self, rate, step) -> tuple:
        """The kernel's numbers after the weight decay.

        Args:
            rate: Learning rate of the step.
            step: Number of the step, counted from 1.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `numbers`.")

    def first_value(self, slot) -> float:
        """The value a slot begins with."""
        return 0.0

    def scalars(self) -> list:
        """Further variables of the optimizer itself, the last ones in files."""
        return []

    # Learning rate and steps.

    @property
    def iterations(self) -> Variable:
        """The number of steps made, as a variable."""
        return self._iterations

    @property
    def step_count(self) -> int:
        """The number of steps made."""
        return int(self._iterations.array)

    @property
    def learning_rate(self):
        """The learning rate: a variable, or with a schedule the number for the next step.

        Setting a number is an error with a schedule; a schedule can be set at any time.
        """
        return self._learning_rate if isinstance(self._learning_rate, Variable) else self._rate()

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value) and not isinstance(value, Variable):
            self._learning_rate = value
        elif isinstance(self._learning_rate, Variable):
            self._learning_rate.assign(value)
        else:
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` constructor "
                "argument, hence its learning rate is not settable. If you need the learning rate to be settable, you "
                "should instantiate the optimizer with a float `learning_rate` argument."
            )

    def _rate(self):
        return current(self._learning_rate, self.step_count)

    def _scalar(self, value, name, dtype):
        return Variable(value, dtype, name, f"{self.name}/{name}", trainable=False)

    # Slots.

    def build(self, variables) -> None:
        """Makes the slots for these weights, laid out as the training model's arena lays out the weights.

        Args:
            variables: List of trainable `Variable`s; the same ones again change nothing.

        Raises:
            ValueError: If the optimizer was built for other weights.
        """
        variables = list(variables)
        if self.built:
            if not self._layout.holds(variables):
                others = [v for v in variables if v not in self._layout]
                raise ValueError(_unknown(others[0] if others else "fewer variables, or in another order"))
            return
        self._layout = Layout(variables)
        self.slots = {slot: self._layout.array(self.first_value(slot)) for group in self.groups for slot in group}
        self._divide_slots()
        self.built = True

    def _divide_slots(self):
        """Makes variables of the parts of the slots."""
        layout, weights = self._layout, self._layout.variables
        found = [(slot, variable) for group in self.groups for variable in weights for slot in group]
        self._slot_variables = [layout.part(self.slots[slot], v, slot, self.name) for slot, v in found]

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.built:  # in a copy the variables are others, and parts of slots are no views
            self._layout = Layout(self._layout.variables)
            self._divide_slots()

    @property
    def variables(self) -> list:
        """All that must be saved to go on later, in the order of Keras' files."""
        rate = [self._learning_rate] if isinstance(self._learning_rate, Variable) else []
        return [self._iterations, *rate, *self._slot_variables, *(self.scalars() if self.built else [])]

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """Says which weights do not decay; to be called before the optimizer is built.

        Args:
            var_list: List of variables.
            var_names: List of regular expressions; variables in whose name one is found don't decay.

        Raises:
            ValueError: If the optimizer is built.
        """
        if self.built:
            raise ValueError("`exclude_from_weight_decay()` can only be configured before the optimizer is built.")
        self._excluded_variables = list(var_list or [])
        self._excluded_names = re.compile("|".join(var_names)) if var_names else None

    def _excluded(self, variable):
        by_name = self._excluded_names is not None and self._excluded_names.search(variable.name) is not None
        return by_name or any(v is variable for v in self._excluded_variables)

    # Steps.

    @property
    def hyper(self) -> np.ndarray:
        """The kernel's numbers."""
        if self._hyper is None:
            self._hyper = np.zeros((2, 1 + len(self.numbers(0.0, 1))))  # the second row is without weight decay
        return self._hyper[0]

    def begin_step(self) -> None:
        """Fills `hyper` for the next step."""
        rate = self._rate()
        self.hyper[:] = rate * (self.weight_decay or 0.0), *self.numbers(rate, self.step_count + 1)
        self._hyper[1, 1:] = self.hyper[1:]

    def end_step(self) -> None:
        """Counts the step."""
        self._iterations.array += 1

    def lower(self, plan, p, g, slots, hyper, start=None) -> None:
        """Writes the update of a slice of the weights into a plan.

        Args:
            plan: The plan.
            p: Operand of a slice of the arena of weights.
            g: Operand of the same slice of the gradients.
            slots: List of operands of the same slice of `self.slots`.
            hyper: Operand of `self.hyper`.
            start: Where the slice begins in the arena; needed if some weights do not decay and it is not the whole.

        Raises:
            ValueError: If `start` is needed and not given.
        """
        runs = self._layout.runs(self._excluded) if self.weight_decay else []
        if not any(excluded for _, _, excluded in runs):
            plan.update(self.kernel, p, g, *slots, hyper)
            return
        if start is None and p.size != self._layout.size:
            raise ValueError("`start` must say where a slice of the weights begins when some weights do not decay.")
        start, numbers = start or 0, self.hyper
        without = Operand("hyper_without_decay", numbers.shape, "constants", "float64")
        without.array = self._hyper[1]
        for first, last, excluded in runs:
            lo, hi = max(first, start) - start, min(last, start + p.size) - start
            if hi > lo:
                parts = [section(operand, lo, hi) for operand in (p, g, *slots)]
                plan.update(self.kernel, *parts, without if excluded else hyper)

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
                raise ValueError(_unknown(variable))
        missing = [v.name for g, v in zip(grads, variables, strict=True) if g is None]
        if len(missing) == len(variables):
            raise ValueError("No gradients provided for any variable.")
        if missing:
            warnings.warn(f"Gradients do not exist for variables {missing} when minimizing the loss.", stacklevel=2)
        self.begin_step()
        for gradient, variable in zip(grads, variables, strict=True):
            if gradient is not None:
                self._update(np.asarray(gradient), variable)
        self.end_step()

    def _update(self, gradient, variable):
        start, stop = self._layout.span(variable)
        p = variable.array.reshape(-1)
        g = np.ascontiguousarray(np.broadcast_to(gradient, variable.shape), p.dtype).reshape(-1)
        slots = [slot[start:stop] for slot in self.slots.values()]
        hyper = self._hyper[1] if self._excluded(variable) else self.hyper
        self.kernel(p, g, *slots, hyper)

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

    # Configuration.

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "name": self.name,
            "learning_rate": describe(self._learning_rate, self.step_count),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer with this configuration, without state."""
        return cls(**config)


def _unknown(variable) -> str:
    return (
        f"Unknown variable: {getattr(variable, 'path', variable)}. This optimizer can only be called for the variables "
        "it was originally built with. After freezing or adding layers call `compile()` again, with a new optimizer."
    )
