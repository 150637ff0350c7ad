"""MNIST: 70,000 handwritten digits of 28 x 28 pixels."""

import zipfile
import zlib

import numpy as np

from dseq.datasets.download import find_or_download

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
KEYS = ("x_train", "y_train", "x_test", "y_test")


def load_data(path="mnist.npz"):
    """Loads MNIST, from disk or, the first time, from Keras' server. Under MPI all ranks must call it.

    Args:
        path: A file with the arrays `x_train`, `y_train`, `x_test` and `y_test`. If there is none at this path, it is
            looked for in Keras' folder, `$KERAS_HOME/datasets` or `~/.keras/datasets`, and downloaded there by one
            rank of each node if it is missing.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: 60,000 and 10,000 samples. `x` is uint8 of shape `(samples, 28, 28)`
        with values from 0 to 255; `y` is uint8 of shape `(samples,)` with values from 0 to 9.

    Raises:
        OSError: The file is not there and can't be downloaded; the message says where to put it.
        ValueError: The file is damaged, or holds something else.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train = x_train.reshape(-1, 784).astype("float32") / 255
    """
    file = find_or_download(path, ORIGIN, SHA256)
    x_train, y_train, x_test, y_test = _read(file)
    return (x_train, y_train), (x_test, y_test)


def _read(path):
    """The four arrays. A file from elsewhere is data, never code: object arrays, which need pickle, are refused."""
    try:
        # Opened here, not by np.load: it leaves the file open when it isn't an archive.
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            missing = [key for key in KEYS if f"{key}.npy" not in archive.namelist()]
        if missing:
            raise ValueError(f"it has no array {missing[0]!r}")
        with np.load(path, allow_pickle=False) as arrays:
            result = [arrays[key] for key in KEYS]
        for x, y in (result[:2], result[2:]):
            if x.ndim != 3 or y.shape != x.shape[:1]:
                raise ValueError(f"images of shape {x.shape} and labels of shape {y.shape}")
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise ValueError(
            "MNIST's file must be an .npz archive with the arrays x_train, y_train, x_test and y_test. "
            f"Received: {path}, {error}. Remove it and it is downloaded again, or put a whole copy in its place "
            f"(SHA-256 {SHA256})."
        ) from error
    return result
