"""Data sets in an HDF5 file, larger than memory: rows are read when they are needed, by the rank that needs them."""

import os
from pathlib import Path

import numpy as np

from dseq.program.structure import flatten, pack

MIB = 1 << 20


class HDF5:
    """Samples in an HDF5 file, for `fit`, `evaluate` and `predict`: `model.fit(HDF5("train.h5", "images", "labels"))`.

    With `shuffle=True` each epoch takes the file's blocks in another order and mixes the samples of all the blocks that
    the buffer holds; the order is a function of seed and epoch, the same for any number of ranks. With
    `shuffle="batch"` whole batches change places, and with False samples come as they stand in the file, both exactly
    as for arrays. A buffer should hold many blocks: samples that stand close to each other in the file (sorted by
    class, say) meet in one batch no more often than others in the same buffer.

    Each rank reads only its own rows, some megabytes at a time, in a thread that reads the next buffer while the model
    works on the last. All ranks together hold two buffers, whatever the size of the file. Numbers keep their type in
    the buffer: pixels stay bytes until they are moved into the model.

    Args:
        path: The file; every rank must be able to open it.
        x: Name of the data set of inputs, samples along its first axis; a list, or a dict by input name, for several.
        y: Targets, likewise; None for none.
        sample_weight: Sample weights, likewise.
        start: First sample to take.
        stop: Sample behind the last; all if None.
        block_size: Bytes of samples that stay together, and that are read at once. Data sets in chunks are read
            in whole chunks.
        buffer_size: Bytes of samples that are mixed with each other, over all ranks.

    Attributes:
        bytes_read: Bytes of samples that this rank has read.
        seconds_waited: How long training waited for them.

    Raises:
        OSError: If the file is not there, damaged or no HDF5 file.
        ValueError: If a data set is missing, is none of numbers, or has another number of samples than the others.

    Example:
        >>> data = dseq.data.HDF5("train.h5", x="images", y="labels", stop=50_000)
        >>> held_out = dseq.data.HDF5("train.h5", x="images", y="labels", start=50_000)
        >>> model.fit(data, batch_size=64, epochs=5, validation_data=held_out)
    """

    def __init__(
        self, path, x="x", y="y", sample_weight=None, start=0, stop=None, block_size=MIB, buffer_size=64 * MIB
    ):
        self.path = Path(path)
        self.names = x, y, sample_weight
        self.block_size, self.buffer_size = block_size, buffer_size
        self.bytes_read, self.seconds_waited = 0, 0.0
        self._file = self._sets = None
        sets = self._datasets()
        lengths = {name: len(dataset) for name, dataset in sets.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                "Data cardinality is ambiguous. Make sure all data sets contain the same number of samples. "
                f"Received: {self.path} with {lengths}"
            )
        available = min(lengths.values())
        stop = available if stop is None else stop
        if not 0 <= start < stop <= available:
            raise ValueError(
                f"`start` and `stop` must give at least one of the file's samples. Received: start={start}, "
                f"stop={stop} for {available} samples in {self.path}"
            )
        for name, value in (("block_size", block_size), ("buffer_size", buffer_size)):
            if value < 1:
                raise ValueError(f"`{name}` must be a positive number of bytes. Received: {name}={value}")
        self.start, self.stop = start, stop
        self.row_bytes = max(1, sum(_row_bytes(dataset) for dataset in sets.values()))

    def __repr__(self):
        x, y, sample_weight = self.names
        weights = f", sample_weight={sample_weight!r}" if sample_weight is not None else ""
        return f"HDF5({str(self.path)!r}, x={x!r}, y={y!r}{weights}, {len(self)} samples)"

    def __len__(self):
        """The number of samples."""
        return self.stop - self.start

    def __getstate__(self):
        return vars(self) | {"_file": None, "_sets": None}

    def close(self) -> None:
        """Closes the file; it is opened again when it is needed."""
        if self._file is not None:
            self._file.close()
            self._file = self._sets = None

    def _datasets(self):
        """The open data sets by name."""
        if self._file is None:
            file = self._open()
            try:
                self._sets = {name: self._dataset(file, name) for name in self._listed()}
            except Exception:
                file.close()
                raise
            self._file = file
        return self._sets

    def _listed(self):
        """The names of all data sets, each once."""
        x, y, weights = self.names
        if not flatten(x) or None in flatten(x):
            raise ValueError(f"`x` must name the data sets of the model's inputs. Received: x={x!r}")
        return list(dict.fromkeys(name for name in flatten([x, y, weights]) if name is not None))

    def _open(self):
        import h5py  # here: most runs read no file

        path = self.path
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder, not an HDF5 file of samples.")
        if not path.exists():
            raise FileNotFoundError(f"There is no data file {path}. Received: {path} in {os.getcwd()}")
        try:
            try:
                return h5py.File(path, "r")  # as the user's script opens it: HDF5 wants one way in one process
            except OSError:
                return h5py.File(path, "r", locking=False)  # some file systems have no locks; or somebody writes
        except OSError as error:
            with path.open("rb") as stream:
                start = stream.read(8)
            state = "is damaged or incomplete" if start == b"\x89HDF\r\n\x1a\n" else "is no HDF5 file"
            raise OSError(f"The data file {path} {state}: {error}.") from error

    def _dataset(self, file, name):
        import h5py  # here: most runs read no file

        found = file.get(name)
        if not isinstance(found, h5py.Dataset):
            inside = []
            file.visititems(lambda path, item: inside.append(path) if isinstance(item, h5py.Dataset) else None)
            raise ValueError(f"{self.path} has no data set {name!r}. Received: a file with {sorted(inside)[:20]}")
        if found.dtype.kind not in "fiub" or found.ndim == 0:
            raise ValueError(
                f"A data set must hold numbers, with samples along its first axis. Received: {name!r} of type "
                f"{found.dtype}, shape {found.shape}, in {self.path}"
            )
        return found

    def chunk_rows(self) -> int:
        """The most rows in one chunk of any of the data sets."""
        return max((dataset.chunks or (1,))[0] for dataset in self._datasets().values())

    def structure(self, rows) -> tuple:
        """`(x, y, sample_weight)` in the form of the names, with something for each name.

        Args:
            rows: Dict of what to put in their places, by name.
        """

        def filled(part):
            return None if part is None else pack(part, [rows[name] for name in flatten(part)])

        return tuple(map(filled, self.names))

    def empty(self, rows=0) -> dict:
        """Arrays for so many rows of each data set, by name."""
        return {
            name: np.empty((rows, *dataset.shape[1:]), dataset.dtype.newbyteorder("="))
            for name, dataset in self._datasets().items()
        }

    def read(self, runs, into) -> None:
        """Reads runs of rows, one behind the other.

        Args:
            runs: List of `(first, behind the last)`.
            into: Arrays by name, with as many rows as the runs have.

        Raises:
            OSError: If the file cannot be read there.
        """
        import h5py  # here: most runs read no file

        for name, dataset in self._datasets().items():
            target, at = into[name], 0
            space, rest = dataset.id.get_space(), dataset.shape[1:]
            zeros, ones = (0,) * len(rest), (1,) * dataset.ndim
            for first, last in runs:
                count = last - first
                part = target[at : at + count]
                space.select_hyperslab((self.start + first, *zeros), (count, *rest), None, ones)
                try:
                    # As `dataset.read_direct`, which spends three times as long on a small run.
                    dataset.id.read(h5py.h5s.create_simple(part.shape), space, part)
                except (OSError, RuntimeError) as error:
                    raise OSError(
                        f"The data file {self.path} is damaged or incomplete: rows {self.start + first} to "
                        f"{self.start + last - 1} of {name!r} could not be read: {error}."
                    ) from error
                self.bytes_read += part.nbytes
                at += count


def _row_bytes(dataset):
    return int(np.prod(dataset.shape[1:], dtype=np.int64)) * dataset.dtype.itemsize
