"""Xception: depthwise separable convolutions with shortcuts (Chollet, https://arxiv.org/abs/1610.02357)."""

from dseq import layers
from dseq.applications import imagenet_utils
from dseq.applications.application import application, channel_axis
from dseq.applications.imagenet_utils import decode_predictions
from dseq.applications.pretrained import files

# Channels of the convolutions of blocks 2 to 13. Those that change the number of channels halve the image.
BLOCKS = ((128, 128), (256, 256), (728, 728), *8 * [(728, 728, 728)], (728, 1024))
HALVING = (2, 3, 4, 13)
LAST = (1536, 2048)


def _norm(x, name=None):
    return layers.BatchNormalization(axis=channel_axis(), name=name)(x)


def _separable(x, filters, name):
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _norm(x, f"{name}_bn")


def _relu(x, name):
    return layers.Activation("relu", name=f"{name}_act")(x)


def _build(x, weights):
    for i, (filters, stride) in enumerate(((32, 2), (64, 1)), 1):
        name = f"block1_conv{i}"
        x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=name)(x)
        x = _relu(_norm(x, f"{name}_bn"), name)
    for block, channels in enumerate(BLOCKS, 2):
        shortcut = x
        if block in HALVING:
            shortcut = layers.Conv2D(channels[-1], 1, strides=2, padding="same", use_bias=False)(x)
            shortcut = _norm(shortcut)
        for i, filters in enumerate(channels, 1):
            name = f"block{block}_sepconv{i}"
            x = _separable(x if name == "block2_sepconv1" else _relu(x, name), filters, name)
        if block in HALVING:
            x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{block}_pool")(x)
        x = layers.add([x, shortcut])
    for i, filters in enumerate(LAST, 1):
        x = _relu(_separable(x, filters, f"block14_sepconv{i}"), f"block14_sepconv{i}")
    return x


Xception = application(
    _build,
    "Xception, 20.9 million weights without the classifier, for images of 299 x 299",
    __name__,
    size=299,
    least=71,
    files=files("xception", "xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
    named_pooling=False,
)


def preprocess_input(x, data_format=None):
    """Pixels from -1 to 1 of pixels from 0 to 255: mode "tf" of `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__all__ = ["Xception", "decode_predictions", "preprocess_input"]
