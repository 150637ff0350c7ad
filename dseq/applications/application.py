"""What Keras' networks for images share: their arguments, what is checked of them, and the head."""

import os
import warnings

from dseq import activations, layers
from dseq.applications.pretrained import Files
from dseq.models import Model
from dseq.parallel import communicator
from dseq.program.floatx import image_data_format
from dseq.program.tensor import Tensor

DOCUMENTATION = """{title}.

    Images have pixels as `{module}.preprocess_input` makes them{least}.

    Args:
        include_top: Whether the classifier belongs to the model; without it the output are features.
        weights: `"imagenet"` for Keras' trained weights, the path of a weights file of this model (`.weights.h5`, or
            Keras' older `.h5`), or None for random ones.
        input_tensor: Symbolic tensor to use in place of an `Input` of the model's own.
        input_shape: Shape of an image; only without the classifier may it be left open, as `(None, None, 3)`.
        pooling: What makes a vector of the features where there is no classifier: `"avg"`, `"max"`, or None for
            nothing.
        classes: Number of classes of the classifier.
        classifier_activation: Its activation; None for logits. Trained weights allow these two only.
        name: Name of the model.

    Returns:
        A `Model`.

    Raises:
        ValueError: If arguments do not fit each other or the network.
        OSError: If there is no network to download the weights, and they are not in Keras' folder.
"""


def application(build, title, module, size, files, least=32, top=None, named_pooling=True, head=None):
    """Makes a function of Keras' arguments that builds a network.

    Args:
        build: `(x, weights)`: appends the layers to a symbolic tensor of images and returns the features.
        title: First line of the function's documentation: the network's name in Keras, a comma, and more.
        module: Module of the function.
        size: Height and width of an image where nobody says otherwise.
        files: `Files` of the weights.
        least: Smallest height and width that the network can take.
        top: Appends what lies between features and classifier; global average pooling by default.
        named_pooling: Whether the layers of `pooling` have names of their own.
        head: Function that gives more arguments of the classifier's `Dense`.

    Returns:
        The function.
    """
    label = title.partition(",")[0]
    small = label.lower()
    top = top or (lambda x: layers.GlobalAveragePooling2D(name="avg_pool")(x))

    def network(
        include_top=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=small,
    ):
        check_weights(weights, include_top, classes)
        input_shape = image_shape(input_shape, size, least, include_top, weights)
        return assemble(
            lambda x: build(x, weights),
            files,
            weights,
            include_top,
            input_tensor,
            input_shape,
            lambda x: classifier(top(x), classes, classifier_activation, weights, **(head() if head else {})),
            lambda x: pooled(x, pooling, named_pooling),
            name,
        )

    network.__name__ = network.__qualname__ = label
    network.__module__ = module
    smallest = f", and are at least {least} pixels high and wide" if least else ""
    network.__doc__ = DOCUMENTATION.format(title=title, module=module.rpartition(".")[2], least=smallest)
    return network


def assemble(build, files: Files, weights, include_top, input_tensor, input_shape, top, pool, name):
    """Builds a network and loads its weights; the arguments are checked already.

    Args:
        build: Makes the features of a symbolic tensor of images.
        files: `Files` of the weights.
        weights: `"imagenet"`, a path, or None.
        include_top: Whether there is a classifier.
        input_tensor: Symbolic tensor of the images, or None.
        input_shape: Shape of an image.
        top: Makes the classifier's output of the features.
        pool: Makes the output of the features where there is no classifier.
        name: Name of the model.
    """
    path = files.find(include_top) if weights == "imagenet" else weights
    image = layers.Input(shape=input_shape) if input_tensor is None else input_tensor
    if not isinstance(image, Tensor):
        raise ValueError(
            f"`input_tensor` must be a symbolic tensor, made by `Input`. Received: {type(image).__name__}. Give arrays "
            "to the model itself."
        )
    output = (top if include_top else pool)(build(image))
    model = Model(image if input_tensor is None else _sources(image), output, name=name)
    if path is not None:
        model.load_weights(path)
    return model


def check_weights(weights, include_top, classes) -> None:
    """Raises if `weights` is nothing that can be loaded, on all ranks."""
    if weights not in ("imagenet", None):
        path = os.fspath(weights) if isinstance(weights, str | bytes | os.PathLike) else None
        exists = path is not None and communicator.get().share_outcome(lambda: os.path.exists(path))
        if not exists:
            raise ValueError(
                "The `weights` argument should be either `None` (random initialization), 'imagenet' (pre-training on "
                f"ImageNet), or the path to the weights file to be loaded. Received: weights={weights!r}"
            )
    if weights == "imagenet" and include_top and classes != 1000:
        raise ValueError(
            "If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000. "
            f"Received: classes={classes}. Use `include_top=False` and a classifier of your own."
        )


def image_shape(given, size, least, include_top, weights) -> tuple:
    """The shape of an image in the order of `dseq.config.image_data_format`.

    Args:
        given: What the user said, or None.
        size: Height and width by default.
        least: Smallest height and width.
        include_top: Whether all sizes must be known.
        weights: `"imagenet"` asks for 3 channels, and with the classifier for the default shape.

    Raises:
        ValueError: If the shape does not fit.
    """
    first = image_data_format() == "channels_first"

    def ordered(channels, *sizes):
        return (channels, *sizes) if first else (*sizes, channels)

    if not given:
        return ordered(3, size, size) if include_top else ordered(3, None, None)
    given = tuple(given)
    if len(given) != 3:
        raise ValueError(f"`input_shape` must be a tuple of three integers. Received: input_shape={given}")
    channels, sizes = (given[0], given[1:]) if first else (given[2], given[:2])
    if weights == "imagenet":
        if include_top and given != ordered(3, size, size):
            raise ValueError(
                "When setting `include_top=True` and loading `imagenet` weights, `input_shape` should be "
                f"{ordered(3, size, size)}. Received: input_shape={given}"
            )
        if channels != 3:
            raise ValueError(f"The input must have 3 channels. Received: input_shape={given}")
    elif channels not in (1, 3):
        warnings.warn(
            "This model usually expects 1 or 3 input channels. However, it was passed an input_shape with "
            f"{channels} input channels.",
            stacklevel=4,
        )
    if any(n is not None and n < least for n in sizes):
        raise ValueError(f"Input size must be at least {least}x{least}. Received: input_shape={given}")
    if include_top and None in given:
        raise ValueError(
            f"If `include_top` is True, you should specify a static `input_shape`. Received: input_shape={given}"
        )
    return given


def classifier(x, classes, activation, weights, **how):
    """Appends the layer that gives the classes' scores.

    Raises:
        ValueError: If trained weights come with another activation than they were trained with.
    """
    plain = (activations.get(None), activations.get("softmax"))
    if weights is not None and activations.get(activation) not in plain:
        raise ValueError(
            "Only `None` and `softmax` activations are allowed for the `classifier_activation` argument when using "
            "pretrained weights, with `include_top=True`. Received: "
            f"classifier_activation={activation!r}"
        )
    return layers.Dense(classes, activation=activation, name="predictions", **how)(x)


def pooled(x, pooling, named):
    """Appends what makes a vector of features; nothing for None."""
    kinds = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    if pooling is None:
        return x
    if pooling not in kinds:
        raise ValueError(f"`pooling` must be 'avg', 'max' or None. Received: pooling={pooling!r}")
    return kinds[pooling](name=f"{pooling}_pool" if named else None)(x)


def channel_axis(last=-1) -> int:
    """The axis of the channels; `last` where it is the last one."""
    return 1 if image_data_format() == "channels_first" else last


def sizes(x) -> tuple:
    """Height and width of a symbolic tensor of images."""
    return x.shape[2:4] if image_data_format() == "channels_first" else x.shape[1:3]


def side_padding(x, window) -> tuple:
    """Zeros on each side, so that windows at every second place lie as those of "same" would in an odd image."""
    return tuple((window // 2 - (1 if n is None else 1 - n % 2), window // 2) for n in sizes(x))


def divisible(number, divisor=8) -> int:
    """The multiple of a divisor nearest to a number of channels, at least 90 % of it."""
    nearest = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * number else nearest + divisor


def _sources(tensor) -> list:
    """The input tensors a tensor is computed from, in the order in which they are met."""
    found, seen, waiting = [], set(), [tensor]
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in seen:
            seen.add(id(tensor))
            if tensor.node.is_input:
                found.append(tensor)
            else:
                waiting += reversed(tensor.node.inputs)
    return found
