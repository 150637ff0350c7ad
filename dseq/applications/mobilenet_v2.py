"""MobileNetV2: narrow shortcuts between wide depthwise convolutions (Sandler et al., https://arxiv.org/abs/1801.04381)."""

import warnings

from dseq import layers
from dseq.applications import imagenet_utils
from dseq.applications.application import (
    assemble,
    channel_axis,
    check_weights,
    classifier,
    divisible,
    image_shape,
    pooled,
    side_padding,
    sizes,
)
from dseq.applications.imagenet_utils import decode_predictions
from dseq.applications.pretrained import KERNELS, Files
from dseq.program.floatx import image_data_format
from dseq.program.tensor import Tensor

# (channels, stride of the first block, blocks)
STAGES = ((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))
TRAINED_SIZES = (96, 128, 160, 192, 224)
TRAINED_WIDTHS = (0.35, 0.50, 0.75, 1.0, 1.3, 1.4)


def MobileNetV2(
    input_shape=None,
    alpha=1.0,
    include_top=True,
    weights="imagenet",
    input_tensor=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
):
    """MobileNetV2, 3.5 million weights, 2.3 without the classifier, for images of 224 x 224.

    Images have pixels as `mobilenet_v2.preprocess_input` makes them, and are at least 32 pixels high and wide.

    Args:
        input_shape: Shape of an image; only without the classifier may it be left open, as `(None, None, 3)`.
        alpha: Factor of the numbers of channels. Trained weights are there for 0.35, 0.5, 0.75, 1, 1.3 and 1.4.
        include_top: Whether the classifier belongs to the model; without it the output are features.
        weights: `"imagenet"` for Keras' trained weights, those for the size of the images if that is 96, 128, 160, 192
            or 224; the path of a weights file of this model; or None for random ones.
        input_tensor: Symbolic tensor to use in place of an `Input` of the model's own.
        pooling: What makes a vector of the features where there is no classifier: `"avg"`, `"max"`, or None for
            nothing.
        classes: Number of classes of the classifier.
        classifier_activation: Its activation; None for logits. Trained weights allow these two only.
        name: Name of the model, `mobilenetv2_<alpha>_<rows>` if None.

    Returns:
        A `Model`.

    Raises:
        ValueError: If arguments do not fit each other or the network.
        OSError: If there is no network to download the weights, and they are not in Keras' folder.
    """
    check_weights(weights, include_top, classes)
    given = input_tensor if isinstance(input_tensor, Tensor) else None
    if given is not None and input_shape is not None and sizes(given)[1] != _plane(input_shape)[1]:
        raise ValueError(
            "`input_tensor` must have the width of `input_shape`. "
            f"Received: input_tensor.shape={given.shape}, input_shape={tuple(input_shape)}"
        )
    if input_shape is not None:
        rows, columns = _plane(input_shape)
    else:
        rows, columns = (224, 224) if given is None else sizes(given)
    size = rows if rows == columns and rows in TRAINED_SIZES else 224
    input_shape = image_shape(input_shape, size, 32, include_top, weights)
    rows, columns = _plane(input_shape)
    if weights == "imagenet":
        if alpha not in TRAINED_WIDTHS:
            raise ValueError(
                f"If imagenet weights are being loaded, `alpha` must be one of {TRAINED_WIDTHS}. "
                f"Received: alpha={alpha}"
            )
        if rows != columns or rows not in TRAINED_SIZES:
            rows = 224
            warnings.warn(
                f"`input_shape` is undefined or non-square, or `rows` is not in {list(TRAINED_SIZES)}. Weights for "
                "input shape (224, 224) will be loaded as the default.",
                stacklevel=2,
            )
    return assemble(
        lambda x: _build(x, alpha),
        _files(alpha, rows),
        weights,
        include_top,
        input_tensor,
        input_shape,
        lambda x: classifier(layers.GlobalAveragePooling2D()(x), classes, classifier_activation, weights),
        lambda x: pooled(x, pooling, named=False),
        name or f"mobilenetv2_{alpha:0.2f}_{rows}",
    )


def _plane(shape):
    return tuple(shape)[1:] if image_data_format() == "channels_first" else tuple(shape)[:2]


def _files(alpha, rows):
    name = f"mobilenet_v2_{KERNELS}_{float(alpha)}_{rows}"
    return Files("tensorflow/keras-applications/mobilenet_v2", f"{name}.h5", f"{name}_no_top.h5")


def _norm(x, name, relu=None):
    x = layers.BatchNormalization(axis=channel_axis(), epsilon=1e-3, momentum=0.999, name=name)(x)
    return layers.ReLU(6.0, name=relu)(x) if relu else x


def _pointwise(x, filters, name):
    return layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)


def _block(x, filters, stride, number):
    before, channels = x, x.shape[channel_axis()]
    name = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = _norm(_pointwise(x, 6 * channels, f"{name}expand"), f"{name}expand_BN", f"{name}expand_relu")
    if stride == 2:
        x = layers.ZeroPadding2D(side_padding(x, 3), name=f"{name}pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False, name=f"{name}depthwise")(x)
    x = _norm(x, f"{name}depthwise_BN", f"{name}depthwise_relu")
    x = _norm(_pointwise(x, filters, f"{name}project"), f"{name}project_BN")
    return layers.Add(name=f"{name}add")([before, x]) if channels == filters and stride == 1 else x


def _build(x, alpha):
    x = layers.Conv2D(divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    x = _norm(x, "bn_Conv1", "Conv1_relu")
    number = 0
    for filters, stride, blocks in STAGES:
        for i in range(blocks):
            x = _block(x, divisible(int(filters * alpha)), 1 if i else stride, number)
            number += 1
    last = divisible(1280 * alpha) if alpha > 1 else 1280
    x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    return _norm(x, "Conv_1_bn", "out_relu")


def preprocess_input(x, data_format=None):
    """Pixels from -1 to 1 of pixels from 0 to 255: mode "tf" of `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
