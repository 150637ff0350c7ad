"""Keras' functions of images: `dseq.ops.image`.

As all of `dseq.ops`, they take arrays and compute at once, or symbolic tensors in a graph. In a graph images have a
batch axis.
"""

from dseq.ops.image.colors import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from dseq.ops.image.framing import crop_images, pad_images
from dseq.ops.image.resampling import resize
from dseq.ops.image.transforming import affine_transform

__all__ = [
    "affine_transform",
    "crop_images",
    "hsv_to_rgb",
    "pad_images",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
]
