"""A data set's file: found in Keras' folder, or downloaded there once per node and checked."""

import hashlib
import os
import tempfile
from pathlib import Path

from dseq.parallel import communicator

TIMEOUT = 60  # seconds without a byte from the server
CHUNK = 1 << 20


def keras_folder() -> Path:
    """Where Keras keeps data sets, so that both find each other's files."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def find_or_download(path, origin: str, sha256: str) -> Path:
    """Finds a file, or downloads it; one rank of each node downloads while the others wait. All ranks must call it.

    Args:
        path: The file. If it exists it is taken as it is. If not, a relative path is taken to be in `keras_folder()`.
        origin: The URL to download from if it isn't there either.
        sha256: Checksum in hexadecimal of what `origin` serves. Only a download is held against it.

    Returns:
        The path of the file.

    Raises:
        OSError: The file is not there and can't be downloaded; the message says where to put it.
    """
    given = Path(path).expanduser()
    kept = keras_folder() / given

    def find():
        if given.is_file():
            return given
        if not kept.is_file():
            _download(kept, origin, sha256)
        return kept

    return communicator.get().on_node_first(find)


def _download(path, origin, sha256):
    """Writes a scratch file beside `path` and renames it: no reader, on this node or another, sees half a file."""
    # Imported here: they would make `import dseq` 20 ms slower, and most runs download nothing.
    import http.client
    import urllib.error
    import urllib.request

    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(origin, timeout=TIMEOUT) as response,
            tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file,
        ):
            scratch = Path(file.name)
            digest = hashlib.sha256()
            while chunk := response.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != sha256:
            raise OSError(f"the file received has another SHA-256, {digest.hexdigest()}")
        scratch.chmod(0o644)  # temporary files are private; other users of a shared folder may read this one
        os.replace(scratch, path)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise OSError(
            f"A data set must be in its folder or be downloadable. Received: {origin} gave: {error}. "
            f"Without a network, put the file at {path} (SHA-256 {sha256}), or pass its path to `load_data`."
        ) from error
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
