"""Trains a small VGG-like network on color images, which are flipped and moved at random while it learns.

    python examples/cifar10_cnn.py
    mpirun -n 4 python examples/cifar10_cnn.py images.h5
    mpirun -n 4 python examples/cifar10_cnn.py folder --epochs 20

Without a path it takes CIFAR-10, which is downloaded once into Keras' folder. An HDF5 file has images of 32 x 32 pixels
in the data sets `x_train` and `x_test`, and their classes in `y_train` and `y_test`. A folder has the folders `train`
and `test`, and in each of them a folder of images for each class; they may be of any size. Whatever the source, each
rank reads its own share, and the number of ranks changes the speed, not the result.
"""

import argparse
from pathlib import Path

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("path", nargs="?", type=Path, help="an HDF5 file, or a folder")
parser.add_argument("--classes", type=int, default=10, help="how many classes an HDF5 file has")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--filters", type=int, default=32, help="of the first block; each block has twice as many")
arguments = parser.parse_args()

dseq.utils.set_random_seed(1)
classes, path = arguments.classes, arguments.path
if path is None:
    try:
        train, test = dseq.datasets.cifar10.load_data()
    except OSError as error:
        dseq.print_once(f"{error}\nOr give an HDF5 file or a folder of images: see --help.")
        raise SystemExit(1) from None
    source, test_source = {"x": train[0], "y": train[1], "batch_size": 128}, test
elif path.is_dir():
    how = {"image_size": (32, 32), "batch_size": 128, "seed": 1}
    train = dseq.utils.image_dataset_from_directory(path / "train", **how)
    classes = len(train.class_names)
    test_source = dseq.utils.image_dataset_from_directory(path / "test", shuffle=False, **how)
    source = {"x": train}
else:
    test_source = dseq.data.HDF5(path, "x_test", "y_test")
    source = {"x": dseq.data.HDF5(path, "x_train", "y_train"), "batch_size": 128}


def block(filters):
    """Two convolutions, each normalized, and an image half as high and wide."""
    for _ in range(2):
        yield layers.Conv2D(filters, 3, padding="same", use_bias=False)
        yield layers.BatchNormalization(momentum=0.9)
        yield layers.ReLU()
    yield layers.MaxPooling2D()
    yield layers.Dropout(0.25)


model = dseq.Sequential(
    [
        dseq.Input((32, 32, 3)),
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
        layers.Rescaling(1 / 128, offset=-1),
        *block(arguments.filters),
        *block(2 * arguments.filters),
        *block(4 * arguments.filters),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(classes, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
model.fit(**source, epochs=arguments.epochs, validation_data=test_source)
model.save_weights("cifar10_cnn.weights.h5")

last = model.evaluate(*test_source, verbose=0) if path is None else model.evaluate(test_source, verbose=0)
dseq.print_once(f"test accuracy: {last[1]:.4f}")
