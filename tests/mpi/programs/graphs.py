"""Trains graphs of every kind in the ways whose results must not depend on the number of ranks; rank 0 writes them."""

import sys

import numpy as np

import dseq as keras
from dseq import layers, ops
from dseq.parallel import communicator
from tests.models.zoo import ZOO, fill, tower, wave

world = communicator.get()
results = {}
keras.utils.set_random_seed(3)  # for the order of samples in each epoch


def keep(name, model, values=()):
    for i, w in enumerate(model.get_weights()):
        results[f"{name}/weight_{i}"] = w
        assert len({a.tobytes() for a in world.allgather_object(w)}) == 1, f"{name}: ranks have other weights"
    results[f"{name}/values"] = np.array(values)


def numbers(history):
    return [value for name in sorted(history) for value in history[name]]


# 8 rows in batches of 5: the second has 3, of which three ranks get one each, and two ranks 2 and 1.
for kind, (make, x, y, loss) in ZOO.items():
    keras.backend.clear_session()
    model = fill(make() if kind != "tower" else tower(10))
    # A bias that cancels has a gradient of rounding errors only, which Adam would make large.
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9) if kind == "siamese" else keras.optimizers.Adam(0.01)
    model.compile(optimizer, loss)
    logs = model.fit(x, y, batch_size=5, epochs=6, verbose=0, shuffle=False, validation_data=(x, y)).history
    keep(kind, model, numbers(logs))
    predicted = model.predict(x, batch_size=3, verbose=0)
    leaves = [predicted] if isinstance(predicted, np.ndarray) else [predicted["z"], *predicted["y"]]
    results[f"{kind}/predicted"] = np.concatenate([leaf.ravel() for leaf in leaves])

# A frozen trunk: only the head's gradients are summed over ranks.
keras.backend.clear_session()
trunk = keras.Sequential([keras.Input((5,)), layers.Dense(6, "tanh"), layers.Dense(4, "tanh")], name="trunk")
x = keras.Input((5,))
model = fill(keras.Model(x, layers.Dense(2)(trunk(x))))
trunk.trainable = False
model.compile("adam", "mse")
kept, data = trunk.get_weights(), wave((8, 5), 1)
keep("frozen", model, numbers(model.fit(data, wave((8, 2), 2), batch_size=5, epochs=6, verbose=0).history))
for before, after in zip(kept, trunk.get_weights(), strict=True):
    np.testing.assert_array_equal(before, after)
trunk.trainable = True
model.compile("adam", "mse")
keep("thawed", model, numbers(model.fit(data, wave((8, 2), 2), batch_size=5, epochs=6, verbose=0).history))

# Two models that share a layer train in turns; each sees what the other did.
keras.backend.clear_session()
x = keras.Input((5,))
shared = layers.Dense(4, "tanh")
first, second = keras.Model(x, layers.Dense(2)(shared(x))), keras.Model(x, layers.Dense(3)(shared(x)))
fill(first), fill(second)
first.compile(keras.optimizers.Adam(0.01), "mse")
second.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
losses = []
for _ in range(4):
    losses.append(first.train_on_batch(data, wave((8, 2), 2)))
    losses.append(second.train_on_batch(data, wave((8, 3), 3)))
    losses.append(float(np.abs(first.predict(data, verbose=0)).sum()))
keep("first", first, losses)
keep("second", second)


class Scaled(layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")

    def call(self, x):
        self.add_loss(0.01 * ops.mean(ops.square(x)))
        return x * self.scale


class Written(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [[layers.Dense(4, "tanh"), Scaled()], [layers.Dense(4, "tanh"), Scaled()]]
        self.heads = {"b": layers.Dense(2), "a": layers.Dense(1, activity_regularizer="l2")}

    def call(self, x):
        for dense, scaled in self.blocks:
            x = scaled(dense(x))
        return {name: head(x) for name, head in self.heads.items()}


# Written as `call`, with losses of its own, one of them a mean over the whole batch.
keras.backend.clear_session()
model = Written()
model(data)
fill(model)
model.compile("adam", {"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 1.0}, metrics={"a": ["mae"]})
y = {"a": wave((8, 1), 2), "b": wave((8, 2), 3)}
keep("written", model, numbers(model.fit(data, y, batch_size=5, epochs=6, verbose=0, shuffle=False).history))

if world.rank == 0:
    np.savez(sys.argv[1], **results)
