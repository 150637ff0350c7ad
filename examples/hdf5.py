"""Trains on samples in an HDF5 file, maybe far larger than memory: each rank reads its share, a buffer at a time.

    python examples/hdf5.py --make 20
    python examples/hdf5.py
    mpirun -n 2 python examples/hdf5.py --epochs 5

The first command writes `samples.h5` from the handwritten digits that come with dseq, each of them 20 times with noise,
sorted by digit: the order in a file does not matter much, because blocks of it are mixed. Any file will do that has
samples along the first axis of its data sets. The number of ranks changes the speed, not the result.
"""

import argparse

import h5py
import numpy as np

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("--make", type=int, metavar="TIMES", help="write the file, and do nothing else")
parser.add_argument("--file", default="samples.h5")
parser.add_argument("--epochs", type=int, default=5)
arguments = parser.parse_args()

dseq.utils.set_random_seed(1)
(x_train, y_train), test = dseq.datasets.digits.load_data()

if arguments.make:
    order = np.argsort(y_train, kind="stable")
    noise = np.random.default_rng(0)
    with h5py.File(arguments.file, "w") as file:
        images = file.create_dataset("images", (arguments.make * len(order), 8, 8), "uint8")
        file["labels"] = np.repeat(y_train[order], arguments.make)
        for i, number in enumerate(order):
            copies = x_train[number] + noise.integers(0, 3, (arguments.make, 8, 8))
            images[i * arguments.make : (i + 1) * arguments.make] = copies
    raise SystemExit

model = dseq.Sequential(
    [
        dseq.Input((8, 8)),
        layers.Rescaling(1 / 16),
        layers.Flatten(),
        layers.Dense(256, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

# A buffer of 1 MB here, so that there is something to see; the default suits real files.
train = dseq.data.HDF5(arguments.file, "images", "labels", block_size=4 << 10, buffer_size=1 << 20)
model.fit(train, batch_size=64, epochs=arguments.epochs, validation_data=test)

loss, accuracy = model.evaluate(*test, verbose=0)
dseq.print_once(f"this rank read {train.bytes_read / 1e6:.1f} MB")
dseq.print_once(f"test accuracy: {accuracy:.4f}")
