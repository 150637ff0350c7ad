"""EfficientNet: width, depth and image size grow together (Tan and Le, https://arxiv.org/abs/1905.11946)."""

from math import ceil, sqrt

from dseq import initializers, layers
from dseq.applications.application import application, channel_axis, divisible, side_padding
from dseq.applications.imagenet_utils import DEVIATIONS, decode_predictions
from dseq.applications.pretrained import Files
from dseq.program.floatx import image_data_format

# Of B0: (window, blocks, channels, factor by which a block widens its input, stride of the first block).
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
DROPPED_BLOCKS = 0.2  # share of the last block's outputs that is dropped whole in training; less in front


def _conv(x, filters, window, name, **how):
    return layers.Conv2D(filters, window, kernel_initializer=_like_he(), name=name, **{"padding": "same"} | how)(x)


def _like_he():
    return initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")


def _head():
    return {"kernel_initializer": initializers.VarianceScaling(1 / 3, mode="fan_out", distribution="uniform")}


def _norm(x, name, active=None):
    x = layers.BatchNormalization(axis=channel_axis(3), name=f"{name}bn")(x)
    return layers.Activation("swish", name=f"{name}activation")(x) if active else x


def _block(x, filters, window, widen, stride, drop, name):
    """A narrow input, widened, filtered, weighted by channel, and made narrow again."""
    before, channels = x, x.shape[channel_axis()]
    wide = channels * widen
    if widen != 1:
        x = _norm(_conv(x, wide, 1, f"{name}expand_conv", use_bias=False), f"{name}expand_", True)
    if stride == 2:
        x = layers.ZeroPadding2D(side_padding(x, window), name=f"{name}dwconv_pad")(x)
    x = layers.DepthwiseConv2D(
        window,
        strides=stride,
        padding="valid" if stride == 2 else "same",
        use_bias=False,
        depthwise_initializer=_like_he(),
        name=f"{name}dwconv",
    )(x)
    x = _norm(x, name, True)

    weight = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    first = image_data_format() == "channels_first"
    weight = layers.Reshape((wide, 1, 1) if first else (1, 1, wide), name=f"{name}se_reshape")(weight)
    weight = _conv(weight, max(1, int(channels * 0.25)), 1, f"{name}se_reduce", activation="swish")
    weight = _conv(weight, wide, 1, f"{name}se_expand", activation="sigmoid")
    x = layers.multiply([x, weight], name=f"{name}se_excite")

    x = _norm(_conv(x, filters, 1, f"{name}project_conv", use_bias=False), f"{name}project_")
    if stride == 1 and channels == filters:
        if drop > 0:
            x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
        x = layers.add([x, before], name=f"{name}add")
    return x


def _efficientnet(number, width, depth, size, dropout, title, *md5):
    label = f"EfficientNetB{number}"

    def channels(filters):
        return divisible(filters * width)

    def build(x, weights):
        x = layers.Rescaling(1 / 255)(x)
        x = layers.Normalization(axis=channel_axis(3))(x)
        if weights == "imagenet":
            # Keras' weights were trained with pixels divided by the variance, not by its root: this is the rest.
            x = layers.Rescaling([1 / sqrt(deviation) for deviation in DEVIATIONS])(x)
        x = layers.ZeroPadding2D(side_padding(x, 3), name="stem_conv_pad")(x)
        x = _conv(x, channels(32), 3, "stem_conv", strides=2, padding="valid", use_bias=False)
        x = _norm(x, "stem_", True)
        repeats = [ceil(depth * stage[1]) for stage in STAGES]
        done = 0
        for stage, (window, _, filters, widen, stride) in enumerate(STAGES):
            for i in range(repeats[stage]):
                drop = DROPPED_BLOCKS * done / sum(repeats)
                name = f"block{stage + 1}{chr(ord('a') + i)}_"
                x = _block(x, channels(filters), window, widen, 1 if i else stride, drop, name)
                done += 1
        x = _conv(x, channels(1280), 1, "top_conv", use_bias=False)
        return _norm(x, "top_", True)

    def top(x):
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        return layers.Dropout(dropout, name="top_dropout")(x)

    files = Files("keras-applications", f"{label.lower()}.h5", f"{label.lower()}_notop.h5", md5)
    return application(build, f"{label}, {title}", __name__, size, files, top=top, head=_head)


EfficientNetB0 = _efficientnet(
    *(0, 1.0, 1.0, 224, 0.2),
    "5.3 million weights, 4.0 without the classifier, for images of 224 x 224",
    "902e53a9f72be733fc0bcb005b3ebbac",
    "50bc09e76180e00e4465e1a485ddc09d",
)
EfficientNetB1 = _efficientnet(
    *(1, 1.0, 1.1, 240, 0.2),
    "7.9 million weights, 6.6 without the classifier, for images of 240 x 240",
    "1d254153d4ab51201f1646940f018540",
    "74c4e6b3e1f6a1eea24c589628592432",
)
EfficientNetB2 = _efficientnet(
    *(2, 1.1, 1.2, 260, 0.3),
    "9.2 million weights, 7.8 without the classifier, for images of 260 x 260",
    "b15cce36ff4dcbd00b6dd88e7857a6ad",
    "111f8e2ac8aa800a7a99e3239f7bfb39",
)
EfficientNetB3 = _efficientnet(
    *(3, 1.2, 1.4, 300, 0.3),
    "12.3 million weights, 10.8 without the classifier, for images of 300 x 300",
    "ffd1fdc53d0ce67064dc6a9c7960ede0",
    "af6d107764bb5b1abb91932881670226",
)
EfficientNetB4 = _efficientnet(
    *(4, 1.4, 1.8, 380, 0.4),
    "19.5 million weights, 17.7 without the classifier, for images of 380 x 380",
    "18c95ad55216b8f92d7e70b3a046e2fc",
    "ebc24e6d6c33eaebbd558eafbeedf1ba",
)
EfficientNetB5 = _efficientnet(
    *(5, 1.6, 2.2, 456, 0.4),
    "30.6 million weights, 28.5 without the classifier, for images of 456 x 456",
    "ace28f2a6363774853a83a0b21b9421a",
    "38879255a25d3c92d5e44e04ae6cec6f",
)
EfficientNetB6 = _efficientnet(
    *(6, 1.8, 2.6, 528, 0.5),
    "43.3 million weights, 41.0 without the classifier, for images of 528 x 528",
    "165f6e37dce68623721b423839de8be5",
    "9ecce42647a20130c1f39a5d4cb75743",
)
EfficientNetB7 = _efficientnet(
    *(7, 2.0, 3.1, 600, 0.5),
    "66.7 million weights, 64.1 without the classifier, for images of 600 x 600",
    "8c03f828fec3ef71311cd463b6759d99",
    "cbcfe4450ddf6f3ad90b1b398090fe4a",
)


def preprocess_input(x, data_format=None):
    """The images themselves: the model scales pixels from 0 to 255 by layers of its own."""
    return x


__all__ = [*(f"EfficientNetB{number}" for number in range(8)), "decode_predictions", "preprocess_input"]
