"""CIFAR-10's archive: images and labels from it, damage, and a download that is refused."""

import io
import tarfile

import numpy as np
import pytest

import dseq
from dseq.datasets import cifar10


def write(path, last=0, **changes):
    """A small archive in CIFAR-10's format, two images a file; `name=None` leaves a file out."""
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w:gz") as archive:
        for i, name in enumerate(cifar10.TRAIN + cifar10.TEST):
            records = rng.integers(0, 256, (2, cifar10.RECORD), dtype=np.uint8)
            records[:, 0] = i, last
            content = changes.get(name.removesuffix(".bin"), records.tobytes())
            if content is not None:
                info = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def test_images_and_labels(tmp_path):
    path = write(tmp_path / "small.tar.gz", last=9)
    (x_train, y_train), (x_test, y_test) = dseq.datasets.cifar10.load_data(path)
    assert x_train.shape == (10, 32, 32, 3) and x_test.shape == (2, 32, 32, 3)
    assert x_train.dtype == y_train.dtype == np.uint8 and x_train.flags.c_contiguous
    assert y_train.tolist() == [[n] for i in range(5) for n in (i, 9)] and y_test.tolist() == [[5], [9]]
    raw = np.random.default_rng(0).integers(0, 256, (2, cifar10.RECORD), dtype=np.uint8)
    np.testing.assert_array_equal(x_train[1, 3, 7], raw[1, [1 + 3 * 32 + 7 + plane * 1024 for plane in range(3)]])
    dseq.config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(cifar10.load_data(path)[0][0], x_train.transpose(0, 3, 1, 2))
    finally:
        dseq.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_batch_3": None}, "data_batch_3.bin"),
        ({"test_batch": bytes(cifar10.RECORD + 1)}, "no multiple of 3073"),
        ({"test_batch": b""}, "of 0 bytes"),
        ({"last": 10}, "a label 10"),
    ],
)
def test_bad_archive_is_named(tmp_path, changes, reason):
    path = write(tmp_path / "bad.tar.gz", **changes)
    with pytest.raises(ValueError, match=reason) as error:
        cifar10.load_data(path)
    assert str(path) in str(error.value)


def test_what_is_no_archive_is_named(tmp_path):
    whole = write(tmp_path / "whole.tar.gz").read_bytes()
    for content in (b"", b"<html>sign in first</html>", whole[:-2000]):
        path = tmp_path / "cifar.tar.gz"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="must be the archive of its binary version"):
            cifar10.load_data(path)


def test_without_a_download_the_error_says_where_to_put_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cifar10, "ORIGIN", "http://127.0.0.1:9/cifar.tar.gz")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OSError, match="put the file at") as error:
        cifar10.load_data()
    assert str(tmp_path / "datasets" / "cifar-10-binary.tar.gz") in str(error.value)
    assert cifar10.SHA256 in str(error.value)
