"""DenseNet: each layer sees the features of all before it (Huang et al., https://arxiv.org/abs/1608.06993)."""

from dseq import layers
from dseq.applications import imagenet_utils
from dseq.applications.application import application
from dseq.applications.imagenet_utils import decode_predictions
from dseq.applications.pretrained import files
from dseq.applications.resnet import normalised
from dseq.program.floatx import image_data_format

GROWTH = 32  # channels that each layer adds


def _layer(x, name):
    new = normalised(x, f"{name}_0")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = normalised(new, f"{name}_1")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(axis=3, name=f"{name}_concat")([x, new])


def _transition(x, name):
    x = normalised(x, name)
    x = layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _densenet(label, title, depths, *md5):
    def build(x, weights):
        if image_data_format() == "channels_first":
            raise ValueError(
                "DenseNet does not support the `channels_first` image data format. Received: "
                "dseq.config.image_data_format() == 'channels_first'. Call "
                "`dseq.config.set_image_data_format('channels_last')` before."
            )
        x = layers.ZeroPadding2D(3)(x)
        x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
        x = layers.ZeroPadding2D(1)(normalised(x, "conv1"))
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
        for stage, depth in enumerate(depths, 2):
            if stage > 2:
                x = _transition(x, f"pool{stage - 1}")
            for i in range(1, depth + 1):
                x = _layer(x, f"conv{stage}_block{i}")
        x = layers.BatchNormalization(axis=3, epsilon=1.001e-5, name="bn")(x)
        return layers.Activation("relu", name="relu")(x)

    return application(build, f"{label}, {title}", __name__, 224, files(label.lower(), "densenet", *md5))


DenseNet121 = _densenet(
    "DenseNet121",
    "8.1 million weights, 7.0 without the classifier, for images of 224 x 224",
    (6, 12, 24, 16),
    "9d60b8095a5708f2dcce2bca79d332c7",
    "30ee3e1110167f948a6b9946edeeb738",
)
DenseNet169 = _densenet(
    "DenseNet169",
    "14.3 million weights, 12.6 without the classifier, for images of 224 x 224",
    (6, 12, 32, 32),
    "d699b8f76981ab1b30698df4c175e90b",
    "b8c4d4c20dd625c148057b9ff1c1176b",
)
DenseNet201 = _densenet(
    "DenseNet201",
    "20.2 million weights, 18.3 without the classifier, for images of 224 x 224",
    (6, 12, 48, 32),
    "1ceb130c1ea1b78c3bf6114dbdfd8807",
    "c13680b51ded0fb44dff2d8f86ac8bb1",
)


def preprocess_input(x, data_format=None):
    """Pixels by ImageNet's means and deviations: mode "torch" of `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="torch")


__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
