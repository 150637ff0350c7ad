"""Trains for some seconds with a backup in the working folder; `kill`: rank 1 is killed in the first epoch."""

import os
import signal
import sys
import time

import numpy as np

import dseq
from dseq import callbacks, layers
from dseq.parallel import communicator

how = sys.argv[1]


class Slow(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.1)
        if how == "kill" and batch == 3 and communicator.get().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)


dseq.utils.set_random_seed(1)
x = np.random.default_rng(0).standard_normal((160, 4)).astype("float32")
model = dseq.Sequential([dseq.Input((4,)), layers.Dense(3)])
model.compile("adam", "mse")
model.fit(x, x[:, :3], batch_size=8, epochs=3, verbose=2, callbacks=[Slow(), callbacks.BackupAndRestore("backup")])
dseq.print_once("done")
