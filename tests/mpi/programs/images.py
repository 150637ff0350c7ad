"""Random image layers over ranks: each in a branch of its own, whose weights show which images it saw in training."""

import sys

import numpy as np

import dseq
from dseq import layers
from dseq.parallel import communicator

LAYERS = [
    layers.RandomFlip(name="flip"),
    layers.RandomFlip("horizontal", seed=3, name="seeded_flip"),
    layers.RandomRotation(0.2, name="rotation"),
    layers.RandomTranslation(0.3, 0.3, name="translation"),
    layers.RandomZoom(0.5, (-0.4, 0.5), name="zoom"),
    layers.RandomShear(0.3, 0.2, name="shear"),
    layers.RandomCrop(3, 2, name="crop"),
    layers.RandomContrast(0.5, name="contrast"),
    layers.RandomBrightness(0.5, name="brightness"),
    layers.RandomInvert((0.2, 0.8), name="invert"),
    layers.RandomGrayscale(0.5, name="grayscale"),
    layers.RandomColorDegeneration(0.5, name="degeneration"),
    layers.RandomPosterization((1, 5), name="posterization"),
    layers.Solarization(0.5, 0.5, name="solarization"),
    layers.RandomSaturation(0.8, name="saturation"),
    layers.RandomHue(0.5, name="hue"),
    layers.RandomSharpness(1.0, name="sharpness"),
    layers.RandomGaussianBlur(name="blur"),
    layers.RandomErasing(name="erasing"),
]

rng = np.random.default_rng(0)
x = rng.integers(0, 256, (23, 4, 5, 3)).astype("uint8")
y = rng.standard_normal((23, 1)).astype("float32")

dseq.utils.set_random_seed(11)
inputs = dseq.Input((4, 5, 3), dtype="uint8")
branches = []
for layer in LAYERS:
    seen = layers.Flatten()(layers.Rescaling(1 / 255)(layer(inputs)))
    branches.append(layers.Dense(1, name=f"{layer.name}_seen")(seen))
model = dseq.Model(inputs, layers.Add()(branches))
model.compile(dseq.optimizers.SGD(0.01), "mse")
model.fit(x, y, batch_size=7, epochs=2, verbose=0)  # 7 over 2 and 3 ranks, and a last batch of 2

weights = {layer.name: model.get_layer(f"{layer.name}_seen").get_weights()[0] for layer in LAYERS}
quiet = model.predict(x, batch_size=7, verbose=0)
np.testing.assert_array_equal(model.predict(x, batch_size=7, verbose=0), quiet)
if communicator.get().rank == 0:
    np.savez(sys.argv[1], predictions=quiet, **weights)
dseq.print_once("done")
