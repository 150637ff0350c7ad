"""Models for tests of the file format: the attributes that saving looks at, and nothing else."""

import numpy as np

from dseq.program.variable import Variable


class Layer:
    """A layer with variables of given shapes, filled from a seed."""

    def __init__(self, name, *shapes, seed=0, frozen=0, parts=()):
        values = np.random.default_rng(seed)
        variables = [Variable(values.normal(size=s), "float32", f"v{i}", f"{name}/v{i}") for i, s in enumerate(shapes)]
        self.name = name
        self.built = True
        self._trainable_variables = variables[: len(variables) - frozen]
        self._non_trainable_variables = variables[len(variables) - frozen :]
        self._parts = list(parts)

    def _children(self):
        return self._parts

    @property
    def variables(self):
        inner = [layer for _, part in self._children() for layer in (part if isinstance(part, list) else [part])]
        return self._trainable_variables + self._non_trainable_variables + [v for x in inner for v in x.variables]

    @property
    def trainable_variables(self):
        inner = [layer for _, part in self._children() for layer in (part if isinstance(part, list) else [part])]
        return self._trainable_variables + [v for x in inner for v in x.trainable_variables]


class Dense(Layer):
    pass


class Conv2D(Layer):
    pass


class BatchNormalization(Layer):
    pass


class Dropout(Layer):
    pass


class InputLayer(Layer):
    pass


class LeakyReLU(Layer):
    pass


class LSTM(Layer):
    pass


class Sequential(Layer):
    """A model; `layers` is what a weights file lists."""

    def __init__(self, layers, name="sequential", optimizer=None):
        super().__init__(name, parts=[("layers", layers)])
        self.layers = layers
        self.optimizer = optimizer


class Functional(Sequential):
    pass


class Adam:
    """Iterations, learning rate and two slots per variable, interleaved."""

    def __init__(self, variables=None, name="adam"):
        self.name = name
        self.built = False
        self.variables = [
            Variable(np.zeros((), "int32"), "int32", "iteration"),
            Variable(np.float32(0.001), "float32", "learning_rate"),
        ]
        if variables is not None:
            self.build(variables)

    def build(self, variables):
        self.built = True
        for v in variables:
            for slot in ("momentum", "velocity"):
                self.variables.append(Variable(np.zeros(v.shape), v.dtype, slot, f"{self.name}/{v.name}_{slot}"))


def fill(variables, seed):
    """Gives variables values of their own."""
    values = np.random.default_rng(seed)
    for index, v in enumerate(variables):
        v.assign(values.integers(1, 100, v.shape) if v.dtype == "int32" else values.normal(size=v.shape) + index)
    return variables


def arrays(model):
    """Copies of all values."""
    optimizer = model.optimizer.variables if model.optimizer else []
    return [v.numpy() for v in [*model.variables, *optimizer]]
