"""The same 50 samples as arrays, as a generator, as a PyDataset, in an HDF5 file and as a memory map."""

import h5py
import numpy as np

import dseq as keras
from dseq import layers

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int64") + (X[:, 1] > 0)
W = np.linspace(0.5, 2, 50)


def classifier(**options):
    keras.utils.set_random_seed(3)
    stack = [keras.Input((6,)), layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(3, "softmax")]
    model = keras.Sequential(stack)
    options = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | options
    model.compile(**options)
    return model


def batches(*arrays, size=8, times=1):
    """A generator of batches."""
    for _ in range(times):
        for lo in range(0, len(arrays[0]), size):
            yield tuple(array[lo : lo + size] for array in arrays)


class Whole(keras.utils.PyDataset):
    """Gives batches as a whole."""

    def __init__(self, *arrays, size=8, **options):
        super().__init__(**options)
        self.arrays, self.size, self.calls = arrays, size, []

    def __len__(self):
        return -(-len(self.arrays[0]) // self.size)

    def __getitem__(self, index):
        return tuple(array[index * self.size : (index + 1) * self.size] for array in self.arrays)

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


class ByRows(Whole):
    """Gives any rows of a batch, and keeps which were asked for."""

    def __init__(self, *arrays, **options):
        super().__init__(*arrays, **options)
        self.asked = []

    def batch_length(self, index):
        return min(self.size, len(self.arrays[0]) - index * self.size)

    def rows(self, index, start, stop):
        self.asked.append((index, start, stop))
        first = index * self.size
        return tuple(array[first + start : first + stop] for array in self.arrays)

    __getitem__ = keras.utils.PyDataset.__getitem__


class Loader:
    """Like the loaders of other libraries: it can be gone through again, and gives lists of tensors."""

    def __init__(self, *arrays, size=8):
        self.arrays, self.size = arrays, size

    def __iter__(self):
        for batch in batches(*self.arrays, size=self.size):
            yield [Tensor(array) for array in batch]


class Tensor:
    """Something that only has `numpy()`."""

    def __init__(self, array):
        self._array, self.shape = array, array.shape

    def numpy(self):
        return self._array


def hdf5(folder, *arrays, **options):
    """An HDF5 file of the arrays, as data for `fit`."""
    path = folder / f"{len(list(folder.iterdir()))}.h5"
    names = ("x", "y", "w")[: len(arrays)]
    with h5py.File(path, "w") as file:
        for key, array in zip(names, arrays, strict=True):
            file[key] = array
    given = dict(zip(("x", "y", "sample_weight"), names, strict=False))
    return keras.data.HDF5(path, **({"y": None} | given), **options)


def mapped(folder, array):
    """The array as a memory map."""
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")
