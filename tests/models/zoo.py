"""Models of every shape that a graph can have, with weights and data of a closed form, which Keras has numbers for."""

import numpy as np

import dseq as keras
from dseq import layers


def wave(shape, phase, size=1.0):
    """Numbers of a shape: `size * sin(phase + 0, 1, 2, ...)`, rounded to float32."""
    return (size * np.sin(phase + np.arange(np.prod(shape)))).reshape(shape).astype("float32")


def fill(model):
    """Gives a model weights of a closed form, in the order of `weights`; returns it."""
    model.set_weights([wave(w.shape, j + 1, 0.3) for j, w in enumerate(model.weights)])
    return model


def tower(blocks=50):
    """Residual blocks on top of each other."""
    x = keras.Input((5,))
    h = layers.Dense(8, "tanh")(x)
    for _ in range(blocks):
        h = layers.Add()([h, layers.Dense(8, "tanh")(h)])
    return keras.Model(x, layers.Dense(2)(h))


def u_shape():
    """Down, and up again with concatenations across."""
    x = keras.Input((16,))
    a = layers.Dense(8, "relu")(x)
    b = layers.Dense(4, "tanh")(a)
    c = layers.Dense(2, "tanh")(b)
    up = layers.Concatenate()([layers.Dense(4, "tanh")(c), b])
    top = layers.Concatenate()([layers.Dense(8, "tanh")(up), a])
    return keras.Model(x, layers.Dense(16)(top))


def siamese():
    """Two inputs through one trunk."""
    trunk = keras.Sequential([keras.Input((5,)), layers.Dense(4, "tanh"), layers.Dense(3)], name="trunk")
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    return keras.Model([a, b], layers.Dense(1, "sigmoid")(layers.Subtract()([trunk(a), trunk(b)])))


def two_towers():
    """Users and items, and the cosine between what becomes of them."""
    user, item = keras.Input((5,), name="user"), keras.Input((3,), name="item")
    p = layers.Dense(4)(layers.Dense(6, "relu")(user))
    q = layers.Dense(4)(layers.Dense(6, "tanh")(item))
    return keras.Model({"user": user, "item": item}, layers.Dot(axes=1, normalize=True)([p, q]))


def nested():
    """A model in a model in a model, and the innermost once more beside."""
    a = keras.Input((4,))
    inner = keras.Model(a, layers.Dense(4, "tanh")(a), name="inner")
    b = keras.Input((4,))
    middle = keras.Model(b, layers.Dense(4)(inner(b)), name="middle")
    c = keras.Input((4,))
    return keras.Model(c, layers.Add()([middle(c), inner(c)]), name="outer")


def repeated(times=6):
    """One layer, called on its own output again and again."""
    shared = layers.Dense(5, "tanh")
    x = h = keras.Input((5,))
    for _ in range(times):
        h = shared(h)
    return keras.Model(x, h)


def structured():
    """Inputs and outputs in dicts of lists and tuples."""
    a, b, c = (keras.Input((n,), name=name) for n, name in ((2, "a"), (3, "b"), (4, "c")))
    h = layers.Concatenate()([a, b])
    second = layers.Multiply()([layers.Dense(3, "tanh", name="gate")(h), layers.Dense(3, name="value")(c)])
    outputs = {"z": layers.Dense(1, name="first")(h), "y": [second, layers.Dense(2, name="third")(c)]}
    return keras.Model({"u": [a, b], "v": (c,)}, outputs)


S = wave((8, 5), 1)
# For each model: how it is made, its data and targets, its loss.
ZOO = {
    "tower": (tower, S, wave((8, 2), 2), "mse"),
    "u_shape": (u_shape, wave((8, 16), 1), wave((8, 16), 2), "mse"),
    "siamese": (siamese, [S, S[::-1].copy()], (wave((8, 1), 2) > 0).astype("float32"), "binary_crossentropy"),
    "two_towers": (two_towers, {"user": S, "item": wave((8, 3), 3)}, wave((8, 1), 2), "mse"),
    "nested": (nested, wave((8, 4), 1), wave((8, 4), 2), "mse"),
    "repeated": (repeated, S, wave((8, 5), 2), "mse"),
    "structured": (
        structured,
        {"u": [wave((8, 2), 1), wave((8, 3), 2)], "v": (wave((8, 4), 3),)},
        {"z": wave((8, 1), 4), "y": [wave((8, 3), 5), wave((8, 2), 6)]},
        "mse",
    ),
}
