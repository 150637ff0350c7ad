"""Training runs whose numbers Keras gave: networks with normalisation layers, regularizers and constraints.

Weight j of a model is `0.3 * sin(j + 1 + arange(n))`; factors, variances and standard deviations are
`1 + 0.1 * sin(j + 1 + arange(n))`. Any module with Keras' face can take Keras' place.
"""

import numpy as np


def det(shape, k, s):
    return (s * np.sin(k + np.arange(int(np.prod(shape))))).reshape(shape).astype("float32")


POSITIVE = ("gamma", "scale", "moving_variance", "moving_stddev", "renorm_stddev")


def networks(keras):
    """Each network with its optimizer, the shape of its inputs, and whether a mean of 10,000 is added to them."""
    layers, optimizers, regularizers = keras.layers, keras.optimizers, keras.regularizers
    return {
        "bn_ln": (
            [
                layers.Dense(8),
                layers.BatchNormalization(),
                layers.Activation("relu"),
                layers.Dense(6),
                layers.LayerNormalization(),
            ],
            optimizers.SGD(0.1, momentum=0.9),
            (5,),
        ),
        "bn_images": (
            [
                layers.BatchNormalization(axis=1, momentum=0.8),
                layers.BatchNormalization(epsilon=0.1, center=False),
                layers.Flatten(),
            ],
            optimizers.Adam(0.01),
            (3, 4, 2),
        ),
        "renorm": (
            [
                layers.Dense(8),
                layers.BatchNormalization(
                    renorm=True, renorm_clipping={"rmax": 1.5, "rmin": 0.4, "dmax": 0.3}, renorm_momentum=0.6
                ),
                layers.Activation("tanh"),
            ],
            optimizers.SGD(0.1),
            (5,),
        ),
        "groups": (
            [
                layers.GroupNormalization(2),
                layers.GroupNormalization(3, axis=1, epsilon=0.1),
                layers.RMSNormalization(),
                layers.LayerNormalization(axis=[1, 2], center=False),
                layers.UnitNormalization(axis=1),
                layers.Flatten(),
            ],
            optimizers.Adam(0.01),
            (6, 4),
        ),
        "regularized": (
            [
                layers.Dense(
                    8,
                    "tanh",
                    kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                    bias_regularizer="l2",
                    activity_regularizer=regularizers.L1(0.03),
                    kernel_constraint=keras.constraints.MinMaxNorm(0.3, 0.5, rate=0.7, axis=1),
                ),
                layers.ActivityRegularization(0.01, 0.02),
                layers.Dense(
                    6,
                    kernel_regularizer=regularizers.OrthogonalRegularizer(0.5, "columns"),
                    kernel_constraint=keras.constraints.MaxNorm(0.6),
                    bias_constraint="non_neg",
                ),
                layers.Dense(
                    4,
                    kernel_regularizer=regularizers.OrthogonalRegularizer(0.5),
                    kernel_constraint="unit_norm",
                    bias_regularizer="l1",
                ),
            ],
            optimizers.SGD(0.1, momentum=0.9, clipnorm=0.5),
            (5,),
        ),
        "einsum": (
            [
                layers.EinsumDense("abc,cde->abde", (3, 2, 3), bias_axes="e", kernel_regularizer="l2"),
                layers.EinsumDense("abde,bdf->afe", (4, 3), bias_axes="f"),
                layers.Flatten(),
            ],
            optimizers.SGD(0.1),
            (3, 4),
        ),
    }


def run(keras, name, batches=6, **compile_options):
    """Six steps on batches of 8, then evaluation of all; what tests compare."""
    stack, optimizer, shape = networks(keras)[name]
    model = keras.Sequential([keras.Input(shape), *stack, keras.layers.Dense(3, "softmax")])
    values = []
    for j, weight in enumerate(model.weights):
        size = tuple(weight.shape)
        values.append(1 + det(size, j + 1, 0.1) if weight.name in POSITIVE else det(size, j + 1, 0.3))
    model.set_weights(values)
    model.compile(optimizer, "sparse_categorical_crossentropy", **compile_options)
    losses = []
    for step in range(batches):
        x = det((8, *shape), 1 + step, 1.0) + det((8, 1) + (1,) * (len(shape) - 1), 2 + step, 0.7)
        losses.append(float(model.train_on_batch(x, np.arange(8) % 3)))
    x = det((8, *shape), 11, 1.0)
    return {
        "losses": losses,
        "tested": float(model.evaluate(x, np.arange(8) % 3, batch_size=3, verbose=0)),
        "weight_sums": [float(np.abs(w).sum(dtype="f8")) for w in model.get_weights()],
        "predictions": np.ravel(model.predict(x, verbose=0))[:6].astype(float).tolist(),
    }


# Of Keras 3.15.1 with jax.
KERAS = {
    "bn_ln": {
        "losses": [1.139475, 1.11429, 1.092926, 1.079286, 1.084258, 1.105332],
        "tested": 1.094906,
        "weight_sums": [
            7.851802,
            1.531207,
            7.99029,
            1.677962,
            1.428434,
            7.595554,
            9.366321,
            1.255087,
            5.967932,
            1.302899,
            3.56012,
            0.4314468,
        ],
        "predictions": [0.4595209, 0.3875752, 0.1529039, 0.4521974, 0.4038964, 0.1439063],
    },
    "bn_images": {
        "losses": [1.083123, 1.09616, 1.117251, 1.15932, 1.16873, 1.123111],
        "tested": 1.109663,
        "weight_sums": [3.156596, 0.5491463, 0.128211, 2.361982, 1.857076, 0.2644985, 2.173238, 13.68823, 0.5263908],
        "predictions": [0.3155078, 0.386248, 0.2982442, 0.3495094, 0.3312429, 0.3192477],
    },
    "renorm": {
        "losses": [1.14342, 1.12369, 1.112166, 1.12287, 1.101384, 1.111724],
        "tested": 1.112945,
        "weight_sums": [
            7.817252,
            1.531207,
            7.96708,
            1.686815,
            1.428519,
            7.660257,
            7.813573,
            1.607456,
            2.924871,
            4.70826,
            0.4166114,
        ],
        "predictions": [0.3026166, 0.3225713, 0.3748121, 0.2797579, 0.3181489, 0.4020932],
    },
    "groups": {
        "losses": [1.090655, 1.068416, 1.104257, 1.095645, 1.105133, 1.129355],
        "tested": 1.083884,
        "weight_sums": [4.130485, 0.8257271, 5.972559, 1.229261, 4.043134, 24.14236, 13.80699, 0.6721934],
        "predictions": [0.3622098, 0.3676109, 0.2701792, 0.4205002, 0.3252679, 0.254232],
    },
    "regularized": {
        "losses": [1.887912, 1.896695, 1.870287, 1.841794, 1.849959, 1.824156],
        "tested": 1.801245,
        "weight_sums": [5.070371, 1.225261, 8.642491, 0.6195811, 8.649787, 0.6151838, 2.460119, 0.6078858],
        "predictions": [0.3836111, 0.3628123, 0.2535766, 0.3840335, 0.3622464, 0.25372],
    },
    "einsum": {
        "losses": [1.140589, 1.134389, 1.1318, 1.129813, 1.125775, 1.119415],
        "tested": 1.118853,
        "weight_sums": [4.664383, 0.5436364, 4.45662, 0.8191203, 7.050392, 0.4612445],
        "predictions": [0.2852275, 0.3610297, 0.3537427, 0.2871502, 0.3612046, 0.3516453],
    },
}


def check(name, result) -> None:
    """Raises if a run differs from Keras by more than rounding."""
    assert set(result) == set(KERAS[name])
    for key, expected in KERAS[name].items():
        np.testing.assert_allclose(result[key], expected, rtol=1e-5, atol=2e-6, err_msg=f"{name}: {key}")
