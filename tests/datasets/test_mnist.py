"""MNIST from a given path, from Keras' folder, and from a server on the loopback interface."""

import hashlib
import http.server
import io
import threading

import numpy as np
import pytest

from dseq.datasets import mnist


def archive(**changes):
    """The bytes of a small file in MNIST's format; `name=None` leaves an array out."""
    arrays = {
        "x_train": np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
        "y_train": np.arange(6, dtype=np.uint8),
        "x_test": np.arange(2 * 4, dtype=np.uint8).reshape(2, 2, 2),
        "y_test": np.arange(2, dtype=np.uint8),
    }
    stream = io.BytesIO()
    np.savez(stream, **{name: array for name, array in (arrays | changes).items() if array is not None})
    return stream.getvalue()


class Server:
    """Serves one file from memory and keeps count of requests."""

    def __init__(self, content):
        self.content = content
        self.announced = len(content)
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests += 1
                if self.path != "/mnist.npz":
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(outer.announced))
                self.end_headers()
                self.wfile.write(outer.content)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.http.server_port}/mnist.npz"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch):
    server = Server(archive())
    monkeypatch.setattr(mnist, "ORIGIN", server.origin)
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(server.content).hexdigest())
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """An empty Keras folder and an empty working directory."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "keras" / "datasets"


def check(loaded):
    (x_train, y_train), (x_test, y_test) = loaded
    assert x_train.dtype == np.uint8 and x_train.shape == (6, 2, 2) and x_test.shape == (2, 2, 2)
    np.testing.assert_array_equal(x_train.ravel(), np.arange(24))
    np.testing.assert_array_equal(y_train, np.arange(6))
    np.testing.assert_array_equal(y_test, np.arange(2))


def test_given_path_is_used_without_a_network(tmp_path, server):
    path = tmp_path / "my.npz"
    path.write_bytes(archive())
    check(mnist.load_data(str(path)))
    check(mnist.load_data(path))
    assert server.requests == 0


def test_relative_path_is_looked_for_where_we_are_first(tmp_path, folder, server):
    folder.mkdir(parents=True)
    (folder / "mnist.npz").write_bytes(b"not this one")
    (tmp_path / "work" / "mnist.npz").write_bytes(archive())
    check(mnist.load_data())
    assert server.requests == 0


def test_keras_folder_is_used_without_a_network(folder, server):
    folder.mkdir(parents=True)
    (folder / "mnist.npz").write_bytes(archive())
    check(mnist.load_data())
    assert server.requests == 0


def test_keras_folder_is_in_the_home_folder_by_default(monkeypatch, tmp_path, server):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    check(mnist.load_data())
    assert (tmp_path / "home" / ".keras" / "datasets" / "mnist.npz").is_file()


def test_missing_file_is_downloaded_once_and_nothing_else_is_left(folder, server):
    check(mnist.load_data())
    check(mnist.load_data())
    assert server.requests == 1
    assert [path.name for path in folder.iterdir()] == ["mnist.npz"]
    assert (folder / "mnist.npz").read_bytes() == server.content


@pytest.mark.parametrize("damage", ["other content", "cut short"])
def test_wrong_download_is_refused_and_not_kept(folder, server, damage):
    server.content = archive(y_test=np.zeros(2, np.uint8)) if damage == "other content" else server.content[:200]
    with pytest.raises(OSError, match="SHA-256"):
        mnist.load_data()
    assert not any(folder.iterdir())


@pytest.mark.parametrize("failure", ["no server", "no file", "no folder"])
def test_without_a_download_the_error_says_where_to_put_the_file(monkeypatch, folder, server, failure):
    if failure == "no server":
        monkeypatch.setattr(mnist, "ORIGIN", "http://127.0.0.1:9/mnist.npz")
    elif failure == "no file":
        monkeypatch.setattr(mnist, "ORIGIN", server.origin + ".gz")
    else:
        folder.parent.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="put the file at") as error:
        mnist.load_data()
    assert str(folder / "mnist.npz") in str(error.value)
    assert mnist.SHA256 in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "File is not a zip file"),
        (b"<html>sign in first</html>", "File is not a zip file"),
        (archive()[:-30], "File is not a zip file"),
        (archive(y_test=None), "no array 'y_test'"),
        (archive(x_train=np.array([{}], object)), "allow_pickle"),
        (archive(y_train=np.arange(5)), r"images of shape \(6, 2, 2\) and labels of shape \(5,\)"),
        (archive().replace(bytes(range(24)), bytes(24)), "Bad CRC-32"),
    ],
    ids=["empty", "page", "cut", "key", "pickle", "labels", "flipped"],
)
def test_bad_file_is_named(tmp_path, content, reason):
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as error:
        mnist.load_data(path)
    assert str(path) in str(error.value)


def test_the_real_checksum_is_keras():
    # From Keras 3.15: changing it by mistake would refuse every download.
    assert mnist.SHA256.startswith("731c5ac602752760") and len(mnist.SHA256) == 64
