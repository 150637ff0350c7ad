"""Trains with backups: `backup.py FOLDER RESULT [FAIL_AT [RANK]]` fails at a step, on all ranks or on one."""

import sys
from pathlib import Path

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

world = communicator.get()
folder, result = Path(sys.argv[1]), Path(sys.argv[2])
fail_at = int(sys.argv[3]) if len(sys.argv) > 3 else None
victim = int(sys.argv[4]) if len(sys.argv) > 4 else world.rank


class Fail(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.step_count == fail_at and world.rank == victim:
            raise RuntimeError("the victim's words")


rng = np.random.default_rng(0)
x, y = rng.random((70, 5), "float32"), rng.integers(0, 3, 70)
# Each process and rank draws other seeds, unless they are restored.
keras.utils.set_random_seed(1 if fail_at is not None or not folder.exists() else 100 + world.rank)
model = keras.Sequential([keras.Input((5,)), layers.Dense(16, "relu"), layers.Dropout(0.3), layers.Dense(3, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x, y, batch_size=8, epochs=4, verbose=0, validation_split=0.1,
    callbacks=[keras.callbacks.BackupAndRestore(folder, save_freq=5), Fail()],
)  # fmt: skip
weights = model.get_weights()
for values in world.allgather_object(weights):
    for one, other in zip(values, weights, strict=True):
        np.testing.assert_array_equal(one, other)
if world.rank == 0:
    losses = np.array(history.history["loss"][-2:])
    np.savez(result, *weights, losses, steps=model.optimizer.step_count, first=history.epoch[0])
    print("trained to the end", flush=True)
