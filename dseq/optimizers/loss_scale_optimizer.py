"""LossScaleOptimizer: a loss scale that follows what gradients can bear."""

import numpy as np

from dseq.optimizers.optimizer import Optimizer

_LEFT_TO_INNER = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


class LossScaleOptimizer(Optimizer):
    """Scales the loss before gradients are computed, and gradients back, so that small ones do not become zero.

    A step whose gradients are not all finite is skipped, and the scale halved; after `dynamic_growth_steps` steps with
    finite ones it is doubled. The decision is taken on gradients that have been summed over all ranks, hence alike on
    all. In float32 and float64 gradients hardly ever need it.

    Args:
        inner_optimizer: The `Optimizer` that makes the updates.
        initial_scale: The scale to begin with.
        dynamic_growth_steps: Steps after which the scale is doubled.
        name: Name of the optimizer.
        **kwargs: Nothing else.

    Raises:
        ValueError: If another argument is given: it belongs to the inner optimizer.
    """

    def __init__(self, inner_optimizer, initial_scale=2.0**15, dynamic_growth_steps=2000, name=None, **kwargs):
        if not kwargs.pop("dynamic", True):
            raise ValueError(
                "LossScaleOptimizer does not support `dynamic=False`. Instead, set `loss_scale_factor` on the "
                "`inner_optimizer`. Received: dynamic=False"
            )
        for argument, default in _LEFT_TO_INNER.items():
            value = kwargs.pop(argument, default)
            if value != default:
                raise ValueError(
                    f"LossScaleOptimizer does not support `{argument}`. Instead, set `{argument}` on the "
                    f"`inner_optimizer`. Received: {argument}={value}"
                )
        if kwargs:
            raise ValueError(f"LossScaleOptimizer does not support arguments: `{'`, `'.join(kwargs)}`.")
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None  # or gradients would be scaled back twice
        inner_optimizer.gated = True
        self.step_counter = self._scalar(0, "step_counter", "int32")
        self.dynamic_scale = self._scalar(initial_scale, "dynamic_scale", "float32")

    def build(self, variables):
        self.inner_optimizer.build_once(variables)
        self._layout = self.inner_optimizer._layout
        self._average_variables, self._accumulator_variables = [], []
        self.memory = self.inner_optimizer.memory
        self.built = True

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._layout, self.memory = self.inner_optimizer._layout, self.inner_optimizer.memory

    @property
    def variables(self):
        own = [self.step_counter, self.dynamic_scale] if self.built else []
        return [self._iterations, self._learning_rate, *own, *self.inner_optimizer.variables]

    @property
    def slots(self):
        """The inner optimizer's."""
        return self.inner_optimizer.slots

    @slots.setter
    def slots(self, value):
        """Slots are the inner optimizer's."""

    @property
    def needs_whole_weights(self):
        return True

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    @property
    def step_count(self):
        return self.inner_optimizer.step_count

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.inner_optimizer.learning_rate = value

    @property
    def loss_scale(self):
        return float(self.dynamic_scale.array) if self.built else float(self.initial_scale)

    def scale_loss(self, loss):
        return loss * self.loss_scale

    def begin_step(self, unscale=None):
        self.inner_optimizer.begin_step(1 / self.loss_scale if unscale is None else unscale)

    def end_step(self):
        if self.memory.control[0]:
            self.inner_optimizer.end_step()
        self._decide()

    def _decide(self):
        if self.memory.control[0]:
            grown = int(self.step_counter.array) == self.dynamic_growth_steps - 1
            self._follow(2.0 if grown else 1.0, 0 if grown else int(self.step_counter.array) + 1)
        else:
            self._follow(0.5, 0)

    def _follow(self, factor, steps):
        self.dynamic_scale.array[...] *= np.float32(factor)
        self.step_counter.array[...] = steps

    def lower(self, plan, params, grads, lo=0, hi=None, exchange=None, gradients=None):
        self.inner_optimizer.lower(plan, params, grads, lo, hi, exchange, gradients)

    def update_step(self, gradient, variable, learning_rate):
        self.inner_optimizer.update_step(gradient, variable, learning_rate)

    def _step(self, parts, variables, unscale=None):
        self.inner_optimizer._step(parts, variables, 1 / self.loss_scale)
        self._decide()

    def _part(self, variable, gradient):
        return self.inner_optimizer._part(variable, gradient)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self):
        from dseq.optimizers import serialize

        return {
            "name": self.name,
            "inner_optimizer": serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        from dseq.optimizers import deserialize

        config = dict(config)
        inner = config.pop("inner_optimizer")
        return cls(deserialize(inner, custom_objects) if isinstance(inner, dict) else inner, **config)
