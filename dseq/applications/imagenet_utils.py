"""Pixels as the networks expect them, and the names of ImageNet's classes."""

import json

import numpy as np

from dseq.program.floatx import floatx, image_data_format
from dseq.program.tensor import Tensor
from dseq.utils.get_file import get_file

# Means and deviations of ImageNet's pixels: red, green, blue.
BGR_MEANS = (103.939, 116.779, 123.68)
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INDEX = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"


def preprocess_input(x, data_format=None, mode="caffe"):
    """Scales pixels as a network was trained with.

    Args:
        x: Images with values from 0 to 255, 3-D or 4-D: an array or a symbolic tensor. An array of floats is
            overwritten, as in Keras; give a copy if that matters.
        data_format: `"channels_last"`, `"channels_first"`, or None for the default of `dseq.config`.
        mode: `"tf"`: from -1 to 1. `"torch"`: from 0 to 1, then by ImageNet's mean and deviation of each channel.
            `"caffe"`: blue, green, red instead of red, green, blue, less ImageNet's mean of each channel.

    Returns:
        The scaled images, floats.

    Raises:
        ValueError: If `mode` or `data_format` is something else.

    Example:
        >>> preprocess_input(np.array([[[0, 127.5, 255]]]), mode="tf").tolist()
        [[[-1.0, 0.0, 1.0]]]
    """
    if mode not in ("caffe", "tf", "torch"):
        raise ValueError(f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: mode={mode}")
    data_format = data_format or image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            "Expected data_format to be one of `channels_first` or `channels_last`. "
            f"Received: data_format={data_format}"
        )
    axis = -1 if data_format == "channels_last" else -3
    if isinstance(x, Tensor):
        return _of_tensor(x, axis, mode)
    x = np.asarray(x)
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(floatx())
    if mode == "tf":
        x /= 127.5
        x -= 1.0
        return x
    if mode == "torch":
        x /= 255.0
        x -= _along(MEANS, axis, x.dtype)
        x /= _along(DEVIATIONS, axis, x.dtype)
        return x
    x = np.flip(x, axis)
    x -= _along(BGR_MEANS, axis, x.dtype)
    return x


def _of_tensor(x, axis, mode):
    if mode == "tf":
        return x / 127.5 - 1.0
    if mode == "torch":
        return (x / 255.0 - _along(MEANS, axis, x.dtype)) / _along(DEVIATIONS, axis, x.dtype)
    turned = x[..., ::-1] if axis == -1 else x[:, ::-1]
    return turned - _along(BGR_MEANS, axis, x.dtype)


def _along(values, axis, dtype):
    return np.array(values, dtype).reshape((-1,) + (1,) * (-1 - axis))


def decode_predictions(preds, top=5) -> list:
    """The names of the likeliest of ImageNet's classes; all ranks call it.

    Args:
        preds: Array of scores, `(samples, 1000)`.
        top: How many classes for each sample.

    Returns:
        For each sample a list of `(WordNet's number, name, score)`, the highest score first.

    Raises:
        ValueError: If the array has another shape.
        OSError: If the list of names is not in Keras' folder and can't be downloaded.
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)). "
            f"Received array with shape: {preds.shape}"
        )
    path = get_file("imagenet_class_index.json", INDEX, cache_subdir="models", file_hash=INDEX_MD5)
    with open(path, encoding="utf-8") as file:
        names = json.load(file)
    return [[(*names[str(i)], row[i]) for i in row.argsort()[::-1][:top]] for row in preds]
