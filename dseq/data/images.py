"""Image files: each rank decodes the images of its rows, in threads that work ahead."""

import os

import numpy as np

from dseq.data import resize
from dseq.data.samples import Samples
from dseq.parallel import communicator
from dseq.program import seeds

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
MODES = {"rgb": ("RGB", 3), "rgba": ("RGBA", 4), "grayscale": ("L", 1)}


class Images(Samples):
    """A data set of image files, for `fit`, `evaluate` and `predict`.

    Args:
        paths: List of files.
        labels: Array of targets, one per file; None for none.
        image_size: `(height, width)` of the result.
        batch_size: Images of a global batch.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"mitchellcubic"`, `"gaussian"`, `"lanczos3"` or
            `"lanczos5"`.
        crop_to_aspect_ratio: Whether to cut off what has no place, instead of squeezing it.
        pad_to_aspect_ratio: Whether to add black borders instead of squeezing.
        shuffle: Whether each epoch takes the images in another order.
        seed: Seed of the order.
        **options: `workers` (2 threads by default), `use_multiprocessing` and `max_queue_size` of `PyDataset`.

    Raises:
        ImportError: Without Pillow, which reads images.
        ValueError: If an argument does not fit.

    Example:
        >>> data = dseq.data.Images(["a.png", "b.png"], np.array([0, 1]), image_size=(64, 64), batch_size=2)
        >>> data[0][0].shape
        (2, 64, 64, 3)
    """

    def __init__(
        self,
        paths,
        labels=None,
        image_size=(256, 256),
        batch_size=32,
        color_mode="rgb",
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        shuffle=False,
        seed=None,
        **options,
    ):
        self._pillow = pillow()
        self.file_paths = [os.fspath(path) for path in paths]
        self.labels = None if labels is None else np.asarray(labels)
        if self.labels is not None and len(self.labels) != len(self.file_paths):
            raise ValueError(
                f"There must be one label for each image. Received: {len(self.labels)} labels for "
                f"{len(self.file_paths)} images"
            )
        if isinstance(image_size, int):
            image_size = image_size, image_size
        if not isinstance(image_size, list | tuple) or len(image_size) != 2:
            raise ValueError(f"Invalid `image_size` value. Expected a tuple of 2 integers. Received: {image_size}")
        if color_mode not in MODES:
            raise ValueError(f"`color_mode` must be one of {list(MODES)}. Received: color_mode={color_mode!r}")
        if interpolation not in resize.INTERPOLATIONS:
            raise ValueError(
                f"Argument `interpolation` should be one of {resize.INTERPOLATIONS}. Received: {interpolation!r}"
            )
        self.image_size = tuple(map(int, image_size))
        self.color_mode, self.interpolation = color_mode, interpolation
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        super().__init__(len(self.file_paths), batch_size, shuffle, seed, **({"workers": 2} | options))

    def __getstate__(self):
        return vars(self) | {"_pillow": None}

    def take(self, numbers):
        """Images by their numbers, as float32 from 0 to 255, and their labels if there are any."""
        images = np.empty((len(numbers), *self.image_size, MODES[self.color_mode][1]), np.float32)
        for image, number in zip(images, numbers, strict=True):
            image[...] = self._read(self.file_paths[number])
        return (images,) if self.labels is None else (images, self.labels[numbers])

    def _read(self, path):
        self._pillow = self._pillow or pillow()
        try:
            with self._pillow.open(path) as file:
                pixels = np.asarray(file.convert(MODES[self.color_mode][0]))
        except (OSError, SyntaxError, ValueError) as error:  # as Pillow reports damage
            raise OSError(f"{path} could not be read as an image: {error}.") from error
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if self.crop_to_aspect_ratio:
            top, left, rows, columns = resize.crop_box(*pixels.shape[:2], *self.image_size)
            pixels = pixels[top : top + rows, left : left + columns]
        elif self.pad_to_aspect_ratio:
            pixels = resize.pad_to_ratio(pixels, *self.image_size)
        return resize.resize(pixels, *self.image_size, self.interpolation)


def image_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    color_mode="rgb",
    batch_size=32,
    image_size=(256, 256),
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    interpolation="bilinear",
    follow_links=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    data_format=None,
    format="tf",
    verbose=True,
):
    """A data set of the image files in a folder with one folder for each class. All ranks call it; rank 0 looks.

    Args:
        directory: The folder.
        labels: `"inferred"` from the folders, None, or a list of class numbers in the order of the sorted files.
        label_mode: `"int"`, `"categorical"` (one-hot), `"binary"` (0. and 1., of shape `(1,)`) or None.
        class_names: The folders to take, in the order of the classes; all, sorted, if None.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        batch_size: Images of a global batch.
        image_size: `(height, width)` of the result.
        shuffle: Whether each epoch takes the images in another order; the files are mixed before they are split.
        seed: Seed of the order; needed to split shuffled files in two calls.
        validation_split: Share of the files for validation.
        subset: `"training"`, `"validation"` or `"both"`, if `validation_split` is given.
        interpolation: As for `Images`.
        follow_links: Whether to follow symbolic links to folders.
        crop_to_aspect_ratio: As for `Images`.
        pad_to_aspect_ratio: As for `Images`.
        data_format: `"channels_last"` or None.
        format: Accepted as in Keras.
        verbose: Whether rank 0 prints how many files were found.

    Returns:
        An `Images` with the attributes `class_names` and `file_paths`; two of them for `subset="both"`.

    Raises:
        ValueError: If arguments do not fit, or there are no images; the same on every rank.
    """
    if data_format not in (None, "channels_last"):
        raise ValueError(f"`data_format` must be 'channels_last'. Received: data_format={data_format!r}")
    if label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            '`label_mode` argument must be one of "int", "categorical", "binary", or None. '
            f"Received: label_mode={label_mode!r}"
        )
    if labels not in ("inferred", None) and not isinstance(labels, list | tuple):
        raise ValueError(
            "`labels` argument should be a list/tuple of integer labels, of the same size as the number of image files "
            f'in the target directory, "inferred", or None. Received: labels={labels!r}'
        )
    if class_names and labels != "inferred":
        raise ValueError(f'You can only pass `class_names` if `labels="inferred"`. Received: labels={labels!r}')
    _check_split(validation_split, subset, shuffle, seed)
    labels = None if label_mode is None else labels
    world = communicator.get()
    seed = world.broadcast_object(seeds.next_seed() if seed is None else seed)
    paths, numbers, class_names = world.share_outcome(lambda: _found(directory, labels, class_names, follow_links))
    if verbose:
        classes = f" belonging to {len(class_names)} classes" if class_names else ""
        communicator.print_once(f"Found {len(paths)} files{classes}.")
    if label_mode == "binary" and class_names and len(class_names) != 2:
        raise ValueError(
            f'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: {class_names}'
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(paths)) if shuffle else np.arange(len(paths))
    kept = len(paths) - int((validation_split or 0) * len(paths))
    parts = {None: order, "training": order[:kept], "validation": order[kept:]}
    made = []
    for part in ("training", "validation") if subset == "both" else (subset,):
        if not len(parts[part]):
            raise ValueError(
                f"No {f'{part} ' if part else ''}images found in directory {directory}. Allowed formats: {SUFFIXES}"
            )
        chosen = [paths[i] for i in parts[part]]
        targets = None if numbers is None else _targets(numbers[parts[part]], label_mode, len(class_names))
        data = Images(
            chosen, targets, image_size, batch_size, color_mode, interpolation.lower(), crop_to_aspect_ratio,
            pad_to_aspect_ratio, shuffle and part != "validation", seed,
        )  # fmt: skip
        data.class_names = class_names
        made.append(data)
    return made if subset == "both" else made[0]


def _check_split(validation_split, subset, shuffle, seed):
    if validation_split is not None and not 0 < validation_split < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1, received: {validation_split}")
    if (validation_split is None) != (subset is None):
        raise ValueError(
            "`subset` and `validation_split` must be passed together. "
            f"Received: subset={subset!r}, validation_split={validation_split}"
        )
    if subset not in ("training", "validation", "both", None):
        raise ValueError(f'`subset` must be either "training", "validation" or "both", received: {subset!r}')
    if validation_split and subset != "both" and shuffle and seed is None:
        raise ValueError(
            "If using `validation_split` and shuffling the data, you must provide a `seed` argument, to make sure that "
            "there is no overlap between the training and validation subset."
        )


def _found(directory, labels, class_names, follow_links):
    """The paths of all images, their class numbers or None, and the names of the classes or None."""
    directory = os.fspath(directory)
    if labels != "inferred":
        paths = list(_files(directory, follow_links))
        if labels is None:
            return paths, None, None
        if len(labels) != len(paths):
            raise ValueError(
                "Expected the lengths of `labels` to match the number of files in the target directory. len(labels) is "
                f"{len(labels)} while we found {len(paths)} files in directory {directory}."
            )
        return paths, np.array(labels, np.int32), [str(label) for label in sorted(set(labels))]
    inside = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir() and not entry.name.startswith("."))
    if class_names is not None and not set(class_names) <= set(inside):
        raise ValueError(
            "The `class_names` passed did not match the names of the subdirectories of the target directory. "
            f"Expected: {inside} (or a subset of it), but received: class_names={class_names}"
        )
    class_names = list(class_names or inside)
    paths, numbers = [], []
    for number, name in enumerate(class_names):
        found = list(_files(os.path.join(directory, name), follow_links))
        paths += found
        numbers += [number] * len(found)
    return paths, np.array(numbers, np.int32), class_names


def _files(folder, follow_links):
    for root, _, names in sorted(os.walk(folder, followlinks=follow_links)):
        yield from (os.path.join(root, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


def _targets(numbers, label_mode, classes):
    if label_mode == "categorical":
        return np.eye(classes, dtype=np.float32)[numbers]
    return numbers[:, None].astype(np.float32) if label_mode == "binary" else numbers


def pillow():
    """Pillow's module `Image`, imported when images are read.

    Raises:
        ImportError: Without Pillow; the message says how to get it.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "Reading images takes Pillow. Received: no module `PIL`. Install it: `pip install dseq[images]`."
        ) from None
    return Image
