"""Six training steps of small networks of other layers in Keras 3.15.1: losses, sums of weights, first predictions.

Weight j of a model is `0.3 * sin(j + 1 + arange(n))`; factors and variances are `1 + 0.1 * sin(j + 1 + arange(n))`.
"""

import numpy as np

from tests.training.golden_runs import det


def _images(keras):
    layers = keras.layers
    stack = [
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(5, 3, strides=2, padding="same"),
        layers.BatchNormalization(),
        layers.AveragePooling2D(2, strides=1, padding="same"),
        layers.Flatten(),
        layers.Dense(2),
    ]
    return stack, keras.optimizers.SGD(0.05, momentum=0.9), "mse", det((4, 8, 8, 3), 2, 1.0), det((4, 2), 3, 1.0)


def _tokens(keras):
    layers = keras.layers
    tokens = (np.arange(24) * 7 % 10).reshape(4, 6).astype("int32")
    tokens[1, 4:] = 0
    tokens[2, 3:] = 0
    stack = [
        keras.Input((6,), dtype="int32"),
        layers.Embedding(10, 5),
        layers.Conv1D(4, 3, activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(1, activation="sigmoid"),
    ]
    return stack, keras.optimizers.RMSprop(0.01), "binary_crossentropy", tokens, np.array([0, 1, 1, 0.0], "float32")


def _steps(keras):
    layers = keras.layers
    stack = [
        keras.Input((6, 3)),
        layers.TimeDistributed(layers.Dense(4, activation="relu")),
        layers.Flatten(),
        layers.Dense(2),
    ]
    return stack, keras.optimizers.SGD(0.1), "mse", det((4, 6, 3), 4, 1.0), det((4, 2), 5, 1.0)


NETWORKS = {"images": _images, "tokens": _tokens, "steps": _steps}
GOLDENS = {
    "images": (
        [0.5884957, 0.4812481, 0.4008285, 0.2793611, 0.2781404, 0.2237658],
        [
            -0.1518105,
            -0.1770825,
            0.0090578,
            -0.1046391,
            4.9987105,
            0.367591,
            0.137690,
            4.6779125,
            0.0181658,
            -0.4508509,
        ],
        None,
    ),
    "tokens": (
        [0.7053821, 0.6999389, 0.6967419, 0.6906279, 0.6846581, 0.6765802],
        [0.1778970, -0.0840330, -0.5281963, -0.4483125, -0.1735288],
        [0.4351521, 0.4637129, 0.4612490, 0.4225445],
    ),
    "steps": (
        [0.5499234, 0.5213095, 0.5051699, 0.4941077, 0.4858268, 0.4788728],
        [-0.0021121, -0.2374770, -0.0817288, -0.3758008],
        [-0.2321868, -0.1977955, -0.1879392, -0.1710611],
    ),
}


def run(keras, name):
    """Losses of six steps, sums of the weights after them, and the first predictions."""
    stack, optimizer, loss, x, y = NETWORKS[name](keras)
    model = keras.Sequential(stack)
    weights = []
    for j, weight in enumerate(model.weights):
        ones = weight.name in ("gamma", "moving_variance")
        weights.append(1 + det(weight.shape, j + 1, 0.1) if ones else det(weight.shape, j + 1, 0.3))
    model.set_weights(weights)
    model.compile(optimizer, loss)
    losses = [float(model.train_on_batch(x, y)) for _ in range(6)]
    sums = [float(np.sum(w, dtype="f8")) for w in model.get_weights()]
    return losses, sums, model.predict(x, verbose=0).ravel()[:4].astype(float).tolist()


def check(name, result) -> None:
    """Raises if a run differs from Keras by more than rounding."""
    for got, expected, what in zip(result, GOLDENS[name], ("losses", "weights", "predictions"), strict=True):
        if expected is not None:
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=3e-6, err_msg=f"{name}: {what}")
