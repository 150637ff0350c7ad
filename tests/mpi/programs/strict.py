"""Trains in strict mode, and once not; rank 0 prints checksums of what came out, which must be those of every rank."""

import hashlib

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

world = communicator.get()
rng = np.random.default_rng(0)
x = rng.normal(size=(250, 6, 4, 2)).astype("float32")
y = (x.mean((1, 2, 3)) + 0.1 * x[:, 0, 0, 0] > 0).astype("float32")


class MeanAnswer(keras.metrics.Metric):
    """A metric in Python, whose sum depends on its order."""

    def __init__(self):
        super().__init__(name="mean_answer")
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign(self.total + np.float32(np.sum(y_pred) * 1.1))
        self.count.assign(self.count + len(y_pred))

    def result(self):
        return self.total / self.count


def trained(strict):
    keras.utils.set_random_seed(3)
    keras.backend.clear_session()
    model = keras.Sequential(
        [
            keras.Input((6, 4, 2)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),  # by tiles, as its kernels below say
            layers.Flatten(),
            layers.Dense(32, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    metrics = ["accuracy", MeanAnswer(), keras.metrics.AUC(num_thresholds=50), keras.metrics.R2Score()]
    model.compile(
        keras.optimizers.Adam(0.01, global_clipnorm=0.5), "binary_crossentropy", metrics=metrics, strict=strict
    )
    weight = np.linspace(0.5, 1.5, 225)  # 225 rows in batches of 40: the last has 25
    history = model.fit(
        x[:225], y[:225, None], sample_weight=weight, batch_size=40, epochs=10, verbose=0,
        validation_data=(x[225:], y[225:, None]),
    ).history  # fmt: skip
    assert model.optimizer.step_count == 60
    assert "winograd_write_kernel" in str(model.plans["training"])
    tested = model.evaluate(x, y[:, None], batch_size=33, verbose=0)
    arrays = [*model.variables, *model.optimizer.variables, *history.values(), tested, model.predict(x, verbose=0)]
    return checksum(arrays)


def trained_wide(steps):
    """Many weights, the gradients of most of which are summed over shards as they are made."""
    keras.utils.set_random_seed(4)
    keras.backend.clear_session()
    inputs = keras.Input((6, 4, 2))
    shared = layers.Dense(48, activation="relu")
    h = layers.Dense(400, activation="relu")(shared(shared(layers.Flatten()(inputs))))
    h = layers.Dense(5, activation="tanh")(layers.Reshape((20, 20))(layers.Dense(400)(h)))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Flatten()(h)))
    optimizer = keras.optimizers.Adam(0.003, gradient_accumulation_steps=steps)
    model.compile(optimizer, "binary_crossentropy", strict=True)
    history = model.fit(x, y[:, None], batch_size=40, epochs=2, verbose=0).history
    model.train_on_batch(x[:5], y[:5, None])  # fewer rows than shards
    kernels = [kernel.__name__ for kernel, _ in model.plans["training"].backward_calls]
    assert kernels.count("dense_tree_kernel") == (0 if steps else 4)
    return checksum([*model.variables, *model.optimizer.variables, *history.values(), model.predict(x, verbose=0)])


def checksum(arrays):
    sum_of_all = hashlib.sha256()
    for array in arrays:
        sum_of_all.update(np.ascontiguousarray(np.asarray(array)).tobytes())
    found = sum_of_all.hexdigest()
    assert set(world.allgather_object(found)) == {found}
    return found


sums = trained(True), trained(12), trained_wide(None), trained_wide(2), trained(False)
if world.rank == 0:
    print(*sums, flush=True)
