"""Data that do not fit into memory, or are made while training: what `fit`, `evaluate`, `predict` take beside arrays.

How data are shared among ranks: each global batch is the same for any number of ranks, and rank `r` of `n` takes the
`r`-th of `n` runs of its rows, as equal in length as can be. Arrays are loaded by every rank; generators and loaders
are consumed by every rank, which keeps its rows. `HDF5`, `Images`, windows of time series, and a `PyDataset` with
`rows` read or make nothing but the rows of their rank.
"""

from dseq.data.hdf5 import HDF5
from dseq.data.images import Images, image_dataset_from_directory
from dseq.data.py_dataset import PyDataset
from dseq.data.samples import Samples
from dseq.data.tables import csv
from dseq.data.windows import Windows, timeseries_dataset_from_array

__all__ = [
    "HDF5",
    "Images",
    "PyDataset",
    "Samples",
    "Windows",
    "csv",
    "image_dataset_from_directory",
    "timeseries_dataset_from_array",
]
