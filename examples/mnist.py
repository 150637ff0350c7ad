"""Trains a multilayer perceptron on MNIST and keeps the weights of its best epoch.

    python examples/mnist.py
    mpirun -n 4 python examples/mnist.py
    mpirun -n 4 python examples/mnist.py --path data/mnist.npz

The data are downloaded once into Keras' folder, unless `--path` names a file.
"""

import argparse

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("--path", default="mnist.npz", help="an .npz file with x_train, y_train, x_test and y_test")
parser.add_argument("--epochs", type=int, default=10)
arguments = parser.parse_args()

dseq.utils.set_random_seed(1)
(x_train, y_train), (x_test, y_test) = dseq.datasets.mnist.load_data(arguments.path)
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255

model = dseq.Sequential(
    [
        dseq.Input((784,)),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()

model.fit(x_train, y_train, batch_size=128, epochs=arguments.epochs, validation_data=(x_test, y_test))
model.save_weights("mnist.weights.h5")

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
dseq.print_once(f"test accuracy: {accuracy:.4f}")
