"""The golden runs, for any number of ranks."""

import numpy as np

import dseq as keras
from dseq import layers, optimizers


def det(shape, k, s):
    return (s * np.sin(k + np.arange(int(np.prod(shape))))).reshape(shape).astype("float32")


X, Y = det((8, 5), 1, 1.0), np.arange(8) % 3
ONE_HOT = np.eye(3, dtype="float32")[Y]
WEIGHTS = (1 + np.arange(8) * 0.25).astype("float32")

OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(),
    "sgd_mom": lambda: optimizers.SGD(0.1, momentum=0.9),
    "sgd_nesterov": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "sgd_wd": lambda: optimizers.SGD(0.1, weight_decay=0.01),
    "adam": lambda: optimizers.Adam(0.01),
    "adam_amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
}
LOSSES = {
    "loss_cce": lambda: keras.losses.CategoricalCrossentropy(),
    "loss_bce": lambda: keras.losses.BinaryCrossentropy(),
    "loss_mse": lambda: "mse",
    "loss_mae": lambda: "mae",
}
CASES = [*OPTIMIZERS, "sgd_sample_weight", *LOSSES]


def run(case, **compile_options):
    """Six steps of a case; the same numbers as in `goldens.GOLDENS`."""
    model = keras.Sequential(
        [layers.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    model.set_weights([det(w.shape, j + 1, 0.3) for j, w in enumerate(model.weights)])
    y, weight, metrics = Y, None, None
    if case in OPTIMIZERS:
        optimizer, loss, metrics = OPTIMIZERS[case](), "sparse_categorical_crossentropy", ["accuracy"]
    elif case in LOSSES:
        optimizer, loss, y = optimizers.SGD(0.1), LOSSES[case](), ONE_HOT
    else:
        optimizer, loss, weight = optimizers.SGD(0.1), "sparse_categorical_crossentropy", WEIGHTS
    model.compile(optimizer, loss, metrics=metrics, **compile_options)
    logs = [model.train_on_batch(X, y, sample_weight=weight, return_dict=True) for _ in range(6)]
    predictions = model.predict(X, verbose=0)
    result = {
        "loss": [log["loss"] for log in logs],
        "weight_sums": [float(np.sum(w, dtype="f8")) for w in model.get_weights()],
        "prediction_sum": float(predictions.sum(dtype="f8")),
        "first_predictions": predictions.ravel()[:4].astype(float).tolist(),
    }
    if metrics:
        result["accuracy"] = [log["accuracy"] for log in logs]
    return result


def check(case, result, golden) -> None:
    """Raises if a run differs from Keras by more than rounding."""
    assert set(result) == set(golden)
    for name, expected in golden.items():
        np.testing.assert_allclose(result[name], expected, rtol=1e-5, atol=2e-6, err_msg=f"{case}: {name}")
