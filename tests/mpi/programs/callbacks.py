"""Callbacks on several ranks: what one rank decides, all do; what one rank sets, all have; files come from one."""

import csv
import sys
import threading
import warnings
from pathlib import Path

import numpy as np

import dseq as keras
from dseq import layers
from dseq.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    RemoteMonitor,
    TerminateOnNaN,
)
from dseq.parallel import communicator

folder = Path(sys.argv[1])
world = communicator.get()
last = world.rank == world.size - 1
x = np.random.default_rng(0).random((40, 5)).astype("float32")
y = np.arange(40) % 3


def model(rate=0.01):
    keras.utils.set_random_seed(1)
    made = keras.Sequential([keras.Input((5,)), layers.Dense(8, "relu"), layers.Dense(3, "softmax")])
    made.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def fit(*callbacks, made=None, **options):
    made = made or model()
    history = made.fit(x, y, batch_size=8, verbose=0, callbacks=list(callbacks), **{"epochs": 4} | options)
    same(np.concatenate([w.ravel() for w in made.get_weights()]))
    same(float(made.optimizer.learning_rate))
    same(history.epoch)
    return made, history


def same(value):
    values = world.allgather_object(value)
    for other in values[1:]:
        np.testing.assert_array_equal(other, values[0])


def said(text):
    if world.rank == 0:
        print(text, flush=True)


# Decisions by logs.
made, history = fit(
    EarlyStopping("loss", patience=2, min_delta=10, restore_best_weights=True), TerminateOnNaN(), epochs=9
)
said(f"early stopping | {len(history.epoch)}")
made, history = fit(ReduceLROnPlateau("val_loss", patience=1, min_delta=10), validation_split=0.25)
said(f"plateau | {float(made.optimizer.learning_rate):.2e} {[f'{v:.0e}' for v in history.history['learning_rate']]}")


# What one rank decides. A value that one rank alone has in its logs makes its callbacks differ.
class Own(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if last:
            logs["score"] = float(epoch != 1)
        else:
            logs["score"] = 1.0 + epoch


_, history = fit(Own(), EarlyStopping("score", mode="max"))
said(f"own score | {len(history.epoch)}")


class Stop(Callback):
    def __init__(self, hook):
        super().__init__()
        setattr(self, hook, self.stop)

    def stop(self, index=1, logs=None):
        if last and index == 1:
            self.model.stop_training = True


for hook in ("on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"):
    made, history = fit(Stop(hook))
    said(f"stop in {hook} | {len(history.epoch)} epochs, {made.optimizer.step_count} steps")


# What one rank sets: rank 0's counts.
def once(function, rank=0):
    return lambda epoch, logs: function() if world.rank == rank and epoch == 1 else None


made = model()
fit(LambdaCallback(on_epoch_begin=once(lambda: setattr(made.optimizer, "learning_rate", 0.5))), made=made)
said(f"rate by rank 0 | {float(made.optimizer.learning_rate)}")
made = model()
fit(LambdaCallback(on_epoch_end=once(lambda: setattr(made.optimizer, "learning_rate", 0.5), world.size - 1)), made=made)
said(f"rate by the last rank | {float(made.optimizer.learning_rate):.2f}")
made, history = fit(LearningRateScheduler(lambda epoch: 0.1 * (1 + world.rank)))
said(f"rate by rank | {float(made.optimizer.learning_rate):.2f}")
made = model()
seen = []
zero = LambdaCallback(
    on_train_batch_end=lambda batch, logs: (
        made.set_weights([0 * w for w in made.get_weights()]) if batch == 2 and world.rank == 0 else None
    ),
    on_train_batch_begin=lambda batch, logs: seen.append(np.abs(made.get_weights()[0]).max()) if batch == 3 else None,
)
fit(zero, made=made, epochs=1)
same(seen)
said(f"weights by rank 0 | {float(seen[0])}")

# A signal or a thread on one rank, at any moment.
made = model()
timer = threading.Timer(0.5, lambda: last and setattr(made, "stop_training", True))
timer.start()
_, history = fit(made=made, epochs=10**7)
timer.join()
said(f"stop by a thread | {made.stop_training} {len(history.epoch) > 1}")

# A function on one rank only.
calls = []
on_rank_0 = {"on_train_batch_end": lambda batch, logs: calls.append(logs["loss"])} if world.rank == 0 else {}
on_last = {"on_test_batch_end": lambda batch, logs: calls.append(logs["loss"])} if last else {}
fit(LambdaCallback(**on_rank_0), LambdaCallback(**on_last), validation_split=0.25, epochs=2)
said(f"hooks on some ranks | {len(calls)}")
if last and world.rank != 0:
    assert len(calls) == 4, calls

# Files.
path = folder / "log.csv"
fit(CSVLogger(path), ModelCheckpoint(folder / "{epoch}.weights.h5", save_weights_only=True), epochs=3)
with open(path, newline="") as file:
    rows = list(csv.reader(file))
files = sorted(p.name for p in folder.glob("*.weights.h5"))
said(f"files | {len(rows)} {[row[0] for row in rows]} {files}")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit(RemoteMonitor("http://127.0.0.1:1"), epochs=2)
said(f"warnings | {world.allgather_object(len(caught))[-2:]}")
for wrong in (CSVLogger(folder / "no" / "log.csv"), ModelCheckpoint(path / "a.weights.h5", save_weights_only=True)):
    try:
        fit(wrong, epochs=1)
        raise AssertionError("a file that can't be written must raise")
    except OSError as error:
        kinds = world.allgather_object(type(error).__name__)
        said(f"{type(wrong).__name__} | {set(kinds)}")


# Methods that all ranks must call, called on one.
class Alone(Callback):
    def __init__(self, hook, method):
        super().__init__()
        self.method = method
        setattr(self, hook, self.call)

    def call(self, index=0, logs=None):
        if world.rank == 0:
            self.method(self.model)


methods = {
    "predict": lambda m: m.predict(x, verbose=0),
    "evaluate": lambda m: m.evaluate(x, y, verbose=0),
    "save_weights": lambda m: m.save_weights(folder / "alone.weights.h5"),
}
hooks = ["on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"]
alone = [*((hook, "predict") for hook in [*hooks, "on_test_end"]), ("on_epoch_end", "evaluate")]
for hook, method in [*alone, ("on_epoch_end", "save_weights")]:
    try:
        fit(Alone(hook, methods[method]), validation_split=0.25)
        raise AssertionError(f"{method} on one rank in {hook} must raise")
    except ValueError as error:
        same(str(error))
        said(f"{method} in {hook} | {error}")
for run in (lambda m, c: m.evaluate(x, y, verbose=0, callbacks=c), lambda m, c: m.predict(x, verbose=0, callbacks=c)):
    for hook in ("on_test_batch_end", "on_predict_batch_end", "on_predict_begin", "on_test_begin"):
        try:
            run(model(), [Alone(hook, methods["save_weights"])])
        except ValueError as error:
            said(f"save_weights in {hook} | {error}")
fit()
world.barrier()
said("together to the end")
