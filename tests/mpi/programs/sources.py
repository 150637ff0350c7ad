"""Trains from every kind of source; rank 0 writes the results to the file named: they must not depend on the ranks."""

import sys
import warnings
from pathlib import Path

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator
from tests.training.sources import ByRows, Loader, Whole, batches

folder = Path(sys.argv[1])
world = communicator.get()
rng = np.random.default_rng(0)
x = rng.standard_normal((83, 7)).astype("float32")  # 83 rows in batches of 8: the last has 3
y = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)
w = np.linspace(0.5, 2, 83)
results = {}


def network(loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(5)
    stack = [keras.Input((7,)), layers.Dense(16, "relu"), layers.Dropout(0.3), layers.Dense(3, "softmax")]
    model = keras.Sequential(stack)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


if world.rank == 0:
    import h5py

    with h5py.File(folder / "data.h5", "w") as file:
        file["x"], file["y"], file["w"] = x, y, w
    np.save(folder / "x.npy", x)
world.barrier()


def file(**options):
    options = {"buffer_size": 700, "block_size": 100} | options
    return keras.data.HDF5(folder / "data.h5", "x", "y", "w", **options)


sources = {
    "arrays": lambda: {"x": x, "y": y, "sample_weight": w, "batch_size": 8},
    "generator": lambda: {"x": batches(x, y, w, times=4), "steps_per_epoch": 11},
    "loader": lambda: {"x": Loader(x, y, w)},
    "PyDataset": lambda: {"x": Whole(x, y, w)},
    "rows": lambda: {"x": ByRows(x, y, w, workers=2)},
    "processes": lambda: {"x": Whole(x, y, w, workers=1, use_multiprocessing=True)},
    "HDF5": lambda: {"x": file(), "batch_size": 8},
    "memory map": lambda: {
        "x": np.load(folder / "x.npy", mmap_mode="r"),
        "y": y,
        "sample_weight": w,
        "batch_size": 8,
    },
}
for name, make in sources.items():
    model = network()
    given = make()
    history = model.fit(**given, epochs=3, shuffle=False, verbose=0, validation_data=file(), validation_batch_size=8)
    history = history.history
    results |= {f"{name}/{key}": np.array(values) for key, values in history.items()}
    results |= {f"{name}/weight_{i}": weight for i, weight in enumerate(model.get_weights())}
    given = make()
    steps = given.pop("steps_per_epoch", None)
    results[f"{name}/evaluate"] = np.array(model.evaluate(**given, steps=steps, verbose=0))
    given = {key: value for key, value in make().items() if key in ("x", "batch_size")}
    results[f"{name}/predict"] = model.predict(**given, steps=steps, verbose=0)
    if name == "rows":
        asked = max(stop - start for _, start, stop in given["x"].asked)
        assert asked <= -(-8 // world.size), given["x"].asked
    if name == "HDF5":
        assert given["x"].bytes_read <= 83 * 44 / world.size + 44 * 12, given["x"].bytes_read

# Shuffled: an order of its own, the same for any number of ranks, whether blocks, batches or all samples are mixed.
for shuffle in (True, "batch"):
    for name, data in (("one window", file(buffer_size=10**6)), ("windows", file()), ("chunks", file(block_size=400))):
        model = network()
        history = model.fit(data, batch_size=8, epochs=2, shuffle=shuffle, verbose=0).history
        results[f"{shuffle} {name}/loss"] = np.array(history["loss"])
        results[f"{shuffle} {name}/weight"] = model.get_weights()[0]
model = network()
model.fit(x, y, sample_weight=w, batch_size=8, epochs=2, shuffle="batch", verbose=0)
results["True of arrays/weight"] = model.get_weights()[0]
np.testing.assert_allclose(model.get_weights()[0], results["batch windows/weight"], rtol=1e-6)

# A loss that counts some labels only, on batches that no rank has as a whole; batches shorter than there are ranks.
model = network(keras.losses.SparseCategoricalCrossentropy(ignore_class=0))
results["ignored in rows/loss"] = np.array(model.fit(ByRows(x, y), epochs=2, shuffle=False, verbose=0).history["loss"])
results["ignored in arrays/loss"] = np.array(
    network(model.loss).fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
)
np.testing.assert_allclose(results["ignored in rows/loss"], results["ignored in arrays/loss"], rtol=1e-6)
short = ((x[lo:hi], y[lo:hi]) for lo, hi in ((0, 1), (1, 3), (3, 40), (40, 41)))
results["short batches/loss"] = np.array(network().fit(short, verbose=0).history["loss"])

# Copies that differ in length: all end together, and rank 0 says so.
times = 2 if world.rank == world.size - 1 and world.size > 1 else 3
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    history = network().fit(batches(x[:80], y[:80], times=times), verbose=0)
said = [str(one.message) for one in caught if "ended on rank" in str(one.message)]
assert history.epoch == [0] and len(said) == (world.rank == 0 and world.size > 1), caught
assert not said or f"ended on rank {world.size - 1} after 20 batches" in said[0], said

# Copies that differ in content are allowed, and said; in the size of a batch they are an error on all ranks.
if world.size > 1:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network().fit(batches(x + world.rank, y), verbose=0)
    assert any("give different batches" in str(one.message) for one in caught) == (world.rank == 0)
    for data in (batches(x, y, size=8 + (world.rank == 1)), Whole(x, y, size=8 + (world.rank == 1))):
        try:
            network().fit(data, verbose=0)
            message = ""
        except ValueError as error:
            message = str(error)
        assert "rank 0: 8 samples; rank 1: 9 samples" in message or "number of batches differs" in message, message
        assert len(set(world.allgather_object(message))) == 1

# Bad labels in what one rank alone has read are the same error everywhere.
messages = []
for data in (ByRows(x, np.where(np.arange(83) == 20, 7, y)), Whole(x, np.where(np.arange(83) == 20, 7, y))):
    try:
        network().fit(data, shuffle=False, verbose=0)
    except ValueError as error:
        messages.append(str(error))
assert len(messages) == 2 and "to 7" in messages[0], messages
assert len(set(map(tuple, world.allgather_object(messages)))) == 1
world.barrier()
if world.rank == 0:
    np.savez(folder / "results.npz", **results)
    print("all sources agree")
