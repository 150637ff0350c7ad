"""`.weights.h5` files in Keras 3's layout, and `.h5` files of Keras 2: reading into plain NumPy data, and writing.

What is read is a tree `{"file": path, "groups": {group: {"name": str or None, "vars": {"0": array, ...}}}}`, or for
Keras 2 what `dseq.saving.legacy` says. It may travel to other processes before `assign` puts it into a model.
"""

import os
import warnings

from dseq.saving import legacy
from dseq.saving.assign import assign as assign_groups

__all__ = ["assign", "check_path", "read", "write"]


def check_path(filepath, loading=False) -> str:
    """The path as a string.

    Args:
        filepath: What the user gave.
        loading: Whether it is to be read: files of Keras 2 (`.h5`, `.hdf5`) are allowed then.

    Raises:
        ValueError: If it does not end in `.weights.h5`.
    """
    path = os.fsdecode(filepath) if isinstance(filepath, str | bytes | os.PathLike) else None
    if path is not None and path.endswith((".h5", ".hdf5") if loading else ".weights.h5"):
        return path
    message = f"The filename must end in `.weights.h5`. Received: filepath={path or filepath!r}"
    if loading:
        message = message.replace(".weights.h5`", ".weights.h5`, or `.h5` for a file of Keras 2")
    if path and path.endswith((".keras", ".weights.json")):
        message += (
            ". Whole models (`.keras`) and sharded weights (`.weights.json`) are not supported yet. In Keras, "
            "`model.save_weights('name.weights.h5')` makes a file that dseq reads."
        )
    elif path and path.endswith((".h5", ".hdf5")):
        message += ". Files of Keras 2 are read, not written."
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
        path: Path that ends in `.weights.h5`, of a file that dseq or Keras 3 wrote, or in `.h5`, of one in the layout
            of Keras 2. What is in the file decides.

    Returns:
        The tree that `assign` takes: dictionaries, lists, strings and NumPy arrays.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a weights file, or has links to other files.
        OSError: If it is damaged.
    """
    path = check_path(path, loading=True)
    from dseq.saving import hdf5

    return {"file": path} | hdf5.read(path)


def assign(tree, model, skip_mismatch=False, warn=None, by_name=False) -> None:
    """Gives the variables of a model, and for Keras 3's files those of its optimizer, the values of a file.

    Args:
        tree: What `read` gave.
        model: A built model.
        skip_mismatch: Whether what does not fit keeps its values, with a warning.
        warn: Called with the text of each warning; `warnings.warn` if None.
        by_name: For files of Keras 2: whether layers are matched by name instead of order.

    Raises:
        ValueError: If the model is not built, or something does not fit; nothing is changed then.
    """
    warn = warn or (lambda message: warnings.warn(message, stacklevel=3))
    if "layers" in tree:
        if not model.built:
            raise ValueError(
                "You are loading weights into a model that has not yet been built. "
                f"Received: model {model.name!r}. Build it by calling it on data or by `build(input_shape)`."
            )
        legacy.assign(tree, model, by_name, skip_mismatch, warn)
    elif by_name:
        raise ValueError(
            "`by_name` only supports loading legacy '.h5' or '.hdf5' files. "
            f"Received: {tree['file']}, a file of Keras 3; its layers are matched by name where their order differs."
        )
    else:
        assign_groups(tree, model, skip_mismatch, warn)
