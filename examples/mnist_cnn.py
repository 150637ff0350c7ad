"""Trains a convolutional network on MNIST.

    python examples/mnist_cnn.py
    mpirun -n 4 python examples/mnist_cnn.py --path data/mnist.npz

The data are downloaded once into Keras' folder, unless `--path` names a file.
"""

import argparse

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("--path", default="mnist.npz", help="an .npz file with x_train, y_train, x_test and y_test")
parser.add_argument("--epochs", type=int, default=5)
arguments = parser.parse_args()

dseq.utils.set_random_seed(1)
(x_train, y_train), (x_test, y_test) = dseq.datasets.mnist.load_data(arguments.path)
x_train, x_test = x_train[..., None], x_test[..., None]

model = dseq.Sequential(
    [
        dseq.Input((28, 28, 1)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
# Steps that become smaller, down to 0 in the last one, are worth a quarter of a percent here.
steps = arguments.epochs * -(-len(x_train) // 128)
optimizer = dseq.optimizers.Adam(dseq.optimizers.schedules.CosineDecay(0.004, steps))
model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()

model.fit(x_train, y_train, batch_size=128, epochs=arguments.epochs, validation_data=(x_test, y_test))
model.save_weights("mnist_cnn.weights.h5")

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
dseq.print_once(f"test accuracy: {accuracy:.4f}")
