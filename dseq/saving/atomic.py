"""Files that are replaced as a whole or not at all."""

import os
import socket
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path

STALE_SECONDS = 24 * 3600


class QuietFile:
    """A file that keeps its first error to itself and then swallows what is written.

    HDF5 can't close a file whose writes fail: it keeps what it could not write, and everything that ends the process
    tries again. So HDF5 sees no error here, and whoever opened the file asks for it at the end.

    Args:
        path: Path of the file, made anew.

    Attributes:
        error: The first OSError, or None.
    """

    def __init__(self, path):
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115 - closed by finish
        self.error = None

    def _attempt(self, operation, otherwise):
        if self.error is None:
            try:
                return operation()
            except OSError as error:
                self.error = error
        return otherwise

    def write(self, data):
        def write_all():
            left = memoryview(data).cast("B")
            while left.nbytes:  # one call writes 2 GB at most
                left = left[self._file.write(left) :]

        self._attempt(write_all, None)
        return memoryview(data).nbytes

    def truncate(self, size=None):
        return self._attempt(lambda: self._file.truncate(size), size)

    def flush(self):
        """Nothing is buffered here; `finish` brings it to the disk."""

    def seek(self, offset, whence=os.SEEK_SET):
        return self._file.seek(offset, whence)

    def tell(self):
        return self._file.tell()

    def read(self, size=-1):
        return self._attempt(lambda: self._file.read(size), b"")

    def readinto(self, buffer):
        return self._attempt(lambda: self._file.readinto(buffer), 0)

    def finish(self):
        """Brings all to the disk and closes the file.

        Raises:
            OSError: The first error there was.
        """
        self._attempt(lambda: os.fsync(self._file.fileno()), None)
        self._attempt(self._file.close, None)
        if self.error is not None:
            raise self.error

    def close(self):
        """Closes the file, whatever happened."""
        with suppress(OSError):
            self._file.close()


@contextmanager
def replacing(path, overwrite=True):
    """Gives a `QuietFile` that takes the place of `path` when the block ends well.

    It is a temporary file in the same folder; if anything fails, also the disk at the end, it is removed and what was
    at `path` stays. Temporary files that killed processes left behind are removed first.

    Args:
        path: Path of the file; of a symbolic link, what it points to is replaced.
        overwrite: Whether there may be a file already.

    Raises:
        FileExistsError: If there is one and `overwrite` is False.
        OSError: If writing failed, with the cause and what became of the old file.
    """
    target = Path(os.path.realpath(path))
    scratch = target.with_name(f"{target.name}.tmp.{socket.gethostname()}.{os.getpid()}")
    file = None
    try:
        old = _check_target(target, path, overwrite)
        _sweep(target)
        file = QuietFile(scratch)
        yield file
        file.finish()
        if old is not None:
            with suppress(OSError):
                os.chmod(scratch, stat.S_IMODE(old.st_mode))
        os.replace(scratch, target)
        _sync_folder(target.parent)
    except BaseException as problem:
        if file is not None:
            file.close()
            with suppress(OSError):
                scratch.unlink(missing_ok=True)
        # What HDF5 raises after a failed write is a consequence.
        cause = (file and file.error) or problem
        if not isinstance(cause, OSError) or (isinstance(cause, FileExistsError) and not overwrite):
            raise
        raise _explain(cause, path, target) from problem


def _check_target(target, path, overwrite):
    """The status of the old file, None if there is none."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(old.st_mode):
        raise OSError(f"{path} is not a regular file")
    if not overwrite:
        raise FileExistsError(f"{path} exists already. Pass `overwrite=True` to replace it.")
    if not os.access(target, os.W_OK):
        raise PermissionError(f"{path} is read-only")
    return old


def _explain(error, path, target):
    reason = error.strerror or str(error)
    folder = target.parent
    if not folder.is_dir():
        reason = f"there is no folder {folder}"
    elif isinstance(error, PermissionError) and not os.access(folder, os.W_OK):
        reason = f"the folder {folder} is not writable"
    fate = "The file that was there is intact." if target.exists() else "No file was made."
    message = f"{path} could not be written: {reason}. {fate}"
    return OSError(error.errno, message) if error.errno else type(error)(message)


def _sweep(target):
    """Removes temporary files of this target whose process is dead: on this host we know, of others after a day."""
    prefix, host = f"{target.name}.tmp.", socket.gethostname()
    try:
        names = [name for name in os.listdir(target.parent) if name.startswith(prefix)]
    except OSError:
        return
    for name in names:
        owner, _, pid = name[len(prefix) :].rpartition(".")
        if not pid.isdecimal():
            continue
        path = target.with_name(name)
        with suppress(OSError):
            stale = not _alive(int(pid)) if owner == host else time.time() - path.stat().st_mtime > STALE_SECONDS
            if stale:
                path.unlink()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _sync_folder(folder):
    """Makes the new name survive a power cut; some file systems can't and say so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
