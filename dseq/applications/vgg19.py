"""VGG19: VGG16 with three more convolutions."""

from dseq.applications.imagenet_utils import decode_predictions
from dseq.applications.vgg16 import preprocess_input, vgg

VGG19 = vgg(
    "VGG19, 143.7 million weights, 20.0 without the classifier, for images of 224 x 224",
    __name__,
    (2, 2, 4, 4, 4),
    "cbe5617147190e668d6c5d5026f83318",
    "253f8cb515780f3b799900260a226db6",
)

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
