"""ResNet: blocks of three convolutions beside a shortcut (He et al., https://arxiv.org/abs/1512.03385)."""

from dseq import layers
from dseq.applications import imagenet_utils
from dseq.applications.application import application, channel_axis
from dseq.applications.imagenet_utils import decode_predictions
from dseq.applications.pretrained import files

FILTERS = (64, 128, 256, 512)
DEPTHS = {"ResNet50": (3, 4, 6, 3), "ResNet101": (3, 4, 23, 3), "ResNet152": (3, 8, 36, 3)}


def normalised(x, name, active=True):
    """Appends a batch normalisation `<name>_bn` and the rectifier `<name>_relu`."""
    x = layers.BatchNormalization(axis=channel_axis(3), epsilon=1.001e-5, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x) if active else x


def stem(x, bias=True, active=True):
    """Appends the first convolution and pooling, by which images of 224 x 224 become 56 x 56."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, use_bias=bias, name="conv1_conv")(x)
    if active:
        x = normalised(x, "conv1")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def _block(x, filters, stride, project, name):
    shortcut = x
    if project:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = normalised(shortcut, f"{name}_0", active=False)
    x = normalised(layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x), f"{name}_1")
    x = normalised(layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2")
    x = normalised(layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3", active=False)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _resnet(label, title, *md5):
    def build(x, weights):
        x = stem(x)
        for stage, (depth, filters) in enumerate(zip(DEPTHS[label], FILTERS, strict=True), 2):
            for i in range(1, depth + 1):
                stride = 2 if i == 1 and stage > 2 else 1
                x = _block(x, filters, stride, i == 1, f"conv{stage}_block{i}")
        return x

    return application(build, f"{label}, {title}", __name__, 224, files(label.lower(), "resnet", *md5))


ResNet50 = _resnet(
    "ResNet50",
    "25.6 million weights, 23.6 without the classifier, for images of 224 x 224",
    "2cb95161c43110f7111970584f804107",
    "4d473c1dd8becc155b73f8504c6f6626",
)
ResNet101 = _resnet(
    "ResNet101",
    "44.7 million weights, 42.7 without the classifier, for images of 224 x 224",
    "f1aeb4b969a6efcfb50fad2f0c20cfc5",
    "88cf7a10940856eca736dc7b7e228a21",
)
ResNet152 = _resnet(
    "ResNet152",
    "60.4 million weights, 58.4 without the classifier, for images of 224 x 224",
    "100835be76be38e30d865e96f2aaae62",
    "ee4c566cf9a93f14d82f913c2dc6dd0c",
)


def preprocess_input(x, data_format=None):
    """Blue, green, red less ImageNet's means: mode "caffe" of `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="caffe")


__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
