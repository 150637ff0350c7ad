"""Trains on the handwritten digits that come with dseq, alone or on many ranks.

    python examples/digits.py
    mpirun -n 2 python examples/digits.py
    mpirun -n 2 python examples/digits.py --epochs 5 --weights runs/digits.weights.h5

The weights are saved at the end; if there are any at the start, training goes on from them. `batch_size` is that of all
ranks together: the number of ranks changes the speed, not the result.
"""

import argparse
from pathlib import Path

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--weights", metavar="FILE", default="digits.weights.h5")
arguments = parser.parse_args()

dseq.utils.set_random_seed(1)
(x_train, y_train), (x_test, y_test) = dseq.datasets.digits.load_data()

model = dseq.Sequential(
    [
        dseq.Input((8, 8)),
        layers.Rescaling(1 / 16),
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(dseq.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()

if Path(arguments.weights).exists():
    dseq.print_once(f"going on from {arguments.weights}")
    model.load_weights(arguments.weights)

model.fit(x_train, y_train, batch_size=32, epochs=arguments.epochs)
model.save_weights(arguments.weights)

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
dseq.print_once(f"test accuracy: {accuracy:.4f}")
