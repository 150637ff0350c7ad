"""A job killed while it writes, at any byte, again and again: its last backup always loads, and no bit is lost.

A script of one thread trains in forked children, each of which is killed when it has written so many bytes.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SCRIPT = """
    import os
    import random
    import signal
    import sys

    import numpy as np

    import dseq as keras
    from dseq import layers
    from dseq.saving import atomic, backup

    folder, random = sys.argv[1], random.Random(int(sys.argv[2]))
    latest = os.path.join(folder, "latest.weights.h5")
    rng = np.random.default_rng(0)
    x, y = rng.random((25, 5), "float32"), rng.integers(0, 3, 25)


    def train(*callbacks):
        keras.utils.set_random_seed(1)
        parts = [layers.Dense(64, "relu"), layers.Dropout(0.3), layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input((5,)), *parts])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=5, epochs=2, verbose=0, callbacks=list(callbacks))
        return model


    def backups():
        return keras.callbacks.BackupAndRestore(folder, save_freq=1, delete_checkpoint=False)


    def doomed(most):
        # Dies when it has written so many bytes, or, where it has none left, as a file is about to take its place.
        write, replace, left = atomic.QuietFile.write, os.replace, [most]

        def count(self, data):
            left[0] -= memoryview(data).nbytes
            if left[0] < 0:
                write(self, bytes(memoryview(data).cast("B"))[: left[0] + memoryview(data).nbytes])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(self, data)

        def die(*names):
            if left[0] < 2000:
                if random.random() < 0.5:
                    replace(*names)
                os.kill(os.getpid(), signal.SIGKILL)
            replace(*names)

        atomic.QuietFile.write, os.replace = count, die


    whole, kills, steps = train().get_weights(), 0, []
    train(backups())
    size = os.path.getsize(latest)
    os.unlink(latest)
    while True:
        most, child = random.randrange(3 * size), os.fork()
        if not child:
            doomed(most)
            train(backups())
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            break
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
        kills += 1
        if os.path.exists(latest):
            tree, state = backup.read(latest)
            steps.append(5 * state["position"]["epoch"] + state["position"]["batch"])
    assert steps == sorted(steps), steps
    for one, other in zip(train(backups()).get_weights(), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    left = sorted(name for name in os.listdir(folder) if ".tmp." in name)
    print(kills, len(set(steps)), left)
"""


@pytest.mark.compiled
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_last_backup_always_loads(tmp_path):
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), tmp_path / "backup", "7"],
        env=os.environ | {"PYTHONPATH": root, "DSEQ_MPI": "off"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kills, places, left = done.stdout.splitlines()[-1].split(maxsplit=2)
    assert int(kills) >= 5 and int(places) >= 3 and left.strip() == "[]", done.stdout
