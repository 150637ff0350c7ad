"""A weights file is the old one or the new one, whatever happens while it is written."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from dseq.saving.weights import assign, read, write
from tests.saving.standins import Dense, Sequential

ROOT = Path(__file__).parents[2]


def model(value, size=100):
    made = Sequential([Dense("first", (size, size), (size,))])
    for variable in made.variables:
        variable.assign(np.full(variable.shape, value))
    return made


def value_in(path, size=100):
    loaded = model(-1, size)
    assign(read(path), loaded)
    values = np.unique(np.concatenate([v.array.ravel() for v in loaded.variables]))
    assert len(values) == 1, "a mixture of two files"
    return values[0]


def python(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment, stderr=subprocess.PIPE)


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "m.weights.h5", model(1))
    return tmp_path / "m.weights.h5"


def only(path):
    return os.listdir(path.parent) == [path.name]


def test_replaces_and_leaves_nothing_else(path):
    os.chmod(path, 0o640)
    write(path, model(2))
    assert value_in(path) == 2 and only(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(path, tmp_path):
    link = tmp_path / "latest.weights.h5"
    link.symlink_to(path.name)
    write(link, model(3))
    assert link.is_symlink() and value_in(path) == 3


def test_overwrite(path):
    with pytest.raises(FileExistsError, match="exists already. Pass `overwrite=True`"):
        write(path, model(2), overwrite=False)
    assert value_in(path) == 1 and only(path)
    path.unlink()
    write(path, model(2), overwrite=False)
    assert value_in(path) == 2


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_exception_while_writing(path, kind):
    class Failing(Dense):
        @property
        def _non_trainable_variables(self):
            raise kind("stop")

        @_non_trainable_variables.setter
        def _non_trainable_variables(self, value):
            pass

    broken = Sequential([Dense("first", (9, 9)), Failing("second", (3,))])
    with pytest.raises(kind, match="stop"):
        write(path, broken)
    assert value_in(path) == 1 and only(path)


def test_no_folder(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"m.weights.h5 could not be written: there is no folder .*none. No file"
    ):
        write(tmp_path / "none" / "m.weights.h5", model(1))


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "m.weights.h5").mkdir()
    with pytest.raises(OSError, match="is not a regular file"):
        write(tmp_path / "m.weights.h5", model(1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="folder .* is not writable. The file that was there is intact"):
            write(path, model(2))
        assert value_in(path) == 1
    finally:
        path.parent.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_unwritable_folder_of_somebody_else():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        refuse_somebody_else(Path(folder) / "m.weights.h5")


def refuse_somebody_else(path):
    write(path, model(1))
    code = """
import os, sys
from tests.saving.standins import Dense, Sequential
from dseq.saving.weights import write
model = Sequential([Dense("first", (9, 9))])
os.setuid(65534)
try:
    write(sys.argv[1], model)
except PermissionError as error:
    print(error, file=sys.stderr)
"""
    _, errors = python(code, path).communicate(timeout=60)
    assert "m.weights.h5 could not be written" in errors.decode() and "intact" in errors.decode()
    assert value_in(path) == 1 and only(path)


FULL = """
import resource, signal, sys
from dseq.saving.weights import write
from tests.saving.standins import Dense, Sequential
if sys.argv[2] != "0":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
model = Sequential([Dense("first", (300, 300)), Dense("second", (300, 300)), Dense("third", (5,))])
for _ in range(2):  # the process must survive, and may try again
    try:
        write(sys.argv[1], model)
    except OSError as error:
        print(type(error).__name__, error, file=sys.stderr)
"""


@pytest.mark.parametrize("limit", [100, 5_000, 300_000, 722_000])
def test_full_disk_by_limit(path, limit):
    process = python(FULL, path, limit)
    _, errors = process.communicate(timeout=60)
    lines = errors.decode().splitlines()
    assert process.returncode == 0 and len(lines) == 2, errors
    for line in lines:
        assert "m.weights.h5 could not be written: File too large. The file that was there is intact." in line
    assert value_in(path) == 1 and only(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small file system")
def test_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        path = disk / "m.weights.h5"
        write(path, model(1))
        process = python(FULL, path, 0)
        _, errors = process.communicate(timeout=60)
        lines = errors.decode().splitlines()
        assert process.returncode == 0 and len(lines) == 2, errors
        for line in lines:
            assert "could not be written: No space left on device. The file that was there is intact." in line
        assert value_in(path) == 1 and only(path)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_temporary_files_of_the_dead_are_removed(path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    host = socket.gethostname()
    stale = path.with_name(f"{path.name}.tmp.{host}.{dead.pid}")
    alive = path.with_name(f"{path.name}.tmp.{host}.{os.getppid()}")
    elsewhere = path.with_name(f"{path.name}.tmp.far-away.{dead.pid}")
    ancient = path.with_name(f"{path.name}.tmp.far-away.1")
    others = path.with_name(f"other.weights.h5.tmp.{host}.{dead.pid}")
    mine = path.with_name(f"{path.name}.tmp.notes")
    for file in (stale, alive, elsewhere, ancient, others, mine):
        file.write_text("x")
    os.utime(ancient, (time.time() - 2 * 24 * 3600,) * 2)
    write(path, model(2))
    assert not stale.exists() and not ancient.exists()
    assert alive.exists() and elsewhere.exists() and others.exists() and mine.exists()


def test_killed_while_writing(path):
    code = """
import signal, sys
from tests.saving import test_atomic
signal.alarm(120)  # should nobody be there to kill it
value = 0
while True:
    value += 1
    test_atomic.write(sys.argv[1], test_atomic.model(value, 400))
"""
    write(path, model(1, 400))
    random = np.random.default_rng(0)
    for _ in range(4):
        process = python(code, path)
        before = path.stat().st_mtime_ns
        end = time.monotonic() + 60
        while path.stat().st_mtime_ns == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        assert value_in(path, 400) >= 1
    write(path, model(5, 400))
    assert only(path) and value_in(path, 400) == 5
