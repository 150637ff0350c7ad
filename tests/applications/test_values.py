"""What the networks compute: features that Keras 3.15.1 (JAX) gave for the same weights and images."""

import zlib

import numpy as np
import pytest

import dseq as keras

pytestmark = pytest.mark.compiled
# Size of the images, other arguments, features: four of the first image, three of the second, mean and deviation.
KERAS = {
    "Xception": (71, {}, [42009.96, 73382.11, 877300.2, 234761.6, 807068.7, 176614.3, 43129.47, 201643.1, 202255.6]),
    "EfficientNetB0": (
        32,
        {},
        [0.2331432, -0.1797691, -0.03530142, -0.06540193, -0.1723791, 0.03652706, -0.07368322, 0.02384901, 0.1462153],
    ),
    "MobileNetV2": (32, {"alpha": 0.35}, [0.0, 0.0, 0.506117, 0.0, 0.0420599, 0.0, 0.0, 0.7942074, 1.233201]),
    "ResNet50V2": (32, {}, [44.45394, 139.4149, 186.0828, 0.0, 53.97806, 422.4138, 0.0, 64.52138, 102.0539]),
}


def fill(model):
    """Gives each weight numbers that follow from its name, so that Keras' model can be given the same."""
    for weight in model.weights:
        kind = weight.path.rpartition("/")[2]
        random = np.random.default_rng(zlib.crc32(weight.path.encode()))
        if "kernel" in kind:
            inputs = np.prod(weight.shape[:2] if "depthwise" in weight.path else weight.shape[:-1])
            weight.assign(random.standard_normal(weight.shape, "float32") * np.float32(1.4 / np.sqrt(inputs)))
        elif kind in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif kind in ("beta", "moving_mean", "bias"):
            weight.assign(random.normal(0, 0.1, weight.shape))


@pytest.mark.parametrize("name", KERAS)
def test_features_are_those_of_keras(name):
    keras.backend.clear_session(free_memory=False)
    size, arguments, expected = KERAS[name]
    shape = (size, size, 3)
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=shape, **arguments
    )
    fill(model)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
    y = model.predict(x * 255 if name.startswith("Eff") else x, verbose=0).astype("float64")
    found = [*y[0, :4], *y[1, -3:], y.mean(), y.std()]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * y.std())
