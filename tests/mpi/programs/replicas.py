"""Copies of the weights become different, and the same again: `replicas.py` with DSEQ_DESYNC=restore; or it ends."""

import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

world = communicator.get()
last = world.size - 1
rng = np.random.default_rng(0)
x, y = rng.random((60, 5), "float32"), rng.random((60, 3), "float32")


def build():
    keras.utils.set_random_seed(1)
    first, second = layers.Dense(16, "relu", name="first"), layers.Dense(3, name="second")
    model = keras.Sequential([keras.Input((5,)), first, second])
    model.compile("adam", "mse")
    return model


class Flip(keras.callbacks.Callback):
    """Flips one bit of a weight, or of what the optimizer remembers, after step 10 on the last rank."""

    def __init__(self, choose):
        super().__init__()
        self.choose = choose

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.step_count == 10 and world.rank == last:
            self.choose(self.model).reshape(-1).view("u4")[7] ^= 1 << 20


class Data(keras.utils.PyDataset):
    """Sets weights on one rank where ranks do not meet: that has always meant rank 0's for all."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        if index == 10 and world.rank == last:
            model.layers[0].set_weights([np.ones((5, 16), "f"), np.ones(16, "f")])
        return x[:12], y[:12]


def equal(model):
    mine = [*model.get_weights(), *model.optimizer.slots.values()]
    for theirs in world.allgather_object(mine):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def train(choose):
    model = build()
    model.fit(x, y, batch_size=12, epochs=10, verbose=0, callbacks=[Flip(choose)])
    equal(model)


train(lambda model: model.layers[1].variables[0].array)
train(lambda model: next(iter(model.optimizer.slots.values())))

model = build()
model.fit(Data(workers=0), epochs=1, verbose=0)
equal(model)
assert abs(model.layers[0].get_weights()[0]).max() < 0.99

model = build()
spoilt = x.copy()
spoilt[-1, 0] = np.nan
model.fit(spoilt, y, batch_size=60, epochs=5, shuffle=False, verbose=0)
assert all(np.isnan(weight).any() for weight in model.get_weights())
keras.print_once("together to the end")
