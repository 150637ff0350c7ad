"""A file from the network, downloaded once per node and kept."""

import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from dseq.parallel import communicator

TIMEOUT = 60  # seconds without a byte from the server
CHUNK = 1 << 20


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
) -> str:
    """Finds a file in Keras' folder, or downloads it there; one rank of each node does, while the others wait.

    Args:
        fname: Name of the file, the last part of `origin` if None.
        origin: The URL.
        untar: As `extract`, for a tar archive.
        md5_hash: Checksum; `file_hash` is the newer way to say it.
        file_hash: Checksum in hexadecimal. A file that has another one is downloaded again.
        cache_subdir: Folder inside the cache.
        hash_algorithm: `"md5"`, `"sha256"` or `"auto"`, by the checksum's length.
        extract: Whether to unpack an archive.
        archive_format: `"tar"`, `"zip"`, a list of these, `"auto"` for either, None for no archive.
        cache_dir: The cache, `$KERAS_HOME` or `~/.keras` if None.
        force_download: Whether to download it in any case.

    Returns:
        The path of the file, or of the folder with what was in the archive; the same on every rank.

    Raises:
        OSError: If it can't be downloaded.
        ValueError: If an argument does not fit, or the checksum differs.
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download). Received: origin=None')
    given = None if fname is None else os.fspath(fname)
    name = given or os.path.basename(origin.partition("?")[0].partition("#")[0])
    if not name:
        raise ValueError(f"Can't parse the file name from the origin provided. Received: {origin!r}. Specify `fname`.")
    if given and (os.sep in given or given in (".", "..")):
        raise ValueError(
            "Paths are no longer accepted as the `fname` argument. To specify the file's parent directory, use the "
            f"`cache_dir` argument. Received: fname={given}"
        )
    if file_hash is None and md5_hash is not None:
        file_hash, hash_algorithm = md5_hash, "md5"
    folder = Path(cache_dir or os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / cache_subdir
    target, unpacked = folder / name, None
    if extract or untar:
        if given and "." in name:
            unpacked = folder / f"{name[: name.find('.')]}_extracted"
        else:
            target, unpacked = folder / f"{name}_archive", folder / name
        formats = _formats("tar" if untar else archive_format)

    def find():
        if communicator.get().local_rank == 0 and force_download:
            target.unlink(missing_ok=True)
        fine = target.is_file() and (file_hash is None or _checksum(target, file_hash, hash_algorithm) == file_hash)
        if not fine:
            _download(target, origin, file_hash, hash_algorithm)
        if unpacked is not None and (not fine or not unpacked.exists()):
            _unpack(target, unpacked, formats)
        return str(target if unpacked is None else unpacked)

    return communicator.get().on_node_first(find)


def _checksum(path, file_hash, algorithm):
    if algorithm not in ("auto", "md5", "sha256"):
        raise ValueError(f"`hash_algorithm` must be 'auto', 'md5' or 'sha256'. Received: {algorithm!r}")
    sha = algorithm == "sha256" or (algorithm == "auto" and len(file_hash) == 64)
    digest = hashlib.sha256() if sha else hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _download(target, origin, file_hash, algorithm):
    """Writes a scratch file beside the target and renames it: no reader sees half a file."""
    import http.client
    import urllib.error
    import urllib.request

    communicator.print_once(f"Downloading data from {origin}")
    scratch = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(origin, timeout=TIMEOUT) as response,
            tempfile.NamedTemporaryFile(dir=target.parent, prefix=f"{target.name}.", delete=False) as file,
        ):
            scratch = Path(file.name)
            shutil.copyfileobj(response, file, CHUNK)
        if file_hash is not None and _checksum(scratch, file_hash, algorithm) != file_hash:
            raise ValueError(
                "Incomplete or corrupted file detected: its checksum must be the one given. Received: "
                f"{_checksum(scratch, file_hash, algorithm)} for {origin} instead of {file_hash}"
            )
        scratch.chmod(0o644)  # temporary files are private; other users of a shared folder may read this one
        os.replace(scratch, target)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise OSError(
            f"URL fetch failure on {origin}: {error}. Without a network, put the file at {target}."
        ) from error
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)


def _formats(wanted):
    formats = {"auto": ["tar", "zip"], None: []}.get(wanted, wanted) if not isinstance(wanted, list | tuple) else wanted
    formats = [formats] if isinstance(formats, str) else list(formats)
    if not set(formats) <= {"tar", "zip"}:
        raise ValueError(f"`archive_format` must be 'tar', 'zip', 'auto' or None. Received: {wanted!r}")
    return formats


def _unpack(archive, folder, formats):
    """Unpacks into a scratch folder and renames it. Members that lead out of the folder are an error."""
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        if "tar" in formats and tarfile.is_tarfile(archive):
            with tarfile.open(archive) as file:
                file.extractall(scratch, filter="data")
        elif "zip" in formats and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                file.extractall(scratch)  # which keeps names inside the folder
        else:
            raise ValueError(f"Could not extract archive: it must be {' or '.join(formats)}. Received: {archive}")
        scratch.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
