"""ResNet V2: normalisation and rectifier come before each convolution (He et al., https://arxiv.org/abs/1603.05027)."""

from dseq import layers
from dseq.applications import imagenet_utils
from dseq.applications.application import application
from dseq.applications.imagenet_utils import decode_predictions
from dseq.applications.pretrained import files
from dseq.applications.resnet import DEPTHS, FILTERS, normalised, stem


def _block(x, filters, stride, project, name):
    before = normalised(x, f"{name}_preact")
    if project:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(before)
    else:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = normalised(layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(before), f"{name}_1")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(normalised(x, f"{name}_2"))
    return layers.Add(name=f"{name}_out")([shortcut, x])


def _resnet(label, title, *md5):
    def build(x, weights):
        x = stem(x, active=False)
        for stage, (depth, filters) in enumerate(zip(DEPTHS[label], FILTERS, strict=True), 2):
            for i in range(1, depth + 1):
                stride = 2 if i == depth and stage < 5 else 1  # the last block of a stage halves the image
                x = _block(x, filters, stride, i == 1, f"conv{stage}_block{i}")
        return normalised(x, "post")

    label_v2 = f"{label}V2"
    return application(build, f"{label_v2}, {title}", __name__, 224, files(label_v2.lower(), "resnet", *md5))


ResNet50V2 = _resnet(
    "ResNet50",
    "25.6 million weights, 23.6 without the classifier, for images of 224 x 224",
    "3ef43a0b657b3be2300d5770ece849e0",
    "fac2f116257151a9d068a22e544a4917",
)
ResNet101V2 = _resnet(
    "ResNet101",
    "44.7 million weights, 42.6 without the classifier, for images of 224 x 224",
    "6343647c601c52e1368623803854d971",
    "c0ed64b8031c3730f411d2eb4eea35b5",
)
ResNet152V2 = _resnet(
    "ResNet152",
    "60.4 million weights, 58.3 without the classifier, for images of 224 x 224",
    "a49b44d1979771252814e80f8ec446f9",
    "ed17cf2e0169df9d443503ef94b23b33",
)


def preprocess_input(x, data_format=None):
    """Pixels from -1 to 1 of pixels from 0 to 255: mode "tf" of `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]
