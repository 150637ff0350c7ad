"""The models of the test with Keras, made alike by both: `python json_models.py folder` is Keras' part."""

import json
import sys
from pathlib import Path

import numpy as np

X = np.sin(1 + np.arange(24)).reshape(6, 4).astype("float32")


def sequential(keras):
    layers = keras.layers
    dense = layers.Dense(3, activation="relu", kernel_initializer="he_normal", name="d")
    stack = [dense, layers.Dropout(0.2), layers.ReLU(max_value=1.0, negative_slope=0.1), layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,), name="x"), *stack], name="s")
    model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return model


def unbuilt(keras):
    return keras.Sequential([keras.layers.Dense(3, name="a"), keras.layers.Dense(2, name="b")], name="s")


def nested(keras):
    layers = keras.layers
    base = keras.Sequential([keras.Input((4,), name="w"), layers.Dense(3, name="d")], name="base")
    z = keras.Input((3,), name="z")
    inner = keras.Model(z, [layers.Dense(2, name="p")(z), layers.Dense(2, name="q")(z)], name="inner")
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    (a, b), (c, d) = inner(base(x)), inner(base(y))
    return keras.Model({"x": x, "y": y}, {"one": layers.Add(name="add")([a, c]), "two": [b, d]}, name="outer")


def shared(keras):
    x = keras.Input((4,), name="x")
    layer = keras.layers.Dense(4, name="s")
    outputs = [layer(layer(x)), keras.layers.Concatenate(name="c")([x, layer(x)])]
    return keras.Model([x], outputs, name="shared")


def model_at_the_end(keras):
    z, x = keras.Input((4,), name="z"), keras.Input((4,), name="x")
    inner = keras.Model(z, keras.layers.Dense(2, name="p")(z), name="inner")
    return keras.Model(x, inner(x), name="outer")


def many_layers(keras):
    layers = keras.layers
    x = y = keras.Input((4,), name="x")
    for layer in (
        layers.Reshape((2, 2), name="reshape"),
        layers.Permute((2, 1), name="permute"),
        layers.Flatten(name="flatten"),
        layers.Rescaling(0.5, 1.0, name="rescaling"),
        layers.PReLU(name="prelu"),
        layers.ELU(0.3, name="elu"),
        layers.LeakyReLU(0.3, name="leaky"),
        layers.Softmax(name="softmax"),
        layers.Activation("gelu", name="activation"),
        layers.RepeatVector(2, name="repeat"),
        layers.Identity(name="identity"),
    ):
        y = layer(y)
    return keras.Model(x, layers.Dot(axes=-1, name="dot")([y, y]), name="many")


def operations(keras):
    ops = keras.ops
    x = keras.Input((4,), name="x")
    y = ops.reshape(x, (-1, 2, 2))
    parts = [1 - x, x / 2 + np.arange(4.0, dtype="float32"), x[:, 1:3], ops.clip(x, -0.5, 0.5) ** 2, ops.tanh(-x)]
    outputs = [ops.concatenate(parts, axis=-1), ops.matmul(y, ops.transpose(y, (0, 2, 1))), ops.where(x > 0, x, 0.0)]
    outputs += [ops.mean(y, axis=1, keepdims=True), ops.softmax(x), ops.leaky_relu(x, 0.3), ops.stack([x, x], axis=1)]
    return keras.Model(x, outputs, name="operations")


CASES = (sequential, unbuilt, nested, shared, model_at_the_end, many_layers, operations)


def data(case):
    return {"x": X, "y": 2 * X} if case is nested else X


def flat(outputs):
    if isinstance(outputs, dict):
        outputs = [outputs[key] for key in sorted(outputs)]
    if isinstance(outputs, list | tuple):
        return [leaf for part in outputs for leaf in flat(part)]
    return [np.asarray(outputs)]


def predictions(model, case):
    """Outputs of a model whose weights are told by their order alone."""
    if not model.built:
        model.build((None, 4))
    model.set_weights([0.3 * np.sin(i + np.arange(w.size)).reshape(w.shape) for i, w in enumerate(model.get_weights())])
    return flat(model.predict(data(case), verbose=0))


if __name__ == "__main__":
    import keras

    folder = Path(sys.argv[1])
    for case in CASES:
        model, name = case(keras), case.__name__
        (folder / f"{name}_keras.json").write_text(model.to_json())
        read = keras.models.model_from_json((folder / f"{name}_dseq.json").read_text())
        (folder / f"{name}_dseq_in_keras.json").write_text(read.to_json())
        for label, made in (("keras", model), ("dseq_in_keras", read)):
            np.savez(folder / f"{name}_{label}.npz", *predictions(made, case))
    config = json.loads((folder / "leaky_dseq.json").read_text())
    assert abs(keras.saving.deserialize_keras_object(config).activation.negative_slope - 0.3) < 1e-12
