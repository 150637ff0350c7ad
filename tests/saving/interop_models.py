"""The models of the test with Keras, made alike by both: `python interop_models.py folder` is Keras' part."""

import sys
from pathlib import Path

import numpy as np

X = np.sin(1 + np.arange(80)).reshape(16, 5).astype("float32")
Y = np.cos(np.arange(32)).reshape(16, 2).astype("float32")


def sequential(keras):
    layers = keras.layers
    stack = [layers.Dense(6, activation="relu"), layers.Dense(4), layers.ReLU(), layers.Dense(2, name="out")]
    return keras.Sequential([keras.Input((5,)), *stack])


def nested(keras):
    base = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)])
    x = keras.Input((3,))
    head = keras.Model(x, keras.layers.Dense(2)(keras.layers.LeakyReLU()(x)))
    return keras.Sequential([keras.Input((5,)), base, keras.layers.Dense(3), head])


def functional(keras):
    x = keras.Input((5,))
    shared = keras.layers.Dense(5, activation="sigmoid")
    return keras.Model(x, keras.layers.Dense(2)(shared(shared(x))))


def frozen(keras):
    model = sequential(keras)
    model.layers[1].trainable = False
    return model


def normalized(keras):
    layers = keras.layers
    # Without a bias: its gradient behind the next layer is 0 but for rounding, which Adam makes steps of.
    stack = [layers.Dense(6, use_bias=False), layers.BatchNormalization(), layers.Dense(4, activation="tanh")]
    stack += [layers.LayerNormalization(), layers.GroupNormalization(2), layers.RMSNormalization()]
    return keras.Sequential([keras.Input((5,)), *stack, layers.BatchNormalization(scale=False), layers.Dense(2)])


CASES = {
    "sequential": sequential,
    "nested": nested,
    "functional": functional,
    "frozen": frozen,
    "normalized": normalized,
}


def compiled(keras, case):
    model = CASES[case](keras)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def save(keras, case, path):
    """Trains three steps, saves, and notes what must come out of the file."""
    model = compiled(keras, case)
    for _ in range(3):
        model.train_on_batch(X, Y)
    model.save_weights(f"{path}.weights.h5")
    note(model, path)


def load(keras, case, path, note_path):
    """Loads into a fresh model and notes what came out of the file."""
    model = compiled(keras, case)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    model.load_weights(f"{path}.weights.h5")
    note(model, note_path)


def note(model, path):
    """The predictions, and the weights after one more step, which depends on the optimizer's state."""
    predictions, iterations = model.predict(X, verbose=0), int(model.optimizer.iterations)
    model.train_on_batch(X, Y)
    weights = {f"weight{i}": w for i, w in enumerate(model.get_weights())}
    np.savez(f"{path}.npz", predictions=predictions, iterations=iterations, **weights)


if __name__ == "__main__":
    import keras

    folder = Path(sys.argv[1])
    for case in CASES:
        save(keras, case, folder / f"{case}_keras")
        load(keras, case, folder / f"{case}_dseq", folder / f"{case}_dseq_in_keras")
