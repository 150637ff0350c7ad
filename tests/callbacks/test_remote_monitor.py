"""RemoteMonitor: what a server receives, and servers that fail."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from dseq.callbacks import RemoteMonitor


@pytest.fixture
def server():
    """A server on this machine that keeps what it is sent; `server.answer` is its status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.seen.append((self.path, self.headers["Content-Type"], self.headers.get("X-Job"), body))
            self.send_response(made.answer)
            self.end_headers()

        def log_message(self, *args):
            pass

    made = HTTPServer(("127.0.0.1", 0), Handler)
    made.seen, made.answer, made.root = [], 200, f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_json(server):
    monitor = RemoteMonitor(server.root, send_as_json=True, headers={"X-Job": "7"})
    monitor.on_epoch_end(3, {"loss": 0.5, "one": np.arange(1), "f": np.float32(1.0), "many": np.arange(3)})
    ((path, kind, job, body),) = server.seen
    assert (path, kind, job) == ("/publish/epoch/end/", "application/json", "7")
    assert json.loads(body) == {"epoch": 3, "loss": 0.5, "one": 0, "f": 1.0, "many": [0, 1, 2]}


def test_form(server):
    RemoteMonitor(server.root, path="/here", field="logs").on_epoch_end(0, {"loss": 0.25})
    ((path, kind, _, body),) = server.seen
    assert (path, kind) == ("/here", "application/x-www-form-urlencoded")
    assert json.loads(urllib.parse.parse_qs(body)["logs"][0]) == {"epoch": 0, "loss": 0.25}


def test_failing_servers_warn(server):
    server.answer = 500
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server at http://127.0.0.1.*500"):
        RemoteMonitor(server.root).on_epoch_end(0, {"loss": 1.0})
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server"):
        RemoteMonitor("http://127.0.0.1:1").on_epoch_end(0, {"loss": 1.0})


def test_only_addresses_of_the_web():
    with pytest.raises(ValueError, match="must begin with http:// or https://. Received: root='file:///etc'"):
        RemoteMonitor("file:///etc")
