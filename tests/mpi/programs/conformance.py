"""What users of other data-parallel frameworks rely on, each with a look at what it would be if ranks did not sum."""

import sys

import numpy as np

import dseq as keras
from dseq.distribution import DataParallel, LocalSGD
from dseq.parallel import communicator

world = communicator.get()
rank, size = world.rank, world.size


def linear(optimizer, exchange=None):
    """One weight for each of two inputs, from 0; the loss' gradient is the mean of the inputs."""
    with DataParallel(exchange=exchange).scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, "mae")
    return model


def step(model, rows):
    x = np.array(rows, "float32")[:, None] * [1, 10]
    model.train_on_batch(x, np.full((len(x), 1), -1e6, "float32"))
    return model.get_weights()[0].ravel()


def same(value):
    everywhere = world.allgather_object(value)
    assert all(other == everywhere[0] for other in everywhere), everywhere
    return value


# Gradients that are the number of the rank: their mean is (size - 1) / 2, twice, as the first step makes what it needs.
mean = (size - 1) / 2
model = linear(keras.optimizers.SGD(1.0))
for count in (1, 2):
    np.testing.assert_allclose(step(model, range(size)), [-mean * count, -10 * mean * count], rtol=1e-6)
if size > 1:
    apart = linear(keras.optimizers.SGD(1.0), LocalSGD(2))
    assert world.allgather_object(step(apart, range(size))[0]) == [-r for r in range(size)], "the test has no power"
    np.testing.assert_allclose(step(apart, range(size))[0], -2 * mean)

# Half of the ranks have no rows, and so no gradient; then all but one; again as many as there are.
half = (size + 1) // 2
for rows in (half, 1, size, 3 * size + 1):
    model = linear(keras.optimizers.SGD(1.0))
    for count in (1, 2):
        wanted = -count * (rows + 1) / 2
        np.testing.assert_allclose(step(model, range(1, rows + 1)), [wanted, 10 * wanted], rtol=1e-5)
    same(model.get_weights()[0].tobytes())

# State that scripts give some ranks only: that of rank 0 is everybody's before the first step.
keras.utils.set_random_seed(50 + rank)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
model.compile("adam", "mse")
kept = model.get_weights()
if size > 1:
    assert len(set(world.allgather_object(kept[0].tobytes()))) == size, "the test has no power"
x, y = np.random.default_rng(0).normal(size=(2, 16, 4)).astype("float32")
first = world.broadcast_object(kept)
predicted = model.predict(x, verbose=0)
for mine, wanted in zip(model.get_weights(), first, strict=True):
    np.testing.assert_array_equal(mine, wanted)
model.fit(x, y[:, :3], epochs=1, verbose=0)
model.set_weights([w + 1 + rank for w in kept])
model.evaluate(x, y[:, :3], verbose=0)
for mine, wanted in zip(model.get_weights(), first, strict=True):
    np.testing.assert_array_equal(mine, wanted + np.float32(1))
same(b"".join(w.tobytes() for w in model.get_weights()))


# The same where training is the first to see it, also what is not among the parameters.
class Counted(keras.layers.Layer):
    def build(self, input_shape):
        self.seen = self.add_weight((2,), "zeros", dtype="int32", trainable=False, name="seen")

    def call(self, x):
        return 1.0 * x


trained = keras.Sequential([keras.Input((4,)), Counted(), keras.layers.Dense(3), keras.layers.BatchNormalization()])
trained.compile(keras.optimizers.SGD(0.0), "mse")
kept = trained.get_weights()
trained.set_weights([w + 1 + rank for w in kept])
trained.fit(x, y[:, :3], epochs=1, verbose=0)
for mine, wanted in zip(trained.get_weights()[:5], world.broadcast_object(kept), strict=False):
    np.testing.assert_array_equal(mine, wanted + wanted.dtype.type(1))
same(b"".join(w.tobytes() for w in trained.get_weights()))

# So is what scripts give some ranks' optimizers only; but a learning rate is an argument, alike on all ranks.
if rank == 0:
    model.optimizer.variables[3].assign(model.optimizer.variables[3].numpy() + 1)
assert size == 1 or len(set(world.allgather_object(model.optimizer.variables[3].numpy().tobytes()))) == 2
model.fit(x, y[:, :3], epochs=1, verbose=0)
for variable in model.optimizer.variables:
    same(variable.numpy().tobytes())
if size > 1:
    model.optimizer.learning_rate = 0.5 if rank == 0 else 0.25
    try:
        model.fit(x, y[:, :3], epochs=1, verbose=0)
    except ValueError as error:
        assert "optimizer differs: rank 0: " in same(str(error)) and "learning_rate=0.5" in str(error)
    else:
        raise AssertionError("ranks trained with different learning rates")
    model.optimizer.learning_rate = 0.001

# The optimizer's slots, step count and learning rate come from a file on rank 0's node, to all.
model.fit(x, y[:, :3], epochs=2, verbose=0)
model.optimizer.learning_rate = 0.25
model.save_weights(sys.argv[1] + "/state.weights.h5")
again = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
again.compile("adam", "mse")
again.load_weights(sys.argv[1] + "/state.weights.h5")
for mine, wanted in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
    np.testing.assert_array_equal(mine.numpy(), wanted.numpy())
    same(mine.numpy().tobytes())
assert float(again.optimizer.learning_rate) == 0.25 and int(again.optimizer.iterations) == 4
for one in (model, again):
    one.fit(x, y[:, :3], epochs=1, verbose=0, shuffle=False)
for mine, wanted in zip(again.get_weights(), model.get_weights(), strict=True):
    np.testing.assert_array_equal(mine, wanted)
print(f"rank {rank} is done", flush=True)
