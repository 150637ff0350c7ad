"""Random models in float64: graphs of layers and operations that branch, meet, and use layers twice."""

from math import prod

import numpy as np

import dseq
from dseq import layers, ops

ACTIVATIONS = ("tanh", "sigmoid", "softplus", "linear", "elu", "gelu", "silu", "relu", "softmax", "selu", "mish")
ROWS = 11
LARGEST = 80  # elements of a sample


class Scale(layers.Layer):
    """Weights that samples use, and that other weights use."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],), "ones", name="w")
        self.m = self.add_weight((input_shape[-1], input_shape[-1]), name="m")

    def call(self, x):
        y = ops.tanh(x) * self.w
        return ops.matmul(y, self.m) + ops.sum(self.m * self.w) * 0.3 + y * ops.mean(self.w)


class Centre(layers.Layer):
    """A result over the batch, used by samples and by a weight."""

    def build(self, input_shape):
        self.w = self.add_weight(input_shape[1:], "ones", name="w")

    def call(self, x):
        z = x * self.w
        mean = ops.mean(z, axis=0)
        return z - mean * 0.5 + ops.sin(mean) * self.w


class Loss(layers.Layer):
    """Losses of samples and of a result over the batch."""

    def call(self, x):
        self.add_loss(0.01 * ops.mean(ops.square(x), axis=tuple(range(1, x.ndim))))
        self.add_loss(0.2 * ops.sum(ops.square(ops.mean(x, axis=0))))
        return x


def host_sine():
    return layers.Lambda(np.sin, gradient=lambda dy, x: dy * np.cos(x))


def two_paths(shape):
    x = dseq.Input(shape)
    h = layers.Dense(3, "tanh")(x)
    return dseq.Model(x, layers.Add()([h, layers.Dense(3)(h)]))


OF_TWO = [
    lambda t, u: t * u + ops.sin(t),
    lambda t, u: ops.tanh(t - u) / (1.5 + ops.cos(u)),
    lambda t, u: ops.where(t > u, t, u * 2),
    lambda t, u: ops.softmax(t, axis=-1) * u,
    lambda t, u: ops.sum(t * u, axis=-1, keepdims=True) + t,
    lambda t, u: ops.logsumexp(t, axis=-1, keepdims=True) * u,
    lambda t, u: ops.cumsum(t, axis=-1) * 0.5 + ops.flip(u, axis=-1),
    lambda t, u: ops.split(ops.concatenate([t, u], axis=-1), 2, axis=-1)[1] + t,
    lambda t, u: ops.std(t, axis=-1, keepdims=True) + ops.roll(u, 1, axis=-1),
    lambda t, u: ops.clip(t, -0.7, 0.9) + ops.max(u, axis=-1, keepdims=True),
    lambda t, u: ops.pad(t, [(0, 0)] * (t.ndim - 1) + [(1, 0)]) + ops.repeat(u[..., :1], t.shape[-1] + 1, axis=-1),
]
MERGES = [layers.Add, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum, layers.Concatenate]


class Maker:
    """Draws one call after another.

    Args:
        rng: Random generator.
        tensors: Where the graph begins.
    """

    def __init__(self, rng, tensors):
        self.rng, self.tensors, self.met = rng, list(tensors), []

    def one_of(self, things):
        return things[self.rng.integers(len(things))]

    def width(self):
        return self.one_of((1, 2, 3, 5, 6))

    def activation(self):
        return self.one_of(ACTIVATIONS)

    def like(self, t):
        return self.one_of([u for u in self.tensors if u.shape == t.shape])

    def grow(self):
        """Adds the result of one call; returns what was called."""
        t = self.one_of(self.tensors)
        kinds = ["dense", "activate", "merge", "two", "two", "own", "again", "norm", "noise", "host", "penalty"]
        kinds += {
            2: ["repeat", "reshape"],
            3: ["conv", "conv", "pool", "steps", "steps", "einsum", "flatten", "permute"],
            4: ["conv", "conv", "pool", "steps", "flatten", "permute"],
        }[t.ndim]
        kind = self.one_of(kinds)
        y = getattr(self, kind)(t)
        if prod(y.shape[1:]) <= LARGEST and y.ndim <= 4:
            self.tensors.append(y)
        return kind, y.shape

    def dense(self, t):
        return layers.Dense(self.width(), self.activation(), use_bias=bool(self.rng.integers(2)))(t)

    def activate(self, t):
        return layers.Activation(self.activation())(t)

    def merge(self, t):
        return self.one_of(MERGES)()([t, self.like(t), self.like(t)])

    def two(self, t):
        return self.one_of(OF_TWO)(t, self.like(t))

    def own(self, t):
        return self.one_of((Scale, Centre, Loss, layers.PReLU))()(t)

    def again(self, t):
        known = [layer for shape, layer in self.met if shape == t.shape]
        if not known:
            known = [layers.Dense(self.width(), self.activation())]
            self.met.append((t.shape, known[0]))
        return known[0](t)

    def norm(self, t):
        kinds = layers.LayerNormalization, layers.RMSNormalization, layers.BatchNormalization
        return self.one_of(kinds)(epsilon=0.1)(t)

    def noise(self, t):
        return self.one_of((layers.Dropout, layers.GaussianNoise, layers.GaussianDropout))(0.3)(t)

    def host(self, t):
        return host_sine()(t)

    def penalty(self, t):
        regularizer = dseq.regularizers.L2(0.1)
        return layers.Dense(self.width(), kernel_regularizer="l2", activity_regularizer=regularizer)(t)

    def repeat(self, t):
        return layers.RepeatVector(3)(t)

    def reshape(self, t):
        return layers.Reshape(self.one_of(((t.shape[1], 1), (1, t.shape[1], 1))))(t)

    def conv(self, t):
        kind, size = (layers.Conv1D, 1) if t.ndim == 3 else (layers.Conv2D, 2)
        window = tuple(int(n) for n in self.rng.integers(1, 4, size))
        stride = int(self.rng.integers(1, 3))
        return kind(self.width(), window, strides=stride, padding="same", activation=self.activation())(t)

    def pool(self, t):
        flat = (layers.MaxPooling1D, layers.AveragePooling1D), (layers.GlobalMaxPooling1D,)
        deep = (layers.MaxPooling2D, layers.AveragePooling2D), (layers.GlobalAveragePooling2D,)
        windowed, whole = flat if t.ndim == 3 else deep
        if self.rng.integers(3) == 0:
            return whole[0]()(t)
        return self.one_of(windowed)(2, strides=int(self.rng.integers(1, 3)), padding="same")(t)

    def steps(self, t):
        inside = [
            lambda: layers.Dense(self.width(), self.activation()),
            Scale,
            Centre,
            host_sine,
            lambda: layers.Lambda(lambda x: ops.sin(x) + x),
            lambda: layers.BatchNormalization(epsilon=0.1),
            lambda: layers.Dropout(0.3),
            lambda: two_paths(t.shape[2:]),
        ]
        return layers.TimeDistributed(self.one_of(inside)())(t)

    def einsum(self, t):
        return layers.EinsumDense("abc,cd->abd", output_shape=(None, self.width()), bias_axes="d")(t)

    def flatten(self, t):
        return layers.Flatten()(t)

    def permute(self, t):
        return layers.Permute(tuple(int(n) for n in 1 + self.rng.permutation(t.ndim - 1)))(t)


def random_model(seed):
    """A model compiled with nothing, and data for it.

    Args:
        seed: Whatever depends on chance depends on it.

    Returns:
        `(model, losses, x, y, weights, calls)`; `calls` tells what the graph is made of.
    """
    rng = np.random.default_rng(seed)
    dseq.utils.set_random_seed(seed)
    inputs = [dseq.Input((4,)), dseq.Input((4, 3)), dseq.Input((4, 3, 2)), dseq.Input((3,), dtype="int32")]
    tokens = layers.Embedding(7, 3, mask_zero=bool(rng.integers(2)))(inputs[3])
    maker = Maker(rng, [*inputs[:3], tokens])
    calls = [maker.grow() for _ in range(rng.integers(5, 13))]
    last = [*maker.tensors[-int(rng.integers(1, 4)) :]]
    outputs = [layers.Dense(2, maker.one_of(("linear", "softmax")))(layers.Flatten()(t)) for t in last]
    model = dseq.Model(inputs, outputs)
    with_weights = [layer for layer in model.layers if layer.variables]
    if rng.integers(3) == 0:
        maker.one_of(with_weights).trainable = False
    for variable in model.trainable_variables:
        variable.assign(variable.numpy() + 0.4 * rng.standard_normal(variable.shape))
    losses = [str(maker.one_of(("mse", "mae", "cosine_similarity", "huber"))) for _ in outputs]
    x = [rng.standard_normal((ROWS, *t.shape[1:])) for t in inputs[:3]] + [rng.integers(0, 7, (ROWS, 3))]
    y = [rng.uniform(0.05, 1, (ROWS, 2)) for _ in outputs]
    weights = [rng.uniform(0.2, 2, ROWS) for _ in outputs] if rng.integers(2) else None
    x[3] = x[3].astype("int32")
    return model, losses, x, y, weights, calls
