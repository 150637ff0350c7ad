"""The cache of compiled kernels: private, checked, rebuilt when damaged, never stale."""

import os
import shutil
import stat
import subprocess
import sys
import textwrap

import pytest

from dseq.kernels.base import JIT

pytestmark = pytest.mark.skipif(not JIT, reason="nothing is compiled with NUMBA_DISABLE_JIT=1")

PROGRAM = """
    import numpy as np, sys
    from numba import types
    from dseq.kernels import base, rescale
    f = types.Array(types.float32, 1, "C")
    print("ready" if base.is_ready(rescale.rescale_forward, (f, f, f, f)) else "missing")
    x, y = np.ones(3, "f4"), np.zeros(3, "f4")
    rescale.rescale_forward(y, x, np.full(1, 2, "f4"), np.full(1, 1, "f4"))
    print(y.tolist(), base.cache_folder())
"""


def run(folder, program=PROGRAM, **env):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "DSEQ_CACHE": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder that a first process leaves."""
    folder = tmp_path_factory.mktemp("first") / "c"
    assert run(folder).stdout.startswith("missing\n[3.0, 3.0, 3.0]")
    return folder


def test_a_second_process_compiles_nothing(kept):
    assert run(kept).stdout.startswith("ready\n[3.0, 3.0, 3.0]")


def test_the_folder_is_private(kept):
    (folder,) = kept.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_a_damaged_entry_is_rebuilt(kept, tmp_path, damage):
    shutil.copytree(kept, tmp_path / "c")
    (entry,) = (tmp_path / "c").glob("*/rescale.rescale_forward-*.bin")
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 1
    new = {"truncate": content[:1000], "flip": content, "empty": b"", "text": b"not a kernel" * 10}[damage]
    entry.write_bytes(new)
    assert "[3.0, 3.0, 3.0]" in run(tmp_path / "c").stdout
    assert entry.read_bytes() != bytes(new)
    assert run(tmp_path / "c").stdout.startswith("ready")


def test_a_folder_others_may_write_to_is_not_used(tmp_path):
    shared = tmp_path / "c"
    shared.mkdir()
    shared.chmod(0o777)
    done = run(shared)
    assert "others may write" in done.stderr and "[3.0, 3.0, 3.0]" in done.stdout
    assert not list(shared.iterdir())


def test_a_folder_of_another_user_is_not_used(tmp_path):
    program = """
        import os, warnings
        from dseq.kernels import base
        mine = os.geteuid()
        for other, used in ((mine + 1, False), (mine, True)):
            # To another user the folder is as a foreign one is to us; root's is trusted.
            os.geteuid = lambda: other
            base.cache_folder.cache_clear()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                folder = base.cache_folder()
            assert (folder.parent == base.config.cache) == used, folder
            assert used or "belongs to another user" in str(caught[0].message), caught
    """
    run(tmp_path / "c", program)


def test_a_relative_folder_stays_where_it_was(tmp_path):
    (tmp_path / "later").mkdir()
    program = f"""
        import os
        os.chdir({str(tmp_path)!r})
        from dseq.kernels import base
        os.chdir("later")
        print(base.cache_folder())
    """
    assert run("here", program).stdout.startswith(f"{tmp_path}/here/kernels-")
    home = run(
        "~/there",
        f"from dseq import config; assert str(config.cache) == {str(tmp_path / 'there')!r}",
        HOME=str(tmp_path),
    )
    assert not home.stderr


def test_scratch_files_are_gone_and_do_not_collide(tmp_path):
    program = """
        import os
        from dseq.kernels import base
        entries = base._Entries("name")
        replace, seen = os.replace, []

        def replacing(scratch, path):
            seen.append(scratch)
            if len(seen) == 1:
                entries.save("key", "second")  # as another process of the same number would
            replace(scratch, path)

        os.replace = replacing
        entries.save("key", "first")
        assert len(set(seen)) == 2 and entries.load("key") == "first"
        assert [p.name for p in base.cache_folder().iterdir()] == [entries.path("key").name]
    """
    run(tmp_path / "c", program)


def test_the_digest_follows_settings(tmp_path):
    usual = {"NUMBA_OPT": "3", "NUMBA_BOUNDSCHECK": "0", "DSEQ_ISA": "auto"}
    others = {"NUMBA_OPT": "1"}, {"NUMBA_BOUNDSCHECK": "1"}, {"DSEQ_ISA": "plain"}
    program = "from dseq.kernels import base; print(base.digest())"
    digests = [run(tmp_path, program, **usual | setting).stdout for setting in ({}, *others)]
    assert len(set(digests)) == 4, digests


def test_the_digest_follows_the_text_of_any_kernel(tmp_path):
    program = """
        import pathlib, shutil
        import dseq.kernels.base as base
        folder = pathlib.Path(base.__file__).parent
        copy = pathlib.Path("{copy}")
        shutil.copytree(folder, copy)
        first = base.digest()
        base.__file__ = str(copy / "base.py")
        base.digest.cache_clear()
        assert base.digest() == first
        text = (copy / "math.py").read_text()
        (copy / "math.py").write_text(text + "# edited")
        base.digest.cache_clear()
        assert base.digest() != first
    """.replace("{copy}", str(tmp_path / "kernels"))
    run(tmp_path / "c", program)
