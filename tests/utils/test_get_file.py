"""A file from a server, fetched once, checked, unpacked."""

import hashlib
import io
import os
import tarfile
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dseq.utils import get_file


@pytest.fixture
def server(tmp_path):
    """A folder and its URL, and the list of what was asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as running:
        thread = Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "datasets"


def test_fetched_once_and_checked(server, kept):
    folder, url, asked = server
    (folder / "a.txt").write_bytes(b"content")
    path = get_file(origin=f"{url}/a.txt?version=2")
    assert path == str(kept / "a.txt") and Path(path).read_text() == "content"
    assert get_file("a.txt", f"{url}/a.txt") == path and len(asked) == 1
    sha, md5 = (hashlib.new(kind, b"content").hexdigest() for kind in ("sha256", "md5"))
    for given in ({"file_hash": sha}, {"file_hash": md5}, {"md5_hash": md5}):
        assert get_file(origin=f"{url}/a.txt", **given) == path
    assert len(asked) == 1
    (kept / "a.txt").write_text("damaged")
    assert Path(get_file(origin=f"{url}/a.txt", file_hash=sha)).read_text() == "content" and len(asked) == 2
    get_file(origin=f"{url}/a.txt", force_download=True)
    assert len(asked) == 3
    with pytest.raises(ValueError, match="Incomplete or corrupted file detected"):
        get_file("b.txt", f"{url}/a.txt", file_hash=sha[::-1])
    assert sorted(file.name for file in kept.iterdir()) == ["a.txt"]
    with pytest.raises(OSError, match="URL fetch failure on .*404"):
        get_file(origin=f"{url}/none.txt")


def test_archives(server, kept):
    folder, url, asked = server
    with tarfile.open(folder / "data.tar.gz", "w:gz") as file:
        member = tarfile.TarInfo("inside/a.txt")
        member.size = 3
        file.addfile(member, io.BytesIO(b"tar"))
    with zipfile.ZipFile(folder / "data.zip", "w") as file:
        file.writestr("inside/a.txt", "zip")
    for name, given, options, place in (
        ("data.tar.gz", "data.tar.gz", {"untar": True}, "data_extracted"),
        ("data.tar.gz", None, {"extract": True, "cache_subdir": "other"}, "../other/data.tar.gz"),
        ("data.zip", "packed", {"extract": True, "archive_format": "zip"}, "packed"),
    ):
        for _ in range(2):
            path = get_file(given, f"{url}/{name}", **options)
            assert os.path.samefile(path, kept / place)
            assert (Path(path) / "inside" / "a.txt").read_text() == ("zip" if "zip" in name else "tar")
    assert len(asked) == 3
    with pytest.raises(ValueError, match="Could not extract archive: it must be zip"):
        get_file("data.tar.gz", f"{url}/data.tar.gz", extract=True, archive_format="zip", cache_subdir="third")


def test_an_archive_that_leads_elsewhere(server, kept):
    folder, url, _ = server
    with tarfile.open(folder / "bad.tar", "w") as file:
        file.addfile(tarfile.TarInfo("../../escaped.txt"), io.BytesIO(b""))
    with pytest.raises(tarfile.TarError):
        get_file("bad.tar", f"{url}/bad.tar", untar=True)
    assert not (kept.parent.parent / "escaped.txt").exists() and not (kept / "bad_extracted").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, 'Please specify the "origin" argument'),
        ({"origin": "http://server/"}, "Can't parse the file name"),
        ({"fname": "a/b", "origin": "http://server/b"}, "Paths are no longer accepted"),
        ({"origin": "http://server/b", "extract": True, "archive_format": "rar"}, "`archive_format` must be"),
    ],
)
def test_errors(arguments, message, kept):
    with pytest.raises(ValueError, match=message):
        get_file(**arguments)
