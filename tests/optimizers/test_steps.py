"""Steps of the optimizers: numbers of Keras 3's own tests, and that slices, order and decay are right."""

import threading

import numpy as np
import pytest

from dseq import optimizers
from dseq.program.host import Among
from dseq.program.memory import Parameters
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
    "Lamb": [-0.3693, 0.6306, 1.6306, 2.6306],
    "Ftrl": [0.2218, 1.3954, 2.3651, 2.8814],
    "Adafactor": [-0.3693, 0.6307, 1.6307, 2.6307],
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
    ("Lamb", {}, [0.999, 0.9982, 0.9974, 0.9965, 0.9955], None),
    (
        "Ftrl",
        {
            "learning_rate": 0.05,
            "learning_rate_power": -0.2,
            "initial_accumulator_value": 0.4,
            "l1_regularization_strength": 0.05,
            "l2_regularization_strength": 0.15,
            "l2_shrinkage_regularization_strength": 0.01,
            "beta": 0.3,
        },
        [0, -0.0034, -0.0078, -0.0121, -0.0164],
        [0, -0.0354, -0.0685, -0.0999, -0.1299],
    ),
    (
        "Adafactor",
        {
            "learning_rate": 0.5,
            "beta_2_decay": -0.65,
            "epsilon_1": 1e-15,
            "epsilon_2": 1e-4,
            "clip_threshold": 0.9,
            "relative_step": False,
        },
        [0.55, 0.3031, 0.1671, 0.0923, 0.0554],
        [0.55, 0.3024, 0.1663, 0.0914, 0.0545],
    ),
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
    (optimizers.Ftrl, {"l1_regularization_strength": 0.01, "beta": 0.2}),
    (optimizers.Ftrl, {"learning_rate_power": -0.3}),
    (optimizers.ScheduleFreeAdamW, {"warmup_steps": 2}),
]
# Those that look at whole weights, and options: slices end where weights do, or there are none.
WHOLE = [
    (optimizers.Lamb, {}),
    (optimizers.LARS, {"exclude_from_adaptation": ["bias"]}),
    (optimizers.Adafactor, {}),
    (optimizers.Muon, {"exclude_layers": ["head"]}),
    (optimizers.Adam, {"clipnorm": 0.5}),
    (optimizers.Lamb, {"clipnorm": 0.5, "use_ema": True, "gradient_accumulation_steps": 2}),
]
TOGETHER = [
    (optimizers.Adam, {"global_clipnorm": 0.5, "use_ema": True, "ema_overwrite_frequency": 2}),
    (optimizers.Muon, {"global_clipnorm": 0.5, "gradient_accumulation_steps": 2, "loss_scale_factor": 8.0}),
]
ANYWHERE = [
    (optimizers.Adam, {"use_ema": True, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 2}),
    (optimizers.Nadam, {"gradient_accumulation_steps": 2, "clipvalue": 0.2, "loss_scale_factor": 8.0}),
]
ELEMENTS, WEIGHTS, ALL = [(0, 11), (11, 20), (20, 20), (20, 32)], [(0, 16), (16, 16), (16, 32)], [(0, 32)]
SLICED = [
    (*case, pieces)
    for cases, pieces in ((KINDS + ANYWHERE, ELEMENTS), (WHOLE, WEIGHTS), (TOGETHER, ALL))
    for case in cases
]


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


def test_single_steps_of_matrices():
    start, gradient = [[1.0, 2.0], [3.0, 4.0]], np.array([[1.0, 6.0], [7.0, 2.0]])
    weights = Variable(start)
    optimizers.Adafactor(0.5).apply([gradient], [weights])
    np.testing.assert_allclose(weights.numpy(), [[0.7007, -0.0081], [1.2492, 3.4407]], atol=1e-4)
    weights = Variable(start)
    optimizers.Muon(0.5, weight_decay=0.0).apply([gradient], [weights])
    np.testing.assert_allclose(weights.numpy(), [[0.988775, 1.887053], [2.873428, 3.97035]], atol=1e-2)
    # Without momentum and scale, a step of 1 is what the iteration makes of the gradient.
    weights = Variable(np.zeros((2, 2)))
    optimizer = optimizers.Muon(1.0, weight_decay=None, momentum=0.0, nesterov=False, rms_rate=None)
    optimizer.apply([np.array([[0.2499, 0.9105], [0.2655, 0.8824]])], [weights])
    np.testing.assert_allclose(-weights.numpy(), [[-0.4422, 0.6457], [0.7285, 0.2968]], atol=1e-3)


def test_muon_leaves_other_weights_to_adam():
    rng = np.random.default_rng(0)
    shapes = {"hidden/kernel": (4, 3), "hidden/bias": (3,), "embedding/embeddings": (4, 3), "output/kernel": (3, 2)}
    variables, others = ([Variable(np.ones(s), path=path) for path, s in shapes.items()] for _ in range(2))
    first = optimizers.Muon(0.1, exclude_layers=["output"], adam_lr_ratio=0.5, adam_weight_decay=0.2)
    second = optimizers.Adam(0.05, weight_decay=0.4)
    for _ in range(3):
        gradients = [rng.standard_normal(s) for s in shapes.values()]
        first.apply(gradients, variables)
        second.apply(gradients, others)
    same = [np.allclose(a.numpy(), b.numpy(), rtol=1e-6) for a, b in zip(variables, others, strict=True)]
    assert same == [False, True, True, True]


def test_lars():
    starts = {"kernel": [3.0, 4.0], "bias": [1.0], "undecayed": [6.0, 8.0]}
    gradients = [np.array([0.8, -0.6]), np.array([1.0]), np.array([0.0, 1.0])]
    weights = [Variable(value, name=name) for name, value in starts.items()]
    optimizer = optimizers.LARS(2.0, 0.5, 0.1, weight_decay=0.2, exclude_from_adaptation=["bias"])
    optimizer.exclude_from_weight_decay(var_names=["undecayed"])
    for _ in range(3):
        optimizer.apply(gradients, weights)
    for variable, start, g in zip(weights, starts.values(), gradients, strict=True):
        w, m, norm = np.array(start), 0.0, np.linalg.norm
        decay = 0.0 if variable.name == "undecayed" else 0.2
        for _ in range(3):
            ratio = 1.0 if variable.name == "bias" else 0.1 * norm(w) / (norm(g) + decay * norm(w))
            m = 0.5 * m + 2.0 * ratio * (g + decay * w)
            w = w - m
        np.testing.assert_allclose(variable.numpy(), w, rtol=2e-6, err_msg=variable.name)


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
    """Steps that update the arena of these weights in pieces."""
    arena = Parameters(variables, [], 0, variables[0].dtype)
    optimizer.build(variables)
    steps = []
    for lo, hi in pieces:
        plan = Plan(dtype=variables[0].dtype)
        optimizer.lower(plan, arena.params, arena.grads, lo, hi)
        steps.append(Step(plan))
        steps[-1].bind(0)
    return arena, steps


@pytest.mark.parametrize(
    ("kind", "arguments", "pieces"), SLICED, ids=[f"{kind.__name__}-{'-'.join(a)}" for kind, a, _ in SLICED]
)
def test_the_arena_in_pieces_is_the_weights_one_by_one(kind, arguments, pieces):
    """What training does, on slices that cut through weights, has the bits of `apply`."""
    alone, together = parameters(), parameters()
    decay = {"weight_decay": 0.1}
    first, second = kind(**{**arguments, **decay}), kind(**{**arguments, **decay})
    for optimizer in (first, second):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    start = [v.numpy() for v in alone]
    arena, steps = planned(second, together, pieces)
    assert arena.trainable_size == 32
    rng = np.random.default_rng(9)
    for _ in range(5):
        grads = [rng.standard_normal(v.shape) for v in alone]
        first.apply(grads, alone)
        for v, g in zip(together, grads, strict=True):
            arena.gradient(v)[...] = g
        second.begin_step()
        for step in steps:
            step.update()
        second.end_step()
    for a, b, c in zip(alone, together, start, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        assert not np.array_equal(a.numpy(), c)
    for a, b in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(clipnorm=1.0),
        lambda: optimizers.SGD(global_clipnorm=1.0),
        lambda: optimizers.Lamb(),
        lambda: optimizers.LossScaleOptimizer(optimizers.SGD()),
    ],
)
def test_a_slice_must_not_cut_what_must_be_whole(optimizer):
    variables, optimizer = parameters(), optimizer()
    optimizer.build(variables)
    arena = Parameters(variables, [], 0, "float64")
    for slice_ in ((0, 11), (3, 32)):
        with pytest.raises(ValueError, match="needs whole weights"):
            optimizer.lower(Plan(dtype="float64"), arena.params, arena.grads, *slice_)


@pytest.mark.parametrize("bad", [False, True])
@pytest.mark.parametrize("make", [lambda o: o, optimizers.LossScaleOptimizer], ids=["plain", "scaled"])
def test_ranks_with_slices_decide_together(make, bad):
    """Three ranks, as threads, that update a slice each, one of them none: the bits of one rank with all weights."""
    options = {"global_clipnorm": 0.5, "gradient_accumulation_steps": 2, "weight_decay": 0.1}
    slices, barrier, given = [(0, 24), (24, 24), (24, 32)], threading.Barrier(3), [None] * 3
    rng = np.random.default_rng(3)
    gradients = rng.standard_normal((6, 32))
    if bad:
        gradients[3, 25] = np.inf

    def rank(r, lo, hi, exchange):
        variables, optimizer = parameters(), make(optimizers.Adam(0.05, **options))
        optimizer.build(variables)
        arena = Parameters(variables, [], 0, "float64")
        plan = Plan(dtype="float64")
        optimizer.lower(plan, arena.params, arena.grads, lo, hi, exchange and Among(exchange))
        step = Step(plan)
        step.bind(0)
        for g in gradients:
            arena.grads[:] = np.where((np.arange(32) >= lo) & (np.arange(32) < hi), g, 7.0)  # others' are not there
            optimizer.begin_step(1.0)
            with np.errstate(all="ignore"):
                step.update()
            optimizer.end_step()
        results[r] = arena.params[lo:hi].copy(), optimizer.loss_scale, optimizer.step_count

    def exchange_of(r):
        def exchange(array):
            given[r] = array.copy()
            barrier.wait(30)
            total = sum(given)
            barrier.wait(30)
            array[:] = total

        return exchange

    results = {}
    threads = [threading.Thread(target=rank, args=(r, *s, exchange_of(r))) for r, s in enumerate(slices)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rank(3, 0, 32, None)
    np.testing.assert_array_equal(np.concatenate([results[r][0] for r in range(3)]), results[3][0])
    assert results[0][1:] == results[1][1:] == results[2][1:] == results[3][1:]
    if make is optimizers.LossScaleOptimizer:
        assert results[0][2] == (5 if bad else 6)


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
