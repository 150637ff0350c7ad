"""Sends the logs of each epoch to a server."""

import json
import warnings

import numpy as np

from dseq.callbacks.callback import Callback
from dseq.parallel import communicator

PATIENCE = 10.0  # seconds that a server has to answer


class RemoteMonitor(Callback):
    """Sends each epoch's number and logs to a server, by HTTP POST, from rank 0.

    A server that fails or does not answer costs a warning, never the training.

    Args:
        root: Address of the server, beginning with `http://` or `https://`.
        path: Path behind it.
        field: Name of the form's field that holds the JSON text, if it is not sent as JSON itself.
        headers: Dictionary of further HTTP headers, or None.
        send_as_json: Whether to send the JSON text itself, as `application/json`, instead of a form.

    Raises:
        ValueError: If `root` is no such address.

    Example:
        >>> model.fit(x, y, epochs=5, callbacks=[RemoteMonitor("http://localhost:9000", send_as_json=True)])
    """

    def __init__(
        self,
        root="http://localhost:9000",
        path="/publish/epoch/end/",
        field="data",
        headers=None,
        send_as_json=False,
    ):
        super().__init__()
        if not isinstance(root, str) or not root.startswith(("http://", "https://")):
            raise ValueError(f"`root` of RemoteMonitor must begin with http:// or https://. Received: root={root!r}")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch, logs=None):
        if communicator.get().rank != 0:
            return
        import http.client  # here, because most programs never need the web
        import urllib.parse
        import urllib.request

        text = json.dumps({"epoch": epoch} | {name: _plain(value) for name, value in (logs or {}).items()}, default=str)
        if self.send_as_json:
            data, kind = text, "application/json"
        else:
            data, kind = urllib.parse.urlencode({self.field: text}), "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind} | (self.headers or {})
        try:
            request = urllib.request.Request(self.root + self.path, data.encode(), headers, method="POST")
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                answer.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            warnings.warn(f"Could not reach RemoteMonitor root server at {self.root}: {error}", stacklevel=2)


def _plain(value):
    """A value that JSON knows."""
    if isinstance(value, np.ndarray | np.generic):
        return value.item() if value.size == 1 else value.tolist()
    return value
