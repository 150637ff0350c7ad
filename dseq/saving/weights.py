"""`.weights.h5` files in Keras 3's layout: writing a model, and reading a file into plain NumPy data.

What is read is a tree `{"file": path, "groups": {group: {"name": str or None, "vars": {"0": array, ...}}}}`, which may
travel to other processes before `assign` puts it into a model.
"""

import os

from dseq.saving.assign import assign

__all__ = ["assign", "check_path", "read", "write"]


def check_path(filepath) -> str:
    """The path as a string.

    Raises:
        ValueError: If it does not end in `.weights.h5`.
    """
    path = os.fsdecode(filepath) if isinstance(filepath, str | bytes | os.PathLike) else None
    if path is not None and path.endswith(".weights.h5"):
        return path
    message = f"The filename must end in `.weights.h5`. Received: filepath={path or filepath!r}"
    if path and path.endswith((".h5", ".hdf5", ".keras", ".weights.json")):
        message += (
            ". Whole models (`.keras`), files of Keras 2 (`.h5`) and sharded weights (`.weights.json`) are not "
            "supported yet. In Keras, `model.save_weights('name.weights.h5')` makes a file that dseq reads."
        )
    raise ValueError(message)


def write(path, model, overwrite=True) -> None:
    """Writes all variables of a model and its optimizer; the file is replaced as a whole or not at all.

    Args:
        path: Path that ends in `.weights.h5`.
        model: A built model.
        overwrite: Whether there may be a file already.

    Raises:
        ValueError: If the name does not fit, or the model is not built.
        FileExistsError: If there is a file and `overwrite` is False.
        OSError: If writing failed; an old file is intact then.
    """
    path = check_path(path)
    if not model.built:
        raise ValueError(
            f"You are saving a model that has not yet been built. Received: model {model.name!r}. Build it by calling "
            "it on data or by `build(input_shape)`."
        )
    from dseq.saving import hdf5  # here, so that only the process that writes loads HDF5

    hdf5.write(path, model, overwrite)


def read(path) -> dict:
    """Reads a weights file.

    Args:
        path: Path that ends in `.weights.h5`, of a file that dseq or Keras 3 wrote.

    Returns:
        The tree that `assign` takes: dictionaries, strings and NumPy arrays.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a weights file, or has links to other files.
        OSError: If it is damaged.
    """
    path = check_path(path)
    from dseq.saving import hdf5

    return {"file": path, "groups": hdf5.read(path)}
