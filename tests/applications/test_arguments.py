"""Arguments of the networks, where trained weights come from, and pixels and names of classes."""

import hashlib
import json

import h5py
import numpy as np
import pytest

import dseq as keras
from dseq.applications import imagenet_utils

applications = keras.applications
layers = keras.layers


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Keras' folder of models, and no network."""

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def small(**how):
    return applications.MobileNetV2(**({"weights": None, "input_shape": (96, 96, 3), "alpha": 0.35} | how))


WRONG = {
    "weights": ({"weights": "nowhere.h5"}, r"either `None`.*or the path to the weights file.*Received: .*nowhere.h5"),
    "weights of a kind": ({"weights": 3}, "either `None`"),
    "classes": ({"weights": "imagenet", "classes": 10}, "`classes` should be 1000. Received: classes=10"),
    "too small": ({"input_shape": (31, 40, 3)}, r"at least 32x32. Received: input_shape=\(31, 40, 3\)"),
    "no size": ({"input_shape": (None, 40, 3)}, "you should specify a static `input_shape`"),
    "axes": ({"input_shape": (40, 40)}, "must be a tuple of three integers"),
    "other size": ({"weights": "imagenet", "input_shape": (40, 40, 3), "classes": 1000}, r"should be \(224, 224, 3\)"),
    "channels": ({"weights": "imagenet", "input_shape": (64, 64, 1), "include_top": False}, "must have 3 channels"),
    "pooling": ({"pooling": "mean", "include_top": False}, "`pooling` must be 'avg', 'max' or None"),
    "array": ({"input_tensor": np.zeros((1, 64, 64, 3))}, "`input_tensor` must be a symbolic tensor"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments(case):
    arguments, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        applications.VGG16(**({"weights": None, "input_shape": (32, 32, 3), "classes": 10} | arguments))


def test_arguments_of_mobilenet(home):
    with pytest.raises(ValueError, match="`alpha` must be one of .*Received: alpha=0.4"):
        small(weights="imagenet", alpha=0.4, include_top=False)
    with pytest.raises(ValueError, match="must have the width of `input_shape`"):
        small(input_tensor=keras.Input((64, 64, 3)))
    with pytest.warns(UserWarning, match="loaded as the default"), pytest.raises(OSError, match=r"_1.0_224_no_top.h5"):
        applications.MobileNetV2(include_top=False)


def test_trained_weights_have_one_activation(tmp_path):
    path = tmp_path / "m.weights.h5"
    small(classes=4).save_weights(path)
    with pytest.raises(ValueError, match="Only `None` and `softmax` activations are allowed.*'relu'"):
        small(classes=4, weights=path, classifier_activation="relu")
    assert small(classes=4, weights=path, classifier_activation=None).output_shape == (None, 4)


def test_other_channels_are_allowed_with_a_warning():
    with pytest.warns(UserWarning, match="expects 1 or 3 input channels.*with 5 input channels"):
        model = applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 5))
    assert model.layers[1].kernel.shape == (3, 3, 5, 64)


def test_an_image_that_is_computed():
    images = keras.Input((48, 48, 3), name="images")
    model = applications.VGG16(
        weights=None, include_top=False, input_tensor=layers.Rescaling(1 / 255)(images), pooling="max", name="mine"
    )
    assert model.inputs[0] is images and model.name == "mine"
    assert [layer.name for layer in model.layers[:2]] == ["images", model.layers[1].name]
    assert isinstance(model.layers[1], layers.Rescaling) and isinstance(model.layers[-1], layers.GlobalMaxPooling2D)


def write_as_keras_2(model, path):
    """A legacy file with Keras 2's names."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}/{w.name}:0".encode() for w in layer.weights]
            for weight in layer.weights:
                group[f"{layer.name}/{weight.name}:0"] = weight.numpy()


def test_weights_from_files(tmp_path, home):
    saved = small(include_top=False)
    for weight in saved.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    saved.save_weights(tmp_path / "m.weights.h5")
    write_as_keras_2(saved, tmp_path / "m.h5")
    # Keras' own file is found in its folder.
    write_as_keras_2(saved, home / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5")
    for weights in (tmp_path / "m.weights.h5", str(tmp_path / "m.h5"), "imagenet"):
        loaded = small(include_top=False, weights=weights)
        for a, b in zip(saved.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    with_head = small(classes=7)
    with pytest.raises(ValueError, match="Model expected 105 layers, found 104 saved layers"):
        with_head.load_weights(tmp_path / "m.h5")
    with_head.load_weights(tmp_path / "m.h5", by_name=True)
    np.testing.assert_array_equal(with_head.get_weights()[0], saved.get_weights()[0])


def test_without_network(home):
    place = home / "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"
    place.write_bytes(b"half a file")  # its checksum is another
    with pytest.raises(OSError, match=rf"URL fetch failure on https.*/xception/xception_.*Without a network.*{place}"):
        applications.Xception(include_top=False)


PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))
MODES = {
    "tf": PIXELS / 127.5 - 1,
    "torch": (PIXELS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    "caffe": PIXELS[..., ::-1] - [103.939, 116.779, 123.68],
}


@pytest.mark.parametrize("mode", MODES)
def test_pixels(mode):
    def scale(x, **how):
        return imagenet_utils.preprocess_input(x, mode=mode, **how)

    for dtype in ("uint8", "int64", "float64"):
        result = scale(PIXELS.astype(dtype))
        assert result.dtype == ("float64" if dtype == "float64" else "float32")
        np.testing.assert_allclose(result, MODES[mode], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scale(PIXELS[0]), MODES[mode][0], rtol=1e-5, atol=1e-5)
    first = scale(PIXELS.transpose(0, 3, 1, 2).copy(), data_format="channels_first")
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), MODES[mode], rtol=1e-5, atol=1e-5)
    image = keras.Input((4, 5, 3))
    result = keras.Model(image, scale(image)).predict(PIXELS, verbose=0)
    np.testing.assert_allclose(result, MODES[mode], rtol=1e-5, atol=1e-5)


def test_pixels_of_channels_first_in_a_model():
    image = keras.Input((3, 4, 5))
    model = keras.Model(image, imagenet_utils.preprocess_input(image, "channels_first", "caffe"))
    result = model.predict(PIXELS.transpose(0, 3, 1, 2), verbose=0)
    np.testing.assert_allclose(result.transpose(0, 2, 3, 1), MODES["caffe"], rtol=1e-5, atol=1e-5)


def test_each_network_has_its_pixels():
    expected = {
        "caffe": ("resnet", "resnet50", "vgg16", "vgg19"),
        "tf": ("mobilenet_v2", "resnet_v2", "xception"),
        "torch": ("densenet",),
    }
    for mode, modules in expected.items():
        for module in modules:
            result = getattr(applications, module).preprocess_input(PIXELS.copy())
            np.testing.assert_allclose(result, MODES[mode], rtol=1e-5, atol=1e-5)
    assert applications.efficientnet.preprocess_input(PIXELS) is PIXELS


def test_pixels_in_unknown_forms():
    with pytest.raises(ValueError, match="Expected mode to be one of"):
        imagenet_utils.preprocess_input(PIXELS, mode="keras")
    with pytest.raises(ValueError, match="Expected data_format to be one of"):
        imagenet_utils.preprocess_input(PIXELS, data_format="last")


def test_names_of_classes(home, monkeypatch):
    content = json.dumps({str(i): [f"n{i:08d}", f"thing_{i}"] for i in range(1000)}).encode()
    (home / "imagenet_class_index.json").write_bytes(content)
    monkeypatch.setattr(imagenet_utils, "INDEX_MD5", hashlib.md5(content).hexdigest())
    scores = np.zeros((2, 1000), "float32")
    scores[0, [7, 70, 700]] = 0.2, 0.5, 0.3
    scores[1, 999] = 1
    first, second = applications.xception.decode_predictions(scores, top=3)
    assert first == [("n00000070", "thing_70", 0.5), ("n00000700", "thing_700", np.float32(0.3)),
                     ("n00000007", "thing_7", np.float32(0.2))]  # fmt: skip
    assert second[0] == ("n00000999", "thing_999", 1.0) and len(second) == 3
    with pytest.raises(ValueError, match=r"\(samples, 1000\)\). Received array with shape: \(2, 10\)"):
        applications.vgg16.decode_predictions(scores[:, :10])
