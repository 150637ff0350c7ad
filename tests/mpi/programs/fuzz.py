"""Trains random graphs and predicts with them, some ranks without rows; rank 0 writes the results."""

import sys

import numpy as np

import dseq
from dseq import layers, ops
from dseq.parallel import communicator
from tests.program.random_graphs import random_model

world = communicator.get()
dseq.config.set_floatx("float64")
results = {}


def keep(name, values):
    for i, value in enumerate(values):
        results[f"{name}_{i}"] = np.asarray(value)


for seed in range(20, 28):
    model, losses, x, y, weights, _ = random_model(seed)
    model.compile(dseq.optimizers.SGD(0.05), losses)
    history = model.fit(x, y, batch_size=4, sample_weight=weights, verbose=0).history
    scores = model.evaluate(x, y, batch_size=4, sample_weight=weights, verbose=0, return_dict=True, steps=2)
    predicted = model.predict(x, batch_size=4, verbose=0)
    keep(f"{seed}/logs", [*history.values(), *scores.values()])
    keep(f"{seed}/predicted", predicted if isinstance(predicted, list) else [predicted])
    keep(f"{seed}/weights", model.get_weights())

# Operations with constants and options in a graph, lambdas inside wrappers, and results over the batch as outputs.
x = dseq.Input((3, 4))
h = layers.TimeDistributed(layers.Lambda(lambda t: ops.sin(t) * 2))(x) + np.arange(4.0)
h = ops.concatenate([h, ops.flip(x, axis=1)], axis=-1) * ops.mean(x, axis=0)[:, :1]
model = dseq.Model(x, [h, ops.max(x, axis=0), ops.sum(x)])
data = np.random.default_rng(0).standard_normal((11, 3, 4))
keep("operations", model.predict(data, batch_size=4, verbose=0))
keep("one row", model.predict(data[:1], verbose=0))

x = dseq.Input((4,))
model = dseq.Model(x, ops.mean(layers.Dense(2)(x), axis=0))
model.compile("sgd", "mse")
try:
    model.fit(data[:, 0], data[:, 0, :2], verbose=0)
except ValueError as error:
    assert "without a batch axis" in str(error), error
else:
    raise AssertionError("a loss of targets and a result over the batch")
if world.rank == 0:
    np.savez(sys.argv[1], **results)
