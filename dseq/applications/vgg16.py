"""VGG: blocks of 3 x 3 convolutions and pooling (Simonyan and Zisserman, https://arxiv.org/abs/1409.1556)."""

from dseq import layers
from dseq.applications import imagenet_utils
from dseq.applications.application import application
from dseq.applications.imagenet_utils import decode_predictions
from dseq.applications.pretrained import files

FILTERS = (64, 128, 256, 512, 512)


def vgg(title, module, depths, *md5):
    """The function that makes a VGG network.

    Args:
        title: First line of its documentation.
        module: Its module.
        depths: Number of convolutions of each block.
        *md5: Checksums of the weights' files.
    """

    def build(x, weights):
        for block, (depth, filters) in enumerate(zip(depths, FILTERS, strict=True), 1):
            for i in range(1, depth + 1):
                x = layers.Conv2D(filters, 3, activation="relu", padding="same", name=f"block{block}_conv{i}")(x)
            x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
        return x

    label = module.rpartition(".")[2]
    return application(build, title, module, 224, files(label, label, *md5), top=_top, named_pooling=False)


def _top(x):
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
    return x


VGG16 = vgg(
    "VGG16, 138.4 million weights, 14.7 without the classifier, for images of 224 x 224",
    __name__,
    (2, 2, 3, 3, 3),
    "64373286793e3c8b2b4e3219cbf3544b",
    "6d6bbae143d832006294945121d1f1fc",
)


def preprocess_input(x, data_format=None):
    """Blue, green, red less ImageNet's means: mode "caffe" of `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="caffe")


__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
