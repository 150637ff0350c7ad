"""Single images: files, Pillow's images and arrays, as Keras has them."""

import io

import numpy as np
import pytest

import dseq as keras

Image = pytest.importorskip("PIL.Image")
utils = keras.utils
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 4)).astype("uint8")


@pytest.fixture
def path(tmp_path):
    Image.fromarray(PIXELS[..., :3].copy()).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_file_as_an_array_and_back(path, tmp_path):
    image = utils.load_img(path)
    array = utils.img_to_array(image)
    assert array.dtype == "float32"
    np.testing.assert_array_equal(array, PIXELS[..., :3])
    np.testing.assert_array_equal(utils.img_to_array(image, "channels_first", "uint8"), array.transpose(2, 0, 1))
    utils.save_img(tmp_path / "b.png", array, scale=False)
    np.testing.assert_array_equal(utils.img_to_array(utils.load_img(str(tmp_path / "b.png"))), array)
    np.testing.assert_array_equal(np.asarray(utils.load_img(io.BytesIO(path.read_bytes()))), array)


@pytest.mark.parametrize(("mode", "channels"), [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
def test_color_modes(path, mode, channels):
    array = utils.img_to_array(utils.load_img(path, mode))
    assert array.shape == (6, 8, channels)
    if mode == "grayscale":  # ITU-R 601
        expected = PIXELS[..., :3] @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(array[..., 0], expected, atol=1)


def test_sizes(path):
    image = utils.load_img(path, target_size=(3, 4), interpolation="box")
    expected = PIXELS[..., :3].reshape(3, 2, 4, 2, 3).mean((1, 3))
    np.testing.assert_allclose(utils.img_to_array(image), expected, atol=1.01)
    square = utils.load_img(path, target_size=(3, 3), interpolation="box", keep_aspect_ratio=True)
    expected = PIXELS[:, 1:7, :3].reshape(3, 2, 3, 2, 3).mean((1, 3))
    np.testing.assert_allclose(utils.img_to_array(square), expected, atol=1.01)


def test_arrays_are_scaled():
    x = np.array([[[-1.0], [0.0]], [[1.0], [3.0]]])
    np.testing.assert_array_equal(np.asarray(utils.array_to_img(x)), [[0, 63], [127, 255]])
    assert np.asarray(utils.array_to_img(np.full((2, 2, 3), 7.0))).max() == 0
    deep = np.asarray(utils.array_to_img(np.full((2, 2, 1), 70000.0), scale=False))
    assert deep.dtype == "int32" and deep.max() == 70000
    assert utils.array_to_img(PIXELS.transpose(2, 0, 1), "channels_first", scale=False).size == (8, 6)


def test_jpeg_has_no_transparency(tmp_path):
    with pytest.warns(UserWarning, match="does not support RGBA"):
        utils.save_img(tmp_path / "a.jpg", PIXELS)
    assert utils.load_img(tmp_path / "a.jpg").size == (8, 6)


def test_wrong_arguments(path):
    with pytest.raises(ValueError, match='color_mode must be "grayscale", "rgb", or "rgba"'):
        utils.load_img(path, "bgr")
    with pytest.raises(ValueError, match="Invalid interpolation method cubic"):
        utils.load_img(path, interpolation="cubic")
    with pytest.raises(TypeError, match="path-like or io.BytesIO"):
        utils.load_img(3)
    with pytest.raises(ValueError, match="rank 3"):
        utils.array_to_img(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="channel number: 2"):
        utils.array_to_img(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="Unsupported image shape"):
        utils.img_to_array(np.zeros((1, 2, 2, 3)))
