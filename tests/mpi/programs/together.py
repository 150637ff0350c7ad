"""What could take ranks apart while they train: each case must end with equal weights and histories."""

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

world = communicator.get()
x = np.random.default_rng(0).random((40, 5)).astype("float32")
y = np.arange(40) % 3


class StopHere(keras.callbacks.Callback):
    """Stops on the last rank only, as a clock of its own would make it."""

    def __init__(self, hook):
        super().__init__()
        setattr(self, hook, self.stop)

    def stop(self, index, logs=None):
        if world.rank == world.size - 1 and index == 1:
            self.model.stop_training = True


def model():
    made = keras.Sequential([keras.Input((5,)), layers.Dense(8, "relu"), layers.Dense(3, "softmax")])
    made.compile("adam", [keras.losses.SparseCategoricalCrossentropy()])
    return made


def same_everywhere(value):
    values = world.allgather_object(value)
    for other in values[1:]:
        np.testing.assert_array_equal(other, values[0])


for hook in ("on_epoch_end", "on_train_batch_end"):
    made = model()
    history = made.fit(x, y, epochs=5, batch_size=8, verbose=0, callbacks=[StopHere(hook)])
    assert len(history.epoch) == (2 if hook == "on_epoch_end" else 1), history.epoch
    same_everywhere(np.concatenate([w.ravel() for w in made.get_weights()]))

made.set_weights([w + world.rank for w in made.get_weights()])
predictions = made.predict(x, verbose=0)
same_everywhere(predictions)
made.set_weights([w + world.rank for w in made.get_weights()])
made.fit(x, y, verbose=0)
same_everywhere(np.concatenate([w.ravel() for w in made.get_weights()]))

seen = []


class Watch(keras.callbacks.Callback):
    def on_test_batch_end(self, batch, logs=None):
        seen.append(logs["loss"])


loss = made.evaluate(x, y, batch_size=16, verbose=0, callbacks=[Watch()])
assert len(seen) == 3 and seen[-1] == loss
same_everywhere(np.array(seen))
# Rank 0 alone has a progress bar, also while it validates; hooks may be plain functions.
losses = []
watch = keras.callbacks.Callback()
watch.on_test_batch_end = lambda batch, logs=None: losses.append(logs["loss"])
for verbose in (2, 1):
    made.fit(x, y, epochs=2, validation_split=0.25, verbose=verbose, callbacks=[watch])
    made.compile("sgd", "sparse_categorical_crossentropy")
    made.evaluate(x, y, verbose=verbose, callbacks=[watch])
    made.predict(x, verbose=verbose)
same_everywhere(np.array(losses))
world.barrier()
if world.rank == 0:
    print("together to the end")
