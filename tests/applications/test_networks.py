"""Keras' networks layer by layer: names, classes, numbers of weights and shapes are those of Keras 3.15.1."""

import hashlib

import numpy as np
import pytest

import dseq as keras
from dseq.initializers import VarianceScaling

# All weights, those that are trained, number of layers, digest of what `digest` writes down; from Keras.
WHOLE = {
    "DenseNet121": (8_062_504, 7_978_856, 429, "b4acef515b0df733"),
    "DenseNet169": (14_307_880, 14_149_480, 597, "1c25f44b819cf9a8"),
    "DenseNet201": (20_242_984, 20_013_928, 709, "90b6e2c684ccea1e"),
    "EfficientNetB0": (5_330_571, 5_288_548, 240, "3c96424cd7e2eb1b"),
    "EfficientNetB1": (7_856_239, 7_794_184, 342, "a6d292763e326f5f"),
    "EfficientNetB2": (9_177_569, 9_109_994, 342, "4ff58f4f7b0c4fc2"),
    "EfficientNetB3": (12_320_535, 12_233_232, 387, "9466f20dea5f982f"),
    "EfficientNetB4": (19_466_823, 19_341_616, 477, "4e7df4a06f4cf35d"),
    "EfficientNetB5": (30_562_527, 30_389_784, 579, "e7a9f88051f7274d"),
    "EfficientNetB6": (43_265_143, 43_040_704, 669, "8633a3f20fb5d6b0"),
    "EfficientNetB7": (66_658_687, 66_347_960, 816, "b5f7353151d84e61"),
    "MobileNetV2": (3_538_984, 3_504_872, 156, "bb93b971c76583ef"),
    "ResNet50": (25_636_712, 25_583_592, 177, "4de03040e62d3f7d"),
    "ResNet50V2": (25_613_800, 25_568_360, 192, "684076b623a48de7"),
    "ResNet101": (44_707_176, 44_601_832, 347, "e74286576b4721c2"),
    "ResNet101V2": (44_675_560, 44_577_896, 379, "e94135dd299f1ce6"),
    "ResNet152": (60_419_944, 60_268_520, 517, "e7c3d6af9eac10a1"),
    "ResNet152V2": (60_380_648, 60_236_904, 566, "562bba607ff5c57f"),
    "VGG16": (138_357_544, 138_357_544, 23, "a8001173e0cec0de"),
    "VGG19": (143_667_240, 143_667_240, 26, "48dd42e62b17d630"),
    "Xception": (22_910_480, 22_855_952, 134, "6a7b92e2fe98f0d7"),
}
# Without the classifier, with a layer of pooling: all weights, number of layers, digest.
FEATURES = {
    "DenseNet121": (7_037_504, 428, "f27a7d845dd4fa59", "avg"),
    "EfficientNetB0": (4_049_571, 238, "5d19bd2ad50b7b58", "avg"),
    "MobileNetV2": (2_257_984, 155, "1052e58be01ae788", "avg"),
    "ResNet50": (23_587_712, 176, "f5915adc88473a38", "avg"),
    "ResNet50V2": (23_564_800, 191, "048cffed9c4ed038", "avg"),
    "VGG16": (14_714_688, 20, "a0624af6e5795833", "max"),
    "VGG19": (20_024_384, 23, "b94eb0b73ef4b438", "avg"),
    "Xception": (20_861_480, 133, "5b86dcc42486cd20", "avg"),
}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Weights of 0 in memory that is never touched, and names that begin anew."""
    monkeypatch.setattr(VarianceScaling, "__call__", lambda self, shape, dtype=None: np.zeros(shape, "float32"))
    monkeypatch.setattr("dseq.program.variable.np.array", np.asarray)
    keras.backend.clear_session(free_memory=False)


def digest(model):
    lines = [f"{type(x).__name__} {x.name} {x.count_params()} {tuple(x.output.shape)}" for x in model.layers]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_network(name):
    model = getattr(keras.applications, name)(weights=None)
    trained = sum(w.size for w in model.trainable_weights)
    assert (model.count_params(), trained, len(model.layers), digest(model)) == WHOLE[name]
    assert model.name == ("mobilenetv2_1.00_224" if name == "MobileNetV2" else name.lower())
    assert model.output_shape == (None, 1000) and model.layers[-1].activation.__name__ == "softmax"


@pytest.mark.parametrize("name", FEATURES)
def test_features_of_images_of_any_size(name):
    *expected, pooling = FEATURES[name]
    model = getattr(keras.applications, name)(weights=None, include_top=False, pooling=pooling)
    assert [model.count_params(), len(model.layers), digest(model)] == expected
    assert model.input_shape == (None, None, None, 3) and len(model.output_shape) == 2


def test_layers_of_xception():
    """Written out, so that a digest is not all that tells what is meant."""
    model = keras.applications.Xception(weights=None, include_top=False, pooling="avg")
    names = [layer.name for layer in model.layers]
    assert names[:4] == ["input_layer", "block1_conv1", "block1_conv1_bn", "block1_conv1_act"]
    assert names[-3:] == ["block14_sepconv2_bn", "block14_sepconv2_act", "global_average_pooling2d"]
    assert names[7:17] == [
        "block2_sepconv1",
        "block2_sepconv1_bn",
        "block2_sepconv2_act",
        "block2_sepconv2",
        "block2_sepconv2_bn",
        "conv2d",
        "block2_pool",
        "batch_normalization",
        "add",
        "block3_sepconv1_act",
    ]
    assert len(model.weights) == 234 and model.output_shape == (None, 2048)
    assert model.get_layer("block14_sepconv1").depthwise_kernel.shape == (3, 3, 1024, 1)


@pytest.mark.parametrize(
    ("alpha", "size", "count", "name"), [(0.35, 96, 1_691_208, "0.35_96"), (1.4, 224, 6_156_712, "1.40_224")]
)
def test_widths_of_mobilenet(alpha, size, count, name):
    model = keras.applications.MobileNetV2((size, size, 3), alpha, weights=None)
    assert model.name == f"mobilenetv2_{name}" and model.count_params() == count


@pytest.mark.parametrize("name", ["VGG16", "Xception", "MobileNetV2", "EfficientNetB0", "ResNet50"])
def test_channels_first(name):
    keras.config.set_image_data_format("channels_first")
    try:
        size = 32 if name != "Xception" else 71
        model = getattr(keras.applications, name)(weights=None, input_shape=(3, size, size), classes=10)
        assert model.input_shape == (None, 3, size, size) and model.output_shape == (None, 10)
        with pytest.raises(ValueError, match="DenseNet does not support the `channels_first`"):
            keras.applications.DenseNet121(weights=None)
    finally:
        keras.config.set_image_data_format("channels_last")
    again = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    assert again.count_params() == model.count_params()
