"""Steps of the optimizers: numbers of Keras 3's own tests, and that slices, order and decay are right."""

import numpy as np
import pytest

from dseq import optimizers
from dseq.program.memory import Parameters
from dseq.program.operand import Operand
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.variable import Variable

SINGLE = {
    "SGD": [0.5, -1, -0.5, 3],
    "Adam": [0.5, 1.5, 2.5, 3.5],
    "AdamW": [0.4980, 1.4960, 2.494, 3.492],
    "RMSprop": [-0.5811, 0.4189, 1.4189, 2.4189],
    "Adagrad": [0.5233, 1.5007, 2.5005, 3.5061],
    "Adadelta": [0.9993, 1.9993, 2.9993, 3.9993],
    "Adamax": [0.5, 1.5, 2.5, 3.5],
    "Nadam": [0.4686, 1.4686, 2.4686, 3.4686],
    "Lion": [0.5, 1.5, 2.5, 3.5],
}
# First and last weight of ten before each of five steps.
FIVE = [
    (
        "SGD",
        {"nesterov": True},
        [0.9999, 0.9989, 0.9979, 0.9969, 0.9959],
        [0.9999, 0.9899, 0.9799, 0.9699, 0.9599],
    ),
    ("Adam", {"amsgrad": True}, [0.999, 0.9982, 0.9974, 0.9965, 0.9955], None),
    (
        "AdamW",
        {"learning_rate": 1.0, "weight_decay": 0.5, "epsilon": 2},
        [0.4998, 0.2486, 0.1223, 0.0586, 0.0263],
        [0.4998, 0.2382, 0.1003, 0.0258, -0.0159],
    ),
    ("RMSprop", {"centered": True}, [0.9967, 0.9933, 0.9908, 0.9885, 0.9864], None),
    (
        "Adagrad",
        {"learning_rate": 0.2, "initial_accumulator_value": 0.3, "epsilon": 1e-6},
        [0.9963, 0.9604, 0.9251, 0.8903, 0.856],
        [0.9963, 0.8209, 0.6891, 0.579, 0.4825],
    ),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-6}, [0.9978, 0.9947, 0.9915, 0.9882, 0.9849], None),
    (
        "Adamax",
        {"learning_rate": 0.2, "beta_1": 0.85, "beta_2": 0.95, "epsilon": 1e-6},
        [0.8, 0.6827, 0.5333, 0.368, 0.1933],
        [0.8, 0.691, 0.5466, 0.3848, 0.2126],
    ),
    (
        "Nadam",
        {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.67, "epsilon": 1e-5},
        [0.4281, -0.1738, -0.7115, -1.2335, -1.7492],
        [0.4281, -0.1717, -0.7084, -1.2299, -1.7454],
    ),
    ("Lion", {}, [0.999, 0.998, 0.997, 0.996, 0.995], None),
]
KINDS = [
    (optimizers.SGD, {}),
    (optimizers.SGD, {"momentum": 0.9}),
    (optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    (optimizers.Adam, {}),
    (optimizers.Adam, {"amsgrad": True}),
    (optimizers.AdamW, {}),
    (optimizers.RMSprop, {}),
    (optimizers.RMSprop, {"momentum": 0.5}),
    (optimizers.RMSprop, {"centered": True}),
    (optimizers.RMSprop, {"centered": True, "momentum": 0.5}),
    (optimizers.Adagrad, {}),
    (optimizers.Adadelta, {}),
    (optimizers.Adamax, {}),
    (optimizers.Nadam, {}),
    (optimizers.Lion, {}),
]
each_kind = pytest.mark.parametrize(
    ("kind", "arguments"), KINDS, ids=[f"{kind.__name__}-{'-'.join(a)}" for kind, a in KINDS]
)


@pytest.mark.parametrize("name", SINGLE)
def test_single_step(name):
    weights = Variable([1.0, 2, 3, 4])
    optimizer = getattr(optimizers, name)(learning_rate=0.5)
    optimizer.apply([np.array([1.0, 6, 7, 2])], [weights])
    np.testing.assert_allclose(weights.numpy(), SINGLE[name], atol=1e-4)
    assert int(optimizer.iterations) == 1


@pytest.mark.parametrize(("name", "arguments", "first", "last"), FIVE, ids=[case[0] for case in FIVE])
def test_five_steps(name, arguments, first, last):
    weights, optimizer, seen = Variable(np.ones(10)), getattr(optimizers, name)(**arguments), []
    optimizer.apply_gradients([(np.full(10, 0.01), weights)])
    for _ in range(5):
        seen.append(weights.numpy()[[0, -1]])
        optimizer.apply_gradients([(np.arange(0.1, 1.1, 0.1), weights)])
    np.testing.assert_allclose(seen, np.transpose([first, last or first]), atol=5e-4, rtol=5e-4)


def test_weight_decay():
    decayed, excluded, also = (Variable([2.0], name=name) for name in ("kernel", "exclude", "other"))
    optimizer = optimizers.SGD(learning_rate=1.0, weight_decay=0.004)
    optimizer.exclude_from_weight_decay(var_list=[also], var_names=["exclude"])
    for _ in range(3):
        optimizer.apply([np.zeros(1)] * 3, [decayed, excluded, also])
    assert decayed[0] == pytest.approx(1.9760959, rel=1e-6)
    assert excluded[0] == also[0] == 2.0
    with pytest.raises(ValueError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def parameters(dtype="float64", shapes=((3, 5), (7,), (2, 2))):
    rng = np.random.default_rng(8)
    names = ("kernel", "bias", "kernel")
    return [Variable(rng.standard_normal(s), dtype, n, f"net/{n}") for s, n in zip(shapes, names, strict=True)]


def planned(optimizer, variables, pieces):
    """A step that updates the arena of these weights in pieces."""
    arena = Parameters(variables, [], 0, variables[0].dtype)
    optimizer.build(variables)
    steps = []
    for lo, hi in pieces:
        plan, views = Plan(dtype=variables[0].dtype), {}
        whole = {"p": arena.params, "g": arena.grads, **optimizer.slots}
        for name, array in whole.items():
            views[name] = Operand(name, (hi - lo,), "slots", array.dtype.name)
            views[name].array = array[lo:hi]
        hyper = Operand("hyper", optimizer.hyper.shape, "constants", "float64")
        hyper.array = optimizer.hyper
        optimizer.lower(plan, views["p"], views["g"], [views[name] for name in optimizer.slots], hyper, start=lo)
        steps.append(Step(plan))
        steps[-1].bind(0)
    return arena, steps


@each_kind
def test_the_arena_in_pieces_is_the_weights_one_by_one(kind, arguments):
    """What training does, on slices that cut through weights, has the bits of `apply`."""
    alone, together = parameters(), parameters()
    decay = {"weight_decay": 0.1}
    first, second = kind(**{**arguments, **decay}), kind(**{**arguments, **decay})
    for optimizer in (first, second):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    arena, steps = planned(second, together, [(0, 11), (11, 20), (20, 20), (20, 32)])
    assert arena.trainable_size == 32
    rng = np.random.default_rng(9)
    for _ in range(3):
        grads = [rng.standard_normal(v.shape) for v in alone]
        first.apply(grads, alone)
        for v, g in zip(together, grads, strict=True):
            arena.gradient(v)[...] = g
        second.begin_step()
        for step in steps:
            step.update()
        second.end_step()
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_slice_must_say_where_it_begins_when_some_weights_do_not_decay():
    variables = parameters()
    optimizer = optimizers.SGD(weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(variables)
    operand = Operand("p", (5,), "params", "float64")
    with pytest.raises(ValueError, match="`start` must say"):
        optimizer.lower(Plan(), operand, operand, [], Operand("hyper", (3,), "constants", "float64"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_centered_rmsprop_survives_rounding(dtype):
    """A constant gradient makes the variance 0, and rounding makes it less."""
    weights, optimizer = Variable(np.zeros(64), dtype), optimizers.RMSprop(centered=True)
    gradient = np.linspace(1, 1000, 64)
    for _ in range(300):
        optimizer.apply([gradient], [weights])
    assert np.isfinite(weights.numpy()).all()


def test_gradients_that_are_missing():
    a, b = Variable([1.0], name="a"), Variable([1.0], name="b")
    optimizer = optimizers.SGD()
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['b'\]"):
        optimizer.apply([np.ones(1), None], [a, b])
    assert a[0] < 1 and b[0] == 1
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.apply([None, None], [a, b])
    optimizer.apply([])
    assert optimizer.step_count == 1
    with pytest.raises(ValueError, match="one gradient for each variable"):
        optimizer.apply([np.ones(1)], [a, b])


def test_variables_an_optimizer_was_not_built_with():
    a, b = Variable([1.0]), Variable([1.0])
    optimizer = optimizers.SGD()
    with pytest.raises(ValueError, match="must already be built"):
        optimizer.apply([np.ones(1)])
    optimizer.build([a])
    optimizer.build([a])
    optimizer.apply([np.ones(1)])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([np.ones(1)], [b])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.build([a, b])
