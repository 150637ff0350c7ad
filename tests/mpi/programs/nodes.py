"""Trains on several nodes and on one rank's terms: pieces that are sent in parts, weights set, steps given up.

`DSEQ_NODE_RANKS` makes the nodes. Flat sums and the node engine must agree, and ranks must be equal to the last bit.
"""

import numpy as np

import dseq as keras
from dseq import config, layers
from dseq.parallel import communicator, engine, hop

hop.PIECE, hop.DIRECT = 1024, 800  # so that small networks are sent in several pieces, and in both ways
world = communicator.get()
expected = ((0, 1), (2, 3), (4,))
assert world.nodes == expected and world.rank in expected[world.node] and world.machine_size == 5
assert world.local_rank == expected[world.node].index(world.rank) and world.local_size == len(expected[world.node])
sums = np.array([1.0, world.rank])
world.sum_on_node(sums)
assert sums.tolist() == [world.local_size, sum(expected[world.node])]
memory = world.shared_bytes(64 * (1 + world.node)).view(np.int64)
memory[world.local_rank] = world.rank
world.barrier()
assert memory[: world.local_size].tolist() == list(expected[world.node]) and not memory[world.local_size :].any()

rng = np.random.default_rng(0)
x = rng.standard_normal((43, 20)).astype("float32")
y = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)


def trained(name, optimizer="adam", **options):
    config.engine = name
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((20,)), layers.Dense(130, "tanh"), layers.BatchNormalization()])
    model.add(layers.Dense(3, "softmax", kernel_constraint="max_norm"))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model, fit(model).history


def fit(model, labels=y):
    return model.fit(x, labels, batch_size=8, epochs=2, verbose=0)


def session(model):
    return next(s for s in model._sessions.values() if hasattr(s, "engine"))


def same(model):
    """Its weights, which must have the same bits on all ranks."""
    values = [v.numpy() for v in [*model.weights, *model.optimizer.variables]]
    for other in world.allgather_object(values):
        for a, b in zip(values, other, strict=True):
            np.testing.assert_array_equal(a, b)
    return values[: len(model.weights)]


clip = keras.optimizers.AdamW(0.01, global_clipnorm=0.1)
for optimizer in ("adam", clip, keras.optimizers.Lamb(0.01)):
    results = {}
    for name in ("flat", "node"):
        model, history = trained(name, keras.optimizers.serialize(optimizer) if optimizer != "adam" else optimizer)
        assert session(model).engine.name == name
        results[name] = [*same(model), *map(np.array, history.values())]
    for a, b in zip(results["node"], results["flat"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
link = session(model).engine._hop
assert (world.rank or len(link.pieces) > 1) and not link.goes_directly(1024) and link.goes_directly(32)
assert "sum over nodes" in str(session(model).plan)

# Ranks whose weights differ take rank 0's, which come to other nodes; so do those set on rank 0's node alone.
model, _ = trained("node")
model.set_weights([w + world.rank for w in model.get_weights()])
before = world.broadcast_object(model.get_weights())
loss = model.evaluate(x, y, verbose=0)[0]
for a, b in zip(same(model), before, strict=True):
    np.testing.assert_array_equal(a, b)
if world.rank == 0:
    model.layers[0].kernel.assign(np.full((20, 130), 3.0))
fit(model)
assert same(model)[0].min() > 1 > before[0].max()

# Labels that all ranks refuse, while pieces are on their way; then all go on.
bad = y.copy()
bad[11] = 3
for _ in range(2):
    try:
        fit(model, bad)
    except ValueError as error:
        assert "Received: labels from 0 to 3" in str(error)
    else:
        raise AssertionError("no error")
fit(model)
same(model)


# What rank 0 cannot write, nobody gets.
class Broken:
    def __array__(self, dtype=None, copy=None):
        raise ArithmeticError("no such values")


chosen = session(model).engine
assert isinstance(chosen, engine.Engine) and chosen.shared
place = np.zeros(3)
for changed in (True, False):
    try:
        chosen.alone(lambda: np.copyto(place, np.asarray(Broken())), [place], changed)
    except (ArithmeticError, RuntimeError) as error:
        assert changed and ("no such values" in str(error)) == (world.rank == 0)
    else:
        assert not changed
chosen.alone(lambda: place.fill(5), [place], world.rank != 3)
assert place.tolist() == [5.0 if world.local_rank == 0 else 0.0] * 3
fit(model)
same(model)
world.barrier()
if world.rank == 0:
    print("nodes agree")
