"""Normalisation over ranks: golden runs, statistics of large means, per-rank statistics, uneven shards, `adapt`."""

import sys
from pathlib import Path

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.training import normalized_runs

world = communicator.get()
results = {}
for name in normalized_runs.KERAS:
    normalized_runs.check(name, normalized_runs.run(keras, name))

# A mean of 10,000 and a variance of 1: 37 rows in batches of 8, the last of 5; and 2 rows, fewer than ranks.
rng = np.random.default_rng(1)
x = (rng.standard_normal((37, 6)) + 1e4 * np.arange(6)).astype("float32")
y = np.arange(37) % 3


def trained(name, synchronized, rows=37):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.BatchNormalization(momentum=0.7, synchronized=synchronized),
            layers.Dense(5, "tanh", kernel_regularizer="l2"),
            layers.GaussianDropout(0.2),
            layers.BatchNormalization(momentum=0.7, synchronized=synchronized),
            layers.GaussianNoise(0.1),
            layers.AlphaDropout(0.1),
            layers.Dense(3, "softmax", activity_regularizer="l1"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    history = model.fit(x[:rows], y[:rows], batch_size=8, epochs=6, verbose=0, shuffle=False).history
    results[f"{name}/loss"] = np.array(history["loss"])
    for i, weight in enumerate(model.get_weights()):
        results[f"{name}/weight_{i}"] = weight
    everywhere = world.allgather_object(model.get_weights())
    for other in everywhere[1:]:
        for a, b in zip(other, everywhere[0], strict=True):
            np.testing.assert_array_equal(a, b)


trained("synchronized", None)
trained("synchronized_few", True, rows=2)
trained("per_rank", False)

# Steps that are masked count on no rank.
masked = rng.standard_normal((11, 4, 3)).astype("float32")
masked[3:, 2:] = 0
inputs = keras.Input((4, 3))
outputs = layers.BatchNormalization(momentum=0.5)(layers.Masking()(inputs))
model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(outputs)))
model.set_weights([np.full(w.shape, 0.5, "float32") for w in model.get_weights()])
model.compile(keras.optimizers.SGD(0.1), "mse")
results["masked/loss"] = np.array([model.train_on_batch(masked, masked[:, 0, :2]) for _ in range(3)])
for i, weight in enumerate(model.get_weights()):
    results[f"masked/weight_{i}"] = weight

# A regularizer of the user's own, by its gradient, and a constraint by a function of arrays.
model = keras.Sequential(
    [
        keras.Input((6,)),
        layers.Dense(
            3,
            "softmax",
            kernel_regularizer=lambda w: 0.1 * keras.ops.sum(keras.ops.square(w)),
            bias_constraint=lambda b: np.minimum(b, 0.01),
        ),
    ]
)
model.set_weights([np.full(w.shape, 0.5, "float32") for w in model.get_weights()])
model.compile(keras.optimizers.SGD(0.1, clipnorm=0.5), "sparse_categorical_crossentropy")
results["own/loss"] = np.array([model.train_on_batch(x[:9] / 1e4, y[:9]) for _ in range(4)])
for i, weight in enumerate(model.get_weights()):
    results[f"own/weight_{i}"] = weight

for name, data in {"array": x, "batches": [x[:20], x[20:21], x[21:]]}.items():
    layer = layers.Normalization()
    layer.adapt(data)
    results[f"adapt/{name}/mean"], results[f"adapt/{name}/variance"] = layer.mean, layer.variance

if world.rank == 0:
    np.savez(sys.argv[1], **results)
    print("all runs agree with Keras")
