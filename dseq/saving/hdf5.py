"""The HDF5 side of weights files; a file is damaged, foreign or hostile until it has been read."""

import os
from math import prod

import h5py
import numpy as np

from dseq.saving import layout, legacy
from dseq.saving.atomic import replacing

# What a small file may declare: anything larger would fill the memory with nothing.
BOMB_BYTES = 1 << 32
BOMB_RATIO = 1000
MAX_GROUPS = 100_000
MAX_DEPTH = 64


class _Refused(ValueError):
    """The file is sound, but not one that dseq reads."""


def write(path, model, overwrite, add=None) -> None:
    """Writes a model's groups, and what `add(file)` adds, to a file that takes the place of `path` when complete."""
    with replacing(path, overwrite) as scratch, h5py.File(scratch, "w") as file:
        for entry in layout.entries(model):
            group = file.create_group(layout.join(entry.path, "vars"))
            if entry.name is not None:
                group.attrs["name"] = entry.name
            for index, variable in enumerate(entry.variables):
                group.create_dataset(str(index), data=variable.array)
        if add is not None:
            add(file)


def read(path) -> dict:
    """What a file holds: `"groups"` that hold variables, by path, or the `"layers"` of Keras 1 and 2."""

    def contents(content, array):
        if legacy.holds(content):
            return legacy.read(content, array, _Refused)
        return {"groups": _Reader(path).read(content)}

    return opened(path, contents)


def opened(path, function):
    """What a function makes of a file, with errors that say what is wrong with it.

    Args:
        path: Path of the file.
        function: Takes the open file, and a function `array(group, name)` that reads a dataset.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder, not a weights file.")
    try:
        # A Python file, so that HDF5 locks nothing and does not mind who else has it open. It must be a buffered one,
        # which reads more than 2 GB at once.
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no weights file {path}.") from None
    try:
        with file, h5py.File(file, "r") as content:
            return function(content, _Reader(path).array)
    except _Refused as error:
        raise ValueError(str(error)) from None
    except MemoryError:
        raise
    except Exception as error:  # h5py reports damage with whatever exception is nearest
        raise OSError(f"{path} {_diagnosis(path)}: {error}. Nothing was loaded.") from error


def _diagnosis(path):
    with open(path, "rb") as file:
        start = file.read(8)
    if not start:
        return "is empty"
    return "is damaged or incomplete" if start == b"\x89HDF\r\n\x1a\n" else "is not an HDF5 file"


class _Reader:
    """Reads all groups named `vars`, following nothing that leads out of the file or in circles."""

    def __init__(self, path):
        self.path = path
        self.groups = {}
        self.arrays = {}
        self.visited = 0

    def read(self, file):
        self._visit(file, "", 0)
        if not self.groups:
            raise _Refused(
                f"{self.path} is an HDF5 file without Keras weights: it has no group named `vars`. "
                f"Received: groups {sorted(file)[:10]}"
            )
        return self.groups

    def _visit(self, group, path, depth):
        self.visited += 1
        if depth > MAX_DEPTH or self.visited > MAX_GROUPS:
            raise _Refused(f"{self.path} has too many groups, or groups that contain themselves, at /{path}.")
        for name in group:
            self._check_link(group, name, path)
            # Keras 2.13 called the list of layers otherwise; `dseq` is the place for state of our own.
            inner = layout.join(path, "layers" if name == "_layer_checkpoint_dependencies" else name)
            if isinstance(group[name], h5py.Group) and inner != "dseq":
                if name == "vars":
                    self._read_group(group[name], path)
                else:
                    self._visit(group[name], inner, depth + 1)

    def _read_group(self, group, path):
        label = group.attrs.get("name")
        label = label.decode() if isinstance(label, bytes) else label
        arrays = {}
        for name in group:
            self._check_link(group, name, path)
            if isinstance(group[name], h5py.Dataset):
                arrays[name] = self._array(group[name])
        self.groups[path] = {"name": label if isinstance(label, str) else None, "vars": arrays}

    def array(self, group, name):
        """A dataset of numbers in a group."""
        self._check_link(group, name, group.name)
        if not isinstance(group[name], h5py.Dataset):
            raise _Refused(f"{self.path} has something other than numbers at {group.name}/{name}.")
        return self._array(group[name])

    def _check_link(self, group, name, path):
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise _Refused(
                f"{self.path} has a {type(link).__name__} at /{layout.join(path, name)}, which is not allowed."
            )

    def _array(self, dataset):
        where = h5py.h5o.get_info(dataset.id).addr
        if where not in self.arrays:
            self._check(dataset)
            bfloat16 = dataset.dtype.kind == "V" and dataset.attrs.get("dtype") == "bfloat16"
            array = np.asarray(dataset[()])
            if bfloat16:  # the upper half of a float32
                array = (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            if array.dtype.kind not in "fiub":
                raise _Refused(f"{self.path} has something other than numbers at {dataset.name}: {array.dtype}.")
            self.arrays[where] = array
        return self.arrays[where]

    def _check(self, dataset):
        if dataset.external or dataset.is_virtual:
            raise _Refused(f"{self.path} has data in another file at {dataset.name}, which is not allowed.")
        if dataset.shape is None:
            raise _Refused(f"{self.path} has an empty dataset at {dataset.name}.")
        declared, stored = prod(dataset.shape) * dataset.dtype.itemsize, dataset.id.get_storage_size()
        if declared > BOMB_BYTES and declared > BOMB_RATIO * stored:
            raise _Refused(
                f"{self.path} declares {declared} bytes at {dataset.name} but stores {stored}, which is not allowed."
            )
