"""Trains in the ways whose results must not depend on the number of ranks; rank 0 writes them to the file named."""

import sys

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

rng = np.random.default_rng(0)
x = rng.standard_normal((83, 7)).astype("float32")  # 83 rows in batches of 8: the last has 3
y = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)
results = {}


def network(dropout):
    return keras.Sequential(
        [
            keras.Input((7,)),
            layers.Dense(16, "relu"),
            layers.Dropout(dropout),
            layers.Dense(12, "tanh"),
            layers.Dense(3, "softmax"),
        ]
    )


for optimizer in ("sgd", "adam", "rmsprop"):
    keras.utils.set_random_seed(5)
    model = network(0.3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=8, epochs=5, verbose=0, validation_data=(x[:21], y[:21])).history  # 55 steps
    for i, w in enumerate(model.get_weights()):
        results[f"{optimizer}/weight_{i}"] = w
    for name, values in history.items():
        results[f"{optimizer}/{name}"] = np.array(values)
    results[f"{optimizer}/evaluate"] = np.array(model.evaluate(x, y, batch_size=10, verbose=0))
    results[f"{optimizer}/predict"] = model.predict(x, batch_size=10, verbose=0)

# Fewer rows than ranks, and weights for samples.
keras.utils.set_random_seed(7)
model = network(0.0)
model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
for _ in range(4):
    model.train_on_batch(x[:2], y[:2], sample_weight=np.array([1.0, 2.5]))
results["few/loss"] = np.array(model.test_on_batch(x[:2], y[:2], sample_weight=np.array([1.0, 2.5])))
results["few/predict"] = model.predict(x[:2], verbose=0)

# Ranks that begin with other weights end with rank 0's.
keras.utils.set_random_seed(100 + communicator.get().rank)
model = network(0.0)
model.compile("sgd", "sparse_categorical_crossentropy")
start = model.get_weights()[0]
results["start/sum"] = communicator.get().broadcast_object(start)
model.fit(x[:8], y[:8], epochs=1, verbose=0, batch_size=8, shuffle=False)
everywhere = communicator.get().allgather_object(model.get_weights())
for other in everywhere:
    for a, b in zip(other, everywhere[0], strict=True):
        np.testing.assert_array_equal(a, b)
results["start/weight"] = model.get_weights()[0]

if communicator.get().rank == 0:
    np.savez(sys.argv[1], **results)
