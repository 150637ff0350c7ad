"""What scripts do with weights and optimizers between and during steps; rank 0 writes what came out to the file named.

The results may depend neither on the number of ranks nor on the engine. Where one of several ranks does something,
it is rank 0 or all; ranks that are late must not matter.
"""

import copy
import os
import sys
import tempfile
import time

import numpy as np

import dseq as keras
from dseq import layers, optimizers
from dseq.parallel import communicator

world = communicator.get()
wanted = os.environ.get("DSEQ_ENGINE", "node") if world.size > 1 else "solo"
rng = np.random.default_rng(0)
x = rng.standard_normal((43, 7)).astype("float32")  # 43 rows in batches of 8: the last has 3
y = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)
results = {}


def network(*further, seed=5):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((7,)), layers.Dense(19, "tanh"), *further, layers.Dense(3, "softmax")])


def compiled(model, optimizer="adam"):
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, engine=wanted, **options):
    history = model.fit(x, y, **{"batch_size": 8, "epochs": 2, "verbose": 0} | options).history
    used = {session.engine.name for session in model._sessions.values() if hasattr(session, "engine")}
    assert engine in used, (engine, used)
    return history


def late():
    """Ranks arrive one after the other, the first one last."""
    time.sleep(0.005 * (world.size - world.rank))


def keep(name, model, history=None):
    """Notes a model's and its optimizer's state, which must be the same on every rank."""
    values = [w.numpy() for w in [*model.weights, *model.optimizer.variables]]
    for other in world.allgather_object(values):
        for a, b in zip(values, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
    results.update({f"{name}/{i}": value for i, value in enumerate(values)})
    for key, value in (history or {}).items():
        results[f"{name}/{key}"] = np.array(value)


# What optimizers do besides the update, statistics that move, and constraints.
cases = {
    "average": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
    "average at the end": lambda: optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.8),
    "accumulate": lambda: optimizers.Adagrad(0.1, gradient_accumulation_steps=3),
    "global norm": lambda: optimizers.AdamW(0.01, global_clipnorm=0.1),
    "whole weights": lambda: optimizers.Lamb(0.01, clipnorm=0.2),
    "loss scale": lambda: optimizers.LossScaleOptimizer(optimizers.Adafactor(0.05), initial_scale=8.0),
    "free": lambda: optimizers.ScheduleFreeAdamW(0.01),
}
for name, make in cases.items():
    keras.utils.set_random_seed(4)  # a layer's initial values are settled when it is made
    bounded = layers.Dense(11, "relu", kernel_constraint="max_norm", bias_constraint="non_neg")
    model = compiled(network(layers.BatchNormalization(), layers.Dropout(0.2), bounded), make())
    history = fit(model, validation_data=(x, y))
    keep(name, model, history)
    results[f"{name}/predicted"] = model.predict(x, verbose=0)

# Values read, changed and written by ranks of different speed.
model = compiled(network())
fit(model)
if wanted == "node":
    assert not model.weights[0].value.flags.writeable
    assert not np.asarray(model.weights[0], copy=False).flags.writeable
for _ in range(3):
    for variable in model.weights:
        late()
        variable.assign(0.5 * variable.value + 0.01)
        variable.assign_add(np.full(variable.shape, 0.02))
assert model.weights[0].value.flags.writeable
keep("changed", model)
results["changed/evaluated"] = np.array(model.evaluate(x, y, verbose=0))
fit(model)
keep("changed and trained", model)
late()
model.set_weights([w + world.rank for w in model.get_weights()])  # rank 0's count
results["set/predicted"] = model.predict(x, verbose=0)
keep("set", model)
model.layers[0].kernel.assign_add(np.full(model.layers[0].kernel.shape, 0.01 * (1 - world.rank)))
fit(model)
keep("set and trained", model)
if world.rank == world.size - 1 and world.size > 1:
    model.weights[1].assign(np.full(19, 7.0))  # on one rank that is not the first: of no effect
fit(model)
keep("not set", model)

# Steps of the optimizer outside of a training step, and its state set.
for name in ("adam", "adafactor"):
    model = compiled(network(), optimizers.get(name))
    fit(model)
    late()
    for _ in range(2):
        model.optimizer.apply([0.1 * np.ones(v.shape, "f4") for v in model.trainable_variables])
    keep(f"{name} applied", model)
    fit(model)
    keep(f"{name} applied and trained", model)
    late()
    model.optimizer.set_weights([0.5 * v.numpy() for v in model.optimizer.variables])
    keep(f"{name} state set", model)
    fit(model)
    keep(f"{name} state set and trained", model)

# Files, an optimizer restored before the first step, copies, other data shapes, a new optimizer.
model = compiled(network())
fit(model)
with tempfile.TemporaryDirectory() as folder:
    folder = world.broadcast_object(folder)
    model.save_weights(f"{folder}/a.weights.h5")
    late()
    restored = compiled(network(seed=6))
    restored.optimizer.build(restored.trainable_variables)
    restored.load_weights(f"{folder}/a.weights.h5")
    late()
    fit(model)
    fit(restored)
    keep("saved", model)
    keep("restored", restored)
    model.load_weights(f"{folder}/a.weights.h5")
    fit(model)
    keep("loaded", model)
    world.barrier()
copied = copy.deepcopy(model.optimizer)
before = [v.numpy() for v in copied.variables]
fit(model)
assert all((v.numpy() == b).all() for v, b in zip(copied.variables, before, strict=True))
history = fit(model, sample_weight=np.linspace(0.5, 2, 43))  # another step, with the same slots
keep("weighted", model, history)
fit(model)
compiled(model, optimizers.SGD(0.05, momentum=0.9))
fit(model)
keep("compiled again", model)

# A part of a model, with weights frozen, trained in turns with the whole.
base = network(layers.Dense(8, "relu"))
inner = compiled(keras.Sequential([keras.Input((7,)), *base.layers[:2], layers.Dense(3, "softmax")]))
compiled(base)
for turn in range(3):
    fit(base, epochs=1)
    late()
    fit(inner, epochs=1)
    if turn == 1:
        base.layers[0].trainable = False
        compiled(base), compiled(inner)
keep("turns", base)
keep("turns, a part", inner)


# Callbacks and data that change weights in the middle.
class Shrink(keras.callbacks.Callback):
    def __init__(self, *ranks):
        super().__init__()
        self.ranks = ranks

    def on_train_batch_end(self, batch, logs=None):
        late()
        if batch % 3 == 1 and (not self.ranks or world.rank in self.ranks):
            for variable in self.model.trainable_variables:
                variable.assign(0.9 * variable.value)


class Other(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        other.fit(x, y, batch_size=8, verbose=0)
        logs["other"] = other.evaluate(x, y, verbose=0)[0]


def data():
    for i in range(5):
        late()
        if i in (0, 3):
            model.layers[0].kernel.assign(0.9 * model.layers[0].kernel.value)
        yield x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]


for ranks in ((), (0,)):
    model = compiled(network(layers.BatchNormalization()))
    fit(model, callbacks=[Shrink(*ranks)])
    keep(f"shrunk on {ranks or 'all'}", model)
model = compiled(network())
other = compiled(keras.Sequential([keras.Input((7,)), model.layers[0], layers.Dense(3, "softmax")]))
keep("other", model, fit(model, callbacks=[Other()]))
model = compiled(network(layers.Dropout(0.3), layers.BatchNormalization()))
model.fit(data(), verbose=0)
keep("set by data", model)
model = compiled(network(), optimizers.Adam(0.01, use_ema=True))
swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
keep("swapped", model, fit(model, epochs=3, callbacks=[swap], validation_data=(x, y)))
model = compiled(network())
stopping = keras.callbacks.EarlyStopping("loss", mode="max", patience=2, restore_best_weights=True)
keep("stopped", model, fit(model, epochs=9, callbacks=[stopping]))
fit(model)
keep("stopped and trained", model)


# What can't be divided is done by all, and steps of one batch.
class Heavy(optimizers.Optimizer):
    def build(self, variables):
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        m.assign(0.9 * m - learning_rate * gradient)
        variable.assign_add(m)


model = compiled(network())
fit(model)
compiled(model, Heavy(0.05))
fit(model, engine="flat" if world.size > 1 else "solo")
keep("in Python", model)
compiled(model)
for i in range(4):
    model.train_on_batch(x[:2] * i, y[:2])
keep("few", model)
for runner in ({"jit_compile": False}, {"run_eagerly": True}):
    model.compile("rmsprop", "sparse_categorical_crossentropy", **runner)
    model.fit(x[:9], y[:9], batch_size=4, verbose=0)
    keep(str(runner), model)

# An error on all ranks, after which all go on.
bad = y.copy()
bad[11] = 3
for _ in range(2):
    try:
        model.fit(x, bad, batch_size=8, verbose=0)
    except ValueError as error:
        assert "Received: labels from 0 to 3" in str(error)
    else:
        raise AssertionError("no error")
fit(model)
keep("after an error", model)

if world.rank == 0:
    np.savez(sys.argv[1], **results)
    print("all agree")
