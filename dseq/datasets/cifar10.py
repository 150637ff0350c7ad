"""CIFAR-10: 60,000 small color images of ten kinds of things."""

import tarfile
import zlib

import numpy as np

from dseq.datasets.download import find_or_download
from dseq.program import floatx

# The archive without pickles: what comes from elsewhere is data, never code.
ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
TRAIN, TEST = [f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"]
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # a label, then the planes of red, green and blue
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_data(path="cifar-10-binary.tar.gz"):
    """Loads CIFAR-10 (Krizhevsky, Learning multiple layers of features from tiny images, 2009).

    From disk or, the first time, from its authors' server. Under MPI all ranks must call it.

    Args:
        path: The archive `cifar-10-binary.tar.gz`. If there is none at this path, it is looked for in Keras' folder,
            `$KERAS_HOME/datasets` or `~/.keras/datasets`, and downloaded there by one rank of each node (170 MB) if it
            is missing.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: 50,000 and 10,000 samples. `x` is uint8 of shape `(samples, 32, 32, 3)`
        with values from 0 to 255 (`(samples, 3, 32, 32)` where `dseq.config.image_data_format()` says so); `y` is uint8
        of shape `(samples, 1)` with values from 0 to 9, the places of `CLASSES`.

    Raises:
        OSError: The file is not there and can't be downloaded; the message says where to put it.
        ValueError: The file is damaged, or holds something else.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
    """
    file = find_or_download(path, ORIGIN, SHA256)
    try:
        with tarfile.open(file, "r:gz") as archive:
            return tuple(_read(archive, names) for names in (TRAIN, TEST))
    except (tarfile.TarError, zlib.error, EOFError, KeyError, OSError, ValueError) as error:
        raise ValueError(
            f"CIFAR-10's file must be the archive of its binary version, with {FOLDER}/{TRAIN[0]} and the others. "
            f"Received: {file}, {error}. Remove it and it is downloaded again, or put a whole copy in its place "
            f"(SHA-256 {SHA256})."
        ) from error


def _read(archive, names):
    """Images and labels of some of the archive's files."""
    content = b"".join(archive.extractfile(f"{FOLDER}/{name}").read() for name in names)
    if not content or len(content) % RECORD:
        raise ValueError(f"{names} of {len(content)} bytes, no multiple of {RECORD}")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, :1].copy()
    if labels.max() >= len(CLASSES):
        raise ValueError(f"a label {labels.max()} in {names}")
    images = records[:, 1:].reshape(-1, *SHAPE)
    if floatx.image_data_format() == "channels_last":
        images = images.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels
