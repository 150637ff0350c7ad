"""Teaches a trained Xception classes of your own: a new head on frozen features first, then all of it, slowly.

    python examples/transfer_learning.py pictures
    mpirun -n 2 python examples/transfer_learning.py pictures.h5 --weights xception_notop.h5

`pictures` is a folder with a folder of images for each class; `pictures.h5` a file with `images`, bytes of shape
(samples, height, width, 3), and `labels`, in no particular order. A fifth of them is held out. `--weights` is
`imagenet` (Keras' file, from `~/.keras/models` or downloaded there), the path of a weights file, or `none` to learn
from scratch.
"""

import argparse

import h5py

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("pictures")
parser.add_argument("--weights", default="imagenet")
parser.add_argument("--size", type=int, default=150, help="height and width to which images in folders are brought")
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--epochs", type=int, nargs=2, default=(5, 3), metavar=("HEAD", "ALL"))
arguments = parser.parse_args()

dseq.utils.set_random_seed(1)

if arguments.pictures.endswith((".h5", ".hdf5")):
    with h5py.File(arguments.pictures) as file:
        count, *shape = file["images"].shape
        classes = int(file["labels"][:].max()) + 1
    kept = count - count // 5
    train = dseq.data.HDF5(arguments.pictures, "images", "labels", stop=kept)
    held_out = dseq.data.HDF5(arguments.pictures, "images", "labels", start=kept)
    batch = {"batch_size": arguments.batch}
else:
    shape, batch = (arguments.size, arguments.size, 3), {}
    train, held_out = dseq.utils.image_dataset_from_directory(
        arguments.pictures,
        image_size=shape[:2],
        batch_size=arguments.batch,
        validation_split=0.2,
        subset="both",
        seed=1,
    )
    classes = len(train.class_names)

# Xception without its classifier gives 2048 features of an image with pixels from -1 to 1. `training=False` keeps the
# statistics of its batch normalisation in the second stage too: a few images would spoil them.
weights = None if arguments.weights == "none" else arguments.weights
base = dseq.applications.Xception(weights=weights, include_top=False, input_shape=tuple(shape), pooling="avg")
base.trainable = False

image = dseq.Input(tuple(shape))
features = base(layers.Rescaling(1 / 127.5, offset=-1)(image), training=False)
scores = layers.Dense(classes, activation="softmax", name="head")(layers.Dropout(0.2)(features))
model = dseq.Model(image, scores)


def learn(title, rate, epochs):
    """Trains what is not frozen."""
    model.compile(dseq.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dseq.print_once(f"{title}: {sum(w.size for w in model.trainable_weights):,} weights learn")
    return model.fit(train, epochs=epochs, validation_data=held_out, verbose=2, **batch)


head_epochs, all_epochs = arguments.epochs
learn("the head", 1e-3, head_epochs)

base.trainable = True
learn("all of it", 1e-5, all_epochs)

loss, accuracy = model.evaluate(held_out, verbose=0, **batch)
dseq.print_once(f"test accuracy: {accuracy:.4f}")
model.save_weights("transfer.weights.h5")
