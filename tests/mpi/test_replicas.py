"""A bit that flips on one rank is found, told, and on demand put right; ranks that stop by a signal stop together."""

import json
from pathlib import Path

from tests.mpi.mpirun import run

PROGRAM = Path(__file__).parent / "programs" / "replicas.py"


def said(done):
    return [line for line in done.stderr.splitlines() if line.startswith("[dseq rank")]


def test_weights_that_differ_end_the_job():
    done = run(PROGRAM, 2, env={"DSEQ_CHECK_EVERY": "3", "DSEQ_ENGINE": "flat"})
    assert done.returncode == 87, done.stderr
    assert len(said(done)) == 1 and done.tracebacks == 1, done.stderr
    assert "'sequential/second/kernel' on rank 1 (" in done.stderr
    assert "differs in 1 of 48 elements, at 7 it is " in done.stderr
    assert "ReplicasDiffer" in done.stderr and "cannot be told" in done.stderr


def test_weights_that_differ_become_those_of_most_ranks():
    done = run(
        PROGRAM,
        3,
        env={"DSEQ_CHECK_EVERY": "3", "DSEQ_DESYNC": "restore", "DSEQ_ENGINE": "node", "DSEQ_NODE_RANKS": "2"},
    )
    assert done.returncode == 0 and "together to the end" in done.stdout, done.stderr
    one, two, spoilt = said(done)
    assert "'sequential/second/kernel' on rank 2" in one and "All ranks take what rank 0 has." in one
    assert "'slot 0 of the optimizer for sequential_1/first/kernel' on rank 2" in two
    assert "Step 1: " in spoilt and "rows 40 to 59 of the batch (rank 2" in spoilt


def test_a_signal_to_one_rank_stops_all_after_the_same_step(program, tmp_path):
    script = program("""
        import os
        import signal
        import sys
        from pathlib import Path

        import numpy as np

        import dseq as keras
        from dseq.parallel import communicator

        world, folder = communicator.get(), Path(sys.argv[1])


        class Signal(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if self.model.optimizer.step_count == 12 and world.rank == 1:
                    os.kill(os.getpid(), signal.SIGUSR1)


        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
        model.compile("sgd", "mse")
        x, backup = np.ones((80, 5), "f"), keras.callbacks.BackupAndRestore(folder / "backup", save_freq=10**6)
        try:
            model.fit(x, x[:, :3], batch_size=8, epochs=4, verbose=0, callbacks=[backup, Signal()])
        finally:
            (folder / str(world.rank)).write_text(str(model.optimizer.step_count))
    """)
    done = run([script, tmp_path], 2)
    assert done.returncode == 85 and not said(done), done.stderr
    assert "dseq: SIGUSR1 came to rank 1 (" in done.stderr and "after batch 3 of epoch 2" in done.stderr, done.stderr
    assert {(tmp_path / rank).read_text() for rank in "01"} == {"13"}
    assert json.loads((tmp_path / "backup" / "training_metadata.json").read_text()) == {"epoch": 1, "batch": 2}
