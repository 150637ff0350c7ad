"""What the benchmarks train: four multilayer perceptrons, random data of MNIST's shape, and their exact operations."""

from dataclasses import dataclass, replace

import numpy as np

SAMPLES = 4096
CLASSES = 10


@dataclass(frozen=True)
class Network:
    """Dense layers with ReLU between them, dropout after each hidden layer if `dropout` > 0; trained with Adam."""

    sizes: tuple[int, ...]
    dropout: float
    batch: int

    @property
    def title(self):
        return "-".join(map(str, self.sizes)) + (f", dropout {self.dropout}" if self.dropout else "")

    @property
    def operations(self) -> int:
        """Multiplications and additions of a step's matrix products; the first layer needs no gradient of its input."""
        layers = [2 * self.batch * k * m for k, m in zip(self.sizes, self.sizes[1:], strict=False)]
        return 3 * sum(layers) - layers[0]


NETWORKS = {
    "small": Network((784, 128, CLASSES), 0.0, 32),
    "large": Network((784, 512, 512, CLASSES), 0.0, 64),
    "dropout": Network((784, 512, 512, CLASSES), 0.2, 64),
    "huge": Network((784, 2048, 2048, CLASSES), 0.0, 64),
}
# What several ranks train; the batch is the global one, as many rows for each of two ranks as above.
RANKED = {name: replace(NETWORKS[name], batch=2 * NETWORKS[name].batch) for name in ("small", "large", "huge")}


def data():
    """Random samples (4096, 784) in float32 and labels (4096,) in int32."""
    random = np.random.default_rng(0)
    return random.random((SAMPLES, 784), dtype=np.float32), random.integers(0, CLASSES, SAMPLES, dtype=np.int32)


def keras_model(keras, network, **options):
    """The network as a compiled model of `keras`, which is Keras itself or dseq; options are `compile`'s."""
    *hidden, last = network.sizes[1:]
    layers = [keras.Input((network.sizes[0],))]
    for units in hidden:
        layers.append(keras.layers.Dense(units, activation="relu"))
        if network.dropout:
            layers.append(keras.layers.Dropout(network.dropout))
    layers.append(keras.layers.Dense(last, activation="softmax"))
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model
