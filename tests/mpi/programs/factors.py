"""Training whose gradients of kernels ranks make of all their rows: `factors.py target`."""

import sys

import numpy as np

import dseq
from dseq import layers
from dseq.kernels.factors import give_factors
from dseq.parallel import communicator

world = communicator.get()
rng = np.random.default_rng(0)
x, y = rng.standard_normal((190, 96)).astype("f4"), rng.integers(0, 16, 190).astype("i4")
found = {}


def train(name, outputs, optimizer, batch_sizes, loss="sparse_categorical_crossentropy", data=x, labels=y, expected=1):
    """Trains a model of an input for a few epochs of each batch size, and keeps its weights."""
    dseq.utils.set_random_seed(0)
    inputs = dseq.Input(data.shape[1:])
    model = dseq.Model(inputs, outputs(inputs))
    model.compile(optimizer, loss)
    for batch_size in batch_sizes:
        model.fit(data, labels, batch_size=batch_size, epochs=2, verbose=0)
    calls = [kernel for kernel, _ in model.plans["training"].calls()]
    if world.size > 1 and not model.strict_shards:
        assert calls.count(give_factors) == expected, (name, calls)
    for i, weight in enumerate(model.get_weights()):
        found[f"{name}/{i}"] = weight
    return model


def network(inputs):
    h = layers.Dense(256, "relu")(inputs)
    h = layers.Dropout(0.2)(h)
    h = layers.Dense(192, "relu")(h)
    return layers.Dense(16, "softmax")(h)


# Batches of which some ranks have no row, few rows, more than `most`; ragged ones at the end of each epoch.
train("sizes", network, dseq.optimizers.Adam(1e-3), (1, 20, 190, 50), expected=2)
average = dseq.optimizers.AdamW(1e-3, use_ema=True, ema_momentum=0.9, clipvalue=0.01)
average.exclude_from_weight_decay(var_names=["bias"])
train("average", network, average, (30,), expected=2)
train("clipped", network, dseq.optimizers.Adam(1e-3, global_clipnorm=0.1), (30,), expected=0)
train("accumulated", network, dseq.optimizers.Adam(1e-3, gradient_accumulation_steps=3), (30,), expected=0)


def twice(inputs):
    shared = layers.Dense(96, "tanh")
    wide = layers.Dense(176, "relu", kernel_regularizer="l2")(shared(shared(layers.Dense(192)(inputs)[:, :96])))
    return layers.Dense(16, "softmax")(wide)


train("twice", twice, dseq.optimizers.SGD(0.05, momentum=0.9), (24,))


def steps(inputs):
    return layers.Dense(16, "softmax")(layers.Flatten()(layers.Dense(192, "relu")(layers.Reshape((4, 96))(inputs))))


sequences = rng.standard_normal((60, 384)).astype("f4")
train("steps", steps, "rmsprop", (16, 60), data=sequences, labels=y[:60])


def more_steps(inputs):  # of which so few samples would do that it does not pay: only the last layer's
    return layers.Dense(16, "softmax")(layers.Flatten()(layers.Dense(192, "relu")(layers.Reshape((16, 96))(inputs))))


train("more steps", more_steps, "rmsprop", (16,), data=np.tile(sequences, 4), labels=y[:60])

# On two ranks the part that the first updates is one piece, larger than those that the whole would be cut into.
wide = rng.standard_normal((24, 130)).astype("f4")
uneven = dseq.Sequential([layers.Dense(1024, "relu", use_bias=False), layers.Dense(32), layers.Dense(16, "softmax")])
train("uneven", uneven, dseq.optimizers.SGD(0.1), (24,), data=wide, labels=y[:24], expected=2)

# Nothing but a product, whose sum over rows is that of one rank to the bit.
many = {"loss": "mse", "data": rng.standard_normal((70, 192)).astype("f4")}
train("exact", layers.Dense(96, use_bias=False), dseq.optimizers.SGD(0.1), (32, 7), labels=x[:70], **many)

if world.rank == 0:
    np.savez(sys.argv[1], **found)
