"""Names of shared memory go as soon as they are not needed, and nobody else's go."""

import os
import time

from dseq.parallel import leftovers


def test_old_names_go(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "FOLDER", str(tmp_path))
    old = time.time() - 2 * leftovers.STALE
    for name, at in (("mpich_shm_old", old), ("mpich_shm_new", None), ("sm_segment.old", old)):
        (tmp_path / name).write_bytes(b"")
        if at:
            os.utime(tmp_path / name, (at, at))
    leftovers.forget_names()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mpich_shm_new", "sm_segment.old"]
    monkeypatch.setattr(leftovers, "FOLDER", str(tmp_path / "none"))
    leftovers.forget_names()
