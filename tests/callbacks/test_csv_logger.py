"""CSVLogger: columns, rows, going on with a file."""

import csv

import numpy as np
import pytest

from dseq.callbacks import CSVLogger


def write(path, *epochs, **options):
    logger = CSVLogger(path, **options)
    logger.on_train_begin()
    for epoch, logs in enumerate(epochs):
        logger.on_epoch_end(epoch, logs)
    logger.on_train_end()
    return logger


def rows(path, separator=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def test_a_row_for_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    write(path, {"val_loss": 4.0, "loss": 2.0}, {"loss": 1.5, "val_loss": float("nan")})
    assert rows(path) == [["epoch", "loss", "val_loss"], ["0", "2.0", "4.0"], ["1", "1.5", "nan"]]


def test_validation_may_come_later(tmp_path):
    path = tmp_path / "log.csv"
    write(path, {"loss": 2.0}, {"loss": 1.5, "val_loss": 3.0})
    assert rows(path) == [["epoch", "loss", "val_loss"], ["0", "2.0", "NA"], ["1", "1.5", "3.0"]]


def test_separator_and_going_on(tmp_path):
    path = tmp_path / "log.tsv"
    logger = write(path, {"loss": 2.0, "val_loss": 1.0}, separator="\t")
    write(path, {"loss": 3.0, "val_loss": 1.0}, separator="\t", append=True)
    assert [row[0] for row in rows(path, "\t")] == ["epoch", "0", "0"]
    assert all(len(row) == 3 for row in rows(path, "\t"))
    logger.on_train_begin()  # the same logger again begins anew
    logger.on_epoch_end(0, {"mae": 1.0})
    logger.on_train_end()
    assert rows(path, "\t") == [["epoch", "mae", "val_mae"], ["0", "1.0", "NA"]]


def test_going_on_with_an_empty_or_missing_file(tmp_path):
    (tmp_path / "empty.csv").touch()
    for name in ("empty.csv", "missing.csv"):
        write(tmp_path / name, {"loss": 1.0}, append=True)
        assert rows(tmp_path / name)[0][0] == "epoch"


def test_arrays_and_text(tmp_path):
    path = tmp_path / "log.csv"
    write(path, {"each": np.array([1.5, 2.0]), "note": "a, b", "one": np.float32(0.5), "zero": np.array(3.0)})
    assert rows(path)[1][1:5] == ['"[1.5, 2.0]"', "a, b", "0.5", "3.0"]


def test_rows_are_there_while_training_goes_on(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.0})
    assert len(rows(tmp_path / "log.csv")) == 2
    logger.on_train_end()


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        CSVLogger(tmp_path / "no" / "log.csv").on_train_begin()
