"""Every kind of bad input: each must be the same error on every rank, and leave all ranks able to go on."""

import os
import sys
from pathlib import Path

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

world = communicator.get()
folder = Path(sys.argv[1])
x = np.random.default_rng(0).random((40, 5)).astype("float32")
y = np.arange(40) % 3


def model(units=8, loss="sparse_categorical_crossentropy", activation="relu", metrics=("accuracy",), strict=None):
    keras.utils.set_random_seed(1)
    keras.backend.clear_session()
    made = keras.Sequential([keras.Input((5,)), layers.Dense(units, activation), layers.Dense(3, "softmax")])
    if loss:
        made.compile("adam", loss, metrics=list(metrics), strict=strict)
    return made


def only_here(value, other):
    return value if world.rank == world.size - 1 else other


bad_labels = y.copy()
bad_labels[-1] = 7
good = folder / "good.weights.h5"
model().save_weights(good)
if world.rank == 0:
    (folder / "foreign.weights.h5").write_bytes(b"not HDF5" * 100)
    (folder / "short.weights.h5").write_bytes(good.read_bytes()[:3000])
world.barrier()

terminate = keras.callbacks.TerminateOnNaN()
differs = {
    "model differs": lambda: model(units=only_here(9, 8)).fit(x, y, verbose=0),
    "data differ": lambda: model().fit(x, only_here(y[::-1].copy(), y), verbose=0),
    "shapes differ": lambda: model().fit(only_here(x[:20], x), only_here(y[:20], y), verbose=0),
    "activation differs": lambda: model(activation=only_here("tanh", "relu")).fit(x, y, verbose=0),
    "metrics differ": lambda: model(metrics=only_here([], ["accuracy"])).fit(x, y, verbose=0),
    "strictness differs": lambda: model(strict=only_here(True, False)).fit(x, y, verbose=0),
    "steps differ": lambda: model().fit(x, y, verbose=0, steps_per_epoch=only_here(1, 2)),
    "epochs differ": lambda: model().fit(x, y, verbose=0, epochs=3, initial_epoch=only_here(1, 0)),
    "validation differs": lambda: model().fit(x, y, verbose=0, validation_data=only_here(None, (x, y))),
    "order differs": lambda: model().fit(x, y, verbose=0, shuffle=only_here(True, False)),
    "steps of predict differ": lambda: model().predict(x, verbose=0, steps=only_here(1, 2)),
    "callbacks differ": lambda: model().fit(x, y, verbose=0, callbacks=only_here([terminate], [])),
    "methods differ": lambda: getattr(model(), only_here("predict", "evaluate"))(x, *only_here((), (y,)), verbose=0),
}
CASES = differs if world.size > 1 else {}
CASES |= {
    "wrong feature count": lambda: model().fit(x[:, :4], y, verbose=0),
    "hint": lambda: model(loss="categorical_crossentropy").fit(x, y, verbose=0),
    "label out of range": lambda: model().fit(x, bad_labels, batch_size=40, verbose=0),
    "label out of range in evaluate": lambda: model().evaluate(x, bad_labels, verbose=0),
    "lengths": lambda: model().fit(x, y[:30], verbose=0),
    "not compiled": lambda: model(loss=None).fit(x, y, verbose=0),
    "foreign file": lambda: model().load_weights(folder / "foreign.weights.h5"),
    "truncated file": lambda: model().load_weights(folder / "short.weights.h5"),
    "missing file": lambda: model().load_weights(folder / "missing.weights.h5"),
    "other architecture": lambda: model(units=9).load_weights(good),
    "wrong suffix": lambda: model().save_weights(folder / "name.h5"),
    "folder does not exist": lambda: model().save_weights(folder / "none" / "a.weights.h5"),
}
if os.geteuid() != 0:
    CASES["unwritable folder"] = lambda: model().save_weights("/a.weights.h5")

for name, use in CASES.items():
    try:
        use()
        message = None
    except (ValueError, OSError) as error:
        message = f"{type(error).__name__}: {error}"
    messages = world.allgather_object(message)
    assert all(messages), (name, messages)
    if name != "methods differ":
        assert len(set(messages)) == 1, (name, messages)
    if world.rank == 0:
        print(name, "|", messages[0].replace("\n", " "))

history = model().fit(x, y, verbose=0, epochs=2)  # and all ranks go on
assert len(history.history["loss"]) == 2
nan = x.copy()
nan[3] = np.nan
assert np.isnan(model().fit(nan, y, verbose=0).history["loss"][0])
world.barrier()
if world.rank == 0:
    print("all ranks went on")
