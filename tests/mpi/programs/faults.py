"""Trains until one rank fails in a given way and place: `faults.py FOLDER HOW WHERE VICTIM`."""

import ctypes
import os
import signal
import sys
import time

import numpy as np

import dseq as keras
from dseq import layers
from dseq.callbacks import backup_and_restore
from dseq.parallel import communicator, launcher
from dseq.saving import backup
from dseq.training.session import Training

folder, how, where, victim = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
rank = launcher.announced().rank


def fail(place):
    if place != where or rank != victim:
        return
    if how == "raise":
        raise RuntimeError("the victim's words")
    if how == "sys.exit":
        sys.exit(3)
    if how.startswith("os._exit"):
        os._exit(int(how[-1]))
    if how == "segfault":
        ctypes.string_at(0)
    if how == "sleep":
        time.sleep(1000)
    if how != "nothing":
        os.kill(os.getpid(), getattr(signal, how))


def failing_first(owner, name, place, condition=lambda: True):
    original = getattr(owner, name)

    def replaced(*args, **kwargs):
        if condition():
            fail(place)
        return original(*args, **kwargs)

    setattr(owner, name, replaced)


class Data(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index == 3:
            fail("data")
        return x[index * 7 : index * 7 + 7], y[index * 7 : index * 7 + 7]


class Fail(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.step_count == 9:
            fail("step")

    def on_test_batch_end(self, batch, logs=None):
        if batch == 1:
            fail("validation")


failing_first(Training, "_prepare", "compile")
# Rank 0 writes, the others wait for it.
failing_first(backup, "write", "checkpoint")
failing_first(
    backup_and_restore.BackupAndRestore, "save_if_due", "checkpoint", lambda: rank and model.optimizer.step_count == 6
)
fail("init")
world = communicator.get()
rng = np.random.default_rng(0)
x, y = rng.random((42, 5), "float32"), rng.random((42, 3), "float32")
model = keras.Sequential([keras.Input((5,)), layers.Dense(16, "relu"), layers.Dense(3)])
model.compile("adam", "mse")
model.fit(
    Data(workers=0), epochs=3, verbose=0, validation_data=(x, y), validation_batch_size=10,
    callbacks=[keras.callbacks.BackupAndRestore(folder, delete_checkpoint=False), Fail()],
)  # fmt: skip
keras.print_once("trained to the end")
