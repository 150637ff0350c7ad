"""What travels in place of full gradients: compared with NumPy and with full gradients. Takes an empty folder."""

import os
import sys

import numpy as np

import dseq as keras
from dseq.distribution import DataParallel, Half, LocalSGD, TopK
from dseq.parallel import communicator

folder = sys.argv[1]
world = communicator.get()
rank, size, nodes = world.rank, world.size, len(world.nodes)
rng = np.random.default_rng(1)
x = rng.normal(size=(72, 6)).astype("float32")
y = np.tanh(x @ rng.normal(size=(6, 3))).astype("float32")


def same(value):
    everywhere = world.allgather_object(value)
    assert all(other == everywhere[0] for other in everywhere)
    return value


def bits(model):
    return b"".join(w.tobytes() for w in model.get_weights())


def model_of(exchange=None, normalise=False, optimizer="sgd", **options):
    keras.utils.set_random_seed(3)
    with DataParallel(exchange=exchange).scope():
        layers = [keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(3, kernel_regularizer="l2")]
        if normalise:
            layers.insert(1, keras.layers.BatchNormalization())
        model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(keras.optimizers.get({"class_name": optimizer, "config": options}), "mse", metrics=["mae"])
    return model


def close(a, b, **tolerance):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


def bfloat(a):
    bits = a.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)


if size == 1:  # nothing travels
    found = model_of(LocalSGD(3)).fit(x, y, verbose=0).history
    assert found == model_of().fit(x, y, verbose=0).history
    print("rank 0 is done")
    raise SystemExit

# Sums of arrays: each node's rounded once, added in order, the sum rounded once.
numbers = [np.random.default_rng(100 + r).normal(size=1000).astype("float32") for r in range(size)]
of_nodes = [sum(numbers[r] for r in ranks) for ranks in world.nodes]
for name, rounded in (("float16", lambda a: a.astype(np.float16).astype(np.float32)), ("bfloat16", bfloat)):
    wire = Half(name).over(world)
    for count in (1000, 37, 3):
        given = numbers[rank][:count].copy()
        wire.sum(given)
        parts = [total[:count] for total in of_nodes]
        wanted = parts[0] if nodes == 1 else rounded(sum((rounded(p) for p in parts[1:]), rounded(parts[0])))
        np.testing.assert_allclose(given, wanted, rtol=0 if nodes in (1, size) and size < 3 else 2e-2, atol=1e-2)
        if nodes == size:
            np.testing.assert_array_equal(given, wanted)
        same(given.tobytes())

# The largest only: what was sent and what waits add up, exactly.
if nodes == size:
    wire = TopK(0.1).over(world)
    waiting = np.zeros(1000, np.float32)
    for step in range(4):
        given = numbers[rank] * np.float32(step - 1.5)
        before, total = waiting + given, given.copy()
        wire.sum(total)
        waiting = wire.residual.copy()
        index, value = (part.copy() for part in wire._parts(wire._sent, np.float32))
        sent = np.zeros(1000, np.float32)
        sent[index] = value
        np.testing.assert_array_equal(waiting + sent, before)
        assert len(value) == 100 and (waiting[index] == 0).all()
        assert abs(value).min() * 1.125 >= abs(waiting).max()
        np.testing.assert_array_equal(total, sum(world.allgather_object(sent)))
    whole = numbers[rank].copy()
    TopK(1.0).over(world).sum(whole)  # all of them is all
    np.testing.assert_allclose(whole, sum(numbers), rtol=1e-5, atol=1e-6)

# k batches and one update are one batch of k times the size; the ranks exchange once, losses and metrics are exact.
for options in ({}, {"global_clipnorm": 0.05}):
    many = model_of(optimizer="adam", gradient_accumulation_steps=3, **options)
    one = model_of(optimizer="adam", **options)
    logs = [m.fit(x, y, batch, epochs=2, verbose=0, shuffle=False).history for m, batch in ((many, 8), (one, 24))]
    close(many.get_weights(), one.get_weights(), rtol=2e-4, atol=2e-6)
    same(bits(many))
    assert int(many.optimizer.iterations) == int(one.optimizer.iterations) == 6
    before = bits(many)
    losses = [many.train_on_batch(x[:8], y[:8])[0] for _ in range(2)]
    assert before == bits(many), "a step that only accumulates changed weights"
    same(losses[0])
    # Between two updates what waits is written as all ranks' sum.
    many.save_weights(os.path.join(folder, "between.weights.h5"))
    np.testing.assert_allclose(losses[0], many.evaluate(x[:8], y[:8], verbose=0)[0], rtol=1e-5)
    again = model_of(optimizer="adam", gradient_accumulation_steps=3, **options)
    again.load_weights(os.path.join(folder, "between.weights.h5"))
    for m in (many, again):
        m.train_on_batch(x[8:16], y[8:16])
    close(many.get_weights(), again.get_weights(), rtol=1e-5, atol=1e-7)
    assert before != bits(many)
    one.train_on_batch(np.concatenate([x[:8], x[:8], x[8:16]]), np.concatenate([y[:8], y[:8], y[8:16]]))
    close(many.get_weights(), one.get_weights(), rtol=2e-4, atol=2e-6)
# An epoch that ends between two updates.
odd = model_of(gradient_accumulation_steps=4, learning_rate=0.1)
shown = odd.fit(x[:48], y[:48], 8, epochs=1, verbose=0, shuffle=False).history["loss"][0]
reference = model_of(gradient_accumulation_steps=4, learning_rate=0.1)
expected = reference.evaluate(x[:32], y[:32], verbose=0)[0] * 32
reference.train_on_batch(x[:32], y[:32])
reference = model_of(learning_rate=0.1)
reference.train_on_batch(x[:32], y[:32])
close(odd.get_weights(), reference.get_weights(), rtol=1e-5, atol=1e-7)
expected += reference.evaluate(x[32:48], y[32:48], verbose=0)[0] * 16
np.testing.assert_allclose(shown, expected / 48, rtol=1e-5)

# Training: as with full gradients to rounding, or nearly as well.
full = model_of(learning_rate=0.2).fit(x, y, 12, epochs=12, verbose=0).history["loss"]
for exchange, near in ((Half("float16"), 1e-3), (Half(), 1e-2), (TopK(0.1), 0.3)):
    model = model_of(exchange, learning_rate=0.2)
    found = model.fit(x, y, 12, epochs=12, verbose=0).history["loss"]
    same(bits(model)), same(found)
    assert model.plans and abs(found[-1] / full[-1] - 1) < near * (nodes > 1) + 1e-4, (exchange, found[-1], full[-1])
    assert nodes == 1 or found[-1] != full[-1], "nothing was rounded"

# Local steps: the mean of what ranks that train alone come to.
local = model_of(LocalSGD(3), learning_rate=0.1)
for _ in range(3):
    seen = local.train_on_batch(x, y)
same(bits(local))
own = model_of(learning_rate=0.1)
own.distribution = DataParallel(communicator=world._mpi.COMM_SELF)
lo, hi = (72 * r // size for r in (rank, rank + 1))
counts = [72 * (r + 1) // size - 72 * r // size for r in range(size)]
if len(set(counts)) == 1:
    lone = [own.train_on_batch(x[lo:hi], y[lo:hi]) for _ in range(3)]
    close(
        local.get_weights(),
        [sum(w) / size for w in zip(*world.allgather_object(own.get_weights()), strict=True)],
        rtol=1e-4,
        atol=1e-6,
    )
    np.testing.assert_allclose(seen, np.mean(world.allgather_object(lone[-1]), 0), rtol=1e-4)
away = local.train_on_batch(x, y)
assert len(set(world.allgather_object(bits(local)))) == size, "ranks should be apart between two means"
local.predict(x[:4], verbose=0)
same(bits(local))
local = model_of(LocalSGD(4), normalise=True, learning_rate=0.2)
found = local.fit(x, y, 24, epochs=16, verbose=0, validation_data=(x, y)).history
same(bits(local)), same(found)
assert found["loss"][-1] < 0.6 * found["loss"][0] and found["val_loss"][-1] < 0.6 * found["val_loss"][0], found

# Strict mode has no place for any of it.
if size > 1:
    model = model_of(Half())
    model.compile("sgd", "mse", strict=True)
    try:
        model.fit(x, y, verbose=0)
    except ValueError as error:
        assert "Strict mode" in str(error)
    else:
        raise AssertionError("strict mode rounded gradients")
print(f"rank {rank} is done", flush=True)
