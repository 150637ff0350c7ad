"""Weights files that also hold where training was, in a group `dseq` that Keras does not look at.

The state is a dictionary of numbers, strings, None, lists and dictionaries, kept as JSON, and of arrays, kept as
datasets that the JSON text refers to.
"""

import json

import h5py
import numpy as np

from dseq.saving import hdf5

GROUP = "dseq"
ARRAY = "dseq array"  # {ARRAY: 3} in the text stands for dataset 3


def write(path, model, state) -> None:
    """Writes a model's variables, its optimizer's, and a state; the file is replaced as a whole or not at all.

    Args:
        path: Path of the file.
        model: A built model.
        state: Dictionary, see above.

    Raises:
        TypeError: If the state holds something else; nothing is written then.
        OSError: If writing failed; an old file is intact then.
    """
    arrays = []
    text = json.dumps(_without_arrays(state, arrays))

    def add(file):
        group = file.create_group(GROUP)
        group.create_dataset("state", data=np.frombuffer(text.encode(), np.uint8))
        for index, array in enumerate(arrays):
            group.create_dataset(str(index), data=array)

    hdf5.write(path, model, overwrite=True, add=add)


def read(path) -> tuple:
    """Reads such a file.

    Args:
        path: Path of the file.

    Returns:
        The tree that `dseq.saving.assign.assign` takes, and the state; None if the file has none, as one by Keras.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a weights file.
        OSError: If it is damaged.
    """
    tree = hdf5.read(path)
    if "groups" not in tree:
        raise ValueError(f"{path} must be a backup, but has the layout of Keras 2. Nothing was loaded.")
    return {"file": str(path)} | tree, hdf5.opened(path, _read_state)


def _read_state(file, array):
    group = file.get(GROUP)
    if not isinstance(group, h5py.Group) or "state" not in group:
        return None
    arrays = {name: array(group, name) for name in group}
    return _with_arrays(json.loads(arrays["state"].tobytes().decode()), arrays)


def _without_arrays(value, arrays):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {ARRAY: len(arrays) - 1}
    if isinstance(value, dict):
        return {key: _without_arrays(part, arrays) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(part, arrays) for part in value]
    return value


def _with_arrays(value, arrays):
    if isinstance(value, dict):
        if set(value) == {ARRAY}:
            return arrays[str(value[ARRAY])]
        return {key: _with_arrays(part, arrays) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_arrays(part, arrays) for part in value]
    return value
