"""What every optimizer has: arguments, the numbers of each step, and updates of arenas and of single weights."""

import re
import warnings

import numpy as np

from dseq.optimizers import update
from dseq.optimizers.applying import Applying
from dseq.optimizers.learning_rate import describe, restore
from dseq.program.host import Exchange
from dseq.program.naming import auto_name, snake_case


class Optimizer(Applying):
    """The base of optimizers, and of those users write.

    In a step, gradients are divided by the loss scale, accumulated, clipped; then weights decay and are updated, then
    averaged; then constraints apply. The weights of a model lie in one flat array, their gradients in another. What an
    optimizer remembers about them, its slots, are flat arrays of the same layout, so that one kernel updates any slice
    of all of them in one pass.

    An optimizer of your own has a `build` that makes its variables and an `update_step` for one weight, as below. It
    runs as Python on NumPy arrays, after gradients have been summed over all ranks, on every rank alike.

    Args:
        learning_rate: Float, schedule `schedule(step)` with steps counted from 0, or function without arguments.
        weight_decay: How much of each weight is taken away in a step, times the learning rate; None for nothing.
        clipnorm: Largest norm of each weight's gradient; a longer one is shortened to it.
        clipvalue: Largest size of each element of a gradient.
        global_clipnorm: Largest norm of all gradients together. Only one of the three may be given.
        use_ema: Whether to keep a moving average of the weights, which replaces them at the end of `fit`.
        ema_momentum: What the average keeps of itself in a step, in [0, 1].
        ema_overwrite_frequency: Every so many updates the average replaces the weights; None for at the end only.
        loss_scale_factor: What the loss is multiplied by before gradients are computed, and gradients divided by after.
        gradient_accumulation_steps: Steps whose mean gradient makes one update, at least 2; None for 1. Schedules
            count steps, `iterations` and the moving average count updates.
        name: Name of the optimizer.
        **kwargs: Nothing else.

    Raises:
        ValueError: If an argument is unknown, or not what it must be.

    Example:
        >>> class Heavy(dseq.optimizers.Optimizer):
        ...     def build(self, variables):
        ...         super().build(variables)
        ...         self.momentums = self.add_optimizer_variables(variables, "momentum")
        ...
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         m = self.momentums[self._get_variable_index(variable)]
        ...         m.assign(0.9 * m - learning_rate * gradient)
        ...         variable.assign_add(m)
        >>> model.compile(Heavy(learning_rate=0.1), "mse")
    """

    whole_weights = False  # whether `weight_calls` writes the update, one weight at a time
    decays_apart = True  # whether weights decay before the update, and not in it
    gated = False  # whether steps are skipped whose gradients are not finite: `LossScaleOptimizer` sets it

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
        if gradient_accumulation_steps and not gradient_accumulation_steps >= 2:
            raise ValueError(
                "`gradient_accumulation_steps` must be an integer >= 2. Received: gradient_accumulation_steps="
                f"{gradient_accumulation_steps}"
            )
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ValueError(f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={ema_momentum}")
        every = (ema_overwrite_frequency if use_ema else None) or 1
        if not isinstance(every, int) or every < 1:
            raise ValueError(
                "`ema_overwrite_frequency` must be an integer >= 1 or None. Received: ema_overwrite_frequency="
                f"{ema_overwrite_frequency}"
            )
        if sum(a is not None for a in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        super().__init__(name or auto_name(snake_case(type(self).__name__)), learning_rate)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = bool(use_ema), ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.memory, self.rows = None, {}
        self._excluded_variables, self._excluded_names = [], None

    # What a subclass says.

    @property
    def kernel(self):
        """The kernel `(p, g, *slots, hyper, clip)` of `dseq.kernels.optimizer`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `update_step`, or have a `kernel`.")

    def numbers(self, rate, step) -> tuple:
        """The kernel's numbers after the weight decay.

        Args:
            rate: Learning rate of the step.
            step: Number of the update, counted from 1.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `numbers`.")

    def kind(self, variable):
        """What weights must have in common to be updated by one call: here whether they are kept from decaying."""
        return self._excluded(variable)

    def decay(self, kind, rate) -> float:
        """What part of weights of a kind a step takes away."""
        return 0.0 if kind else rate * (self.weight_decay or 0.0)

    def row(self, kind, rate, step) -> tuple:
        """All numbers of the kernel, for weights of a kind."""
        return self.decay(kind, rate), *self.numbers(rate, step)

    def element_calls(self, part) -> list:
        """The calls that update a stretch of weights, as (kernel, arguments)."""
        return [(self.kernel, (part.p, part.g, *part.slots.values(), part.hyper, part.clip))]

    def weight_calls(self, part) -> list:
        """The calls that update one whole weight, for optimizers with `whole_weights`."""
        return self.element_calls(part)

        ...  # How it is used.

    @property
    def in_python(self) -> bool:
        """Whether the update is Python: a subclass has its own `update_step`."""
        return type(self).update_step is not Applying.update_step

    @property
    def measures(self) -> bool:
        """Whether gradients must be measured before weights change."""
        return bool(self.clipnorm or self.global_clipnorm)

    @property
    def needs_whole_weights(self) -> bool:
        """Whether slices of the arena that ranks update must begin and end where weights do."""
        return bool(self.whole_weights or self.measures or self.gated or self.in_python)

    @property
    def loss_scale(self) -> float:
        """What gradients that `apply` gets, or a training step computes, have been multiplied by."""
        return float(self.loss_scale_factor or 1.0)

    def scale_loss(self, loss):
        """The loss, times the loss scale if there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _make_state(self):
        self.memory = update.Memory(self._layout, max(1, len(self._layout.variables)) if self.clipnorm else 1)
        for variable in self._layout.variables:
            kind = self.kind(variable)
            if kind not in self.rows:
                self.rows[kind] = np.zeros(1 if self.in_python else len(self.row(kind, 1.0, 1)))

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

    def begin_step(self, unscale=None) -> None:
        """Fills in the numbers of the next step, whose gradients are there.

        Args:
            unscale: What gradients are multiplied by before anything else; 1 / `loss_scale` if None.
        """
        unscale = 1 / self.loss_scale if unscale is None else unscale
        rate, count, steps = self._rate(), self.step_count, self.gradient_accumulation_steps or 1
        updates, due = count // steps, (count + 1) % steps == 0
        for kind, row in self.rows.items():
            if self.in_python:
                row[0] = self.decay(kind, rate) if self.decays_apart else 0.0
            else:
                update.fill(row, self.row(kind, rate, updates + 1))
        keep = self.ema_momentum if updates else 0.0
        overwrite = bool(self.ema_overwrite_frequency) and (updates + 1) % self.ema_overwrite_frequency == 0
        norm = self.clipnorm or self.global_clipnorm or 0.0
        gate = due, (1.0 if steps > 1 else unscale), self.clipvalue or np.inf
        lasting = not (self.gated or norm)
        self.memory.set((1.0, due, unscale, steps, norm, keep, overwrite), gate, lasting)

    def end_step(self) -> None:
        """Counts the step."""
        count, steps = self.step_count, self.gradient_accumulation_steps or 1
        if self.memory.control[1]:
            self.updated(count // steps + 1)
        self._iterations.array[...] = count + 1

    def updated(self, step) -> None:
        """Called after each update, for what changes with it.

        Args:
            step: Number of the update, counted from 1.
        """

    def finalize_variable_values(self, var_list) -> None:
        """At the end of training: with `use_ema`, weights become their moving average.

        Args:
            var_list: List of weights.
        """
        if self.use_ema and self.built:
            for variable in var_list:
                variable.array[...] = self._average_variables[self._layout.index(variable)].array

    def lower(self, plan, params, grads, lo=0, hi=None, exchange=None, gradients=None) -> None:
        """Writes the update of a slice of the weights into a plan.

        Where ranks update slices, all of them call this, also for an empty slice: norms of all gradients, and whether
        all are finite, are found by pieces that an exchange brings together, which changes no bit.

        Args:
            plan: The plan.
            params: The arena of weights.
            grads: The arena of gradients.
            lo: First element of the slice.
            hi: The element behind its last; the end of the trainable weights if None.
            exchange: The call that sums over those who update the other slices; over all ranks if None.
            gradients: Those of the slice; None if they lie in the arena.

        Raises:
            ValueError: If the slice cuts a weight that this optimizer must have whole.
        """
        layout = self._layout
        hi = layout.size if hi is None else hi
        if self.needs_whole_weights and not {lo, hi} <= layout.boundaries:
            raise ValueError(
                f"The update of {type(self).__name__} {self.name!r} needs whole weights: a slice must begin and end "
                f"where weights do, at one of {sorted(layout.boundaries)[:8]}... Received: the slice {lo}:{hi}"
            )
        here = params, (grads[lo:hi] if gradients is None else gradients), lo
        inside = [v for v in layout.variables if lo <= layout.span(v)[0] and layout.span(v)[1] <= hi]
        weights = [self._arena_part(*here, *layout.span(v), self.kind(v), v) for v in inside]
        parts = weights
        if not (self.whole_weights or self.clipnorm or self.in_python):
            runs = [(max(first, lo), min(last, hi), kind) for first, last, kind in layout.runs(self.kind)]
            parts = [self._arena_part(*here, *run) for run in runs if run[1] > run[0]]
        operand = update.operands(self, params, grads)
        if exchange is None and (lo, hi) != (0, layout.size):
            exchange = Exchange()
        for kernel, arguments in update.calls(self, parts, weights, exchange):
            plan.update(kernel, *map(operand, arguments))

    def _arena_part(self, params, gradients, begin, lo, hi, kind, variable=None):
        cut = [a if a is None else a[lo:hi] for a in (params, self._average, self._accumulated)]
        slots = {name: slot[lo:hi] for name, slot in self.slots.items()}
        return self._made(cut[0], gradients[lo - begin : hi - begin], slots, *cut[1:], kind, variable)

    def _made(self, p, g, slots, average, accumulated, kind, variable):
        memory = self.memory
        clip = memory.clips[self._layout.index(variable) if self.clipnorm else 0]
        pieces = (0, 0) if variable is None else self._layout.pieces_of(variable)
        return update.Part(p, g, slots, average, accumulated, self.rows[kind], clip, variable, pieces)

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
        """An optimizer with this configuration, without state.

        Args:
            config: What `get_config` returned.
            custom_objects: Classes of your own by name, for schedules.
        """
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = restore(config["learning_rate"], custom_objects)
        return cls(**config)
