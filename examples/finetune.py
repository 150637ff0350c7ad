"""Learns the digits 0 to 4, then fine-tunes a new head on 5 to 9 over the frozen base.

    python examples/finetune.py
    mpirun -n 2 python examples/finetune.py

The base goes through a file, as if it had been trained elsewhere: by dseq on any number of ranks, or by Keras.
"""

import dseq
from dseq import layers

dseq.utils.set_random_seed(1)
(x_train, y_train), (x_test, y_test) = dseq.datasets.digits.load_data()


def make_base():
    """What both tasks have in common: from an image to 128 features."""
    return dseq.Sequential(
        [
            dseq.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
        ],
        name="base",
    )


def with_head(base):
    """A model that tells five digits apart by the features of a base."""
    model = dseq.Sequential([dseq.Input((8, 8)), base, layers.Dense(5, activation="softmax", name="head")])
    model.compile(dseq.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# 0 to 4: everything learns.
low_train, low_test = y_train < 5, y_test < 5
base = make_base()
model = with_head(base)
model.fit(x_train[low_train], y_train[low_train], epochs=10, verbose=2)
loss, accuracy = model.evaluate(x_test[low_test], y_test[low_test], verbose=0)
dseq.print_once(f"digits 0 to 4: test accuracy {accuracy:.4f}")
base.save_weights("base.weights.h5")

# 5 to 9: only the head learns.
base = make_base()
base.load_weights("base.weights.h5")
base.trainable = False
model = with_head(base)
model.summary()
model.fit(x_train[~low_train], y_train[~low_train] - 5, epochs=20, verbose=2)
loss, accuracy = model.evaluate(x_test[~low_test], y_test[~low_test] - 5, verbose=0)
dseq.print_once(f"digits 5 to 9: test accuracy {accuracy:.4f}")
