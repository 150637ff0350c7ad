"""Optimizers by name and configuration, learning rates, and the order of what is saved."""

import copy
import pickle

import numpy as np
import pytest

from dseq import optimizers
from dseq.program import naming
from dseq.program.variable import Variable

NO_UPDATES = ("Optimizer", "LossScaleOptimizer")
ALL = [getattr(optimizers, name) for name in optimizers.__all__ if name[0].isupper() and name not in NO_UPDATES]


class Halving:
    """A schedule as a user writes one."""

    def __call__(self, step):
        return 0.5**step

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    "name",
    [
        "adam",
        "Adam",
        "ADAM",
        "sgd",
        "rmsprop",
        "RMSprop",
        "adamw",
        "nadam",
        "lamb",
        "LARS",
        "ftrl",
        "ScheduleFreeAdamW",
    ],
)
def test_get_by_name(name):
    assert type(optimizers.get(name)).__name__.lower() == name.lower()
    assert optimizers.get(name) is not optimizers.get(name)


def test_get():
    optimizer = optimizers.SGD(0.5)
    assert optimizers.get(optimizer) is optimizer
    assert optimizers.get(None) is None
    assert type(optimizers.get(optimizers.Lion)) is optimizers.Lion
    found = optimizers.get({"class_name": "SGD", "config": {"learning_rate": 0.25, "momentum": 0.5}})
    assert (float(found.learning_rate), found.momentum) == (0.25, 0.5)


@pytest.mark.parametrize("identifier", ["nope", 3, {"class_name": "Nope", "config": {}}])
def test_unknown_optimizers(identifier):
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier: "):
        optimizers.get(identifier)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_configuration(kind):
    optimizer = kind(learning_rate=0.25, weight_decay=0.125, name="mine")
    config = optimizer.get_config()
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is kind and again.get_config() == config
    assert (config["learning_rate"], config["weight_decay"], config["name"]) == (0.25, 0.125, "mine")
    assert config["ema_momentum"] == 0.99 and config["clipnorm"] is None


def test_configuration_keeps_every_argument():
    config = optimizers.Adam(0.5, 0.8, 0.9, 1e-3, True).get_config()
    expected = {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "amsgrad": True}
    assert {name: config[name] for name in expected} == expected
    config = optimizers.RMSprop(0.5, 0.8, 0.25, 1e-3, True).get_config()
    expected = {"rho": 0.8, "momentum": 0.25, "epsilon": 1e-3, "centered": True}
    assert {name: config[name] for name in expected} == expected
    assert optimizers.SGD(momentum=0.5, nesterov=True).get_config()["nesterov"] is True
    assert optimizers.AdamW().get_config()["weight_decay"] == 0.004


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_learning_rate_must_be_a_float(kind):
    with pytest.raises(ValueError, match="`learning_rate` should be float.*Received instead: learning_rate=1"):
        kind(learning_rate=1)


def test_arguments():
    with pytest.raises(ValueError, match=r"Argument\(s\) not recognized: {'lr': 0.1}"):
        optimizers.Adam(lr=0.1)
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        optimizers.SGD(decay=0.1)
    for wrong in (1, -0.1, 1.5, "0.9"):
        with pytest.raises(ValueError, match="`momentum` must be a float between"):
            optimizers.SGD(momentum=wrong)
    with pytest.raises(ValueError, match="`weight_decay` must be a float"):
        optimizers.AdamW(weight_decay=None)
    with pytest.raises(ValueError, match="`beta_1` must be in the range"):
        optimizers.Lion(beta_1=0.0)


def test_names():
    naming.reset()
    assert [kind().name for kind in (optimizers.Adam, optimizers.Adam, optimizers.RMSprop, optimizers.AdamW)] == [
        "adam",
        "adam_1",
        "rm_sprop",
        "adam_w",
    ]


def test_learning_rate_can_be_set():
    optimizer, weights = optimizers.SGD(0.5), Variable([1.0])
    assert float(optimizer.learning_rate) == 0.5 and optimizer.learning_rate.dtype == "float32"
    optimizer.learning_rate = 0.25
    optimizer.apply([np.ones(1)], [weights])
    assert weights[0] == 0.75
    optimizer.learning_rate.assign(0.125)
    optimizer.apply([np.ones(1)])
    assert weights[0] == 0.625


def test_schedules_see_the_number_of_steps_before():
    optimizer, weights = optimizers.SGD(Halving()), Variable([4.0])
    seen = []
    for _ in range(3):
        assert optimizer.learning_rate == 0.5**optimizer.step_count
        optimizer.apply([np.ones(1)], [weights])
        seen.append(float(weights[0]))
    assert seen == [3.0, 2.5, 2.25]
    assert [v.name for v in optimizer.variables] == ["iteration"]
    with pytest.raises(TypeError, match="learning rate is not settable"):
        optimizer.learning_rate = 0.1
    assert optimizer.get_config()["learning_rate"]["class_name"] == "Halving"


def test_a_function_without_arguments_is_a_learning_rate_too():
    optimizer, weights = optimizers.SGD(lambda: 0.5), Variable([1.0])
    optimizer.apply([np.ones(1)], [weights])
    assert weights[0] == 0.5


def test_a_schedule_can_replace_a_number():
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = Halving()
    assert optimizer.learning_rate == 1.0 and len(optimizer.variables) == 1


SLOTS = {
    "momentum": ["net_kernel_momentum", "net_bias_momentum"],
    "velocity": ["net_kernel_velocity", "net_bias_velocity"],
    "average": ["net_kernel_average_gradient", "net_bias_average_gradient"],
    "adam": ["net_kernel_momentum", "net_kernel_velocity", "net_bias_momentum", "net_bias_velocity"],
}


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (optimizers.SGD, []),
        (lambda: optimizers.SGD(momentum=0.9), SLOTS["momentum"]),
        (optimizers.Adam, SLOTS["adam"]),
        (lambda: optimizers.Adam(amsgrad=True), SLOTS["adam"] + ["net_kernel_velocity_hat", "net_bias_velocity_hat"]),
        (optimizers.RMSprop, SLOTS["velocity"]),
        (lambda: optimizers.RMSprop(centered=True), SLOTS["velocity"] + SLOTS["average"]),
        (
            lambda: optimizers.RMSprop(centered=True, momentum=0.5),
            SLOTS["velocity"] + SLOTS["momentum"] + SLOTS["average"],
        ),
        (optimizers.Nadam, SLOTS["adam"] + ["u_product"]),
        (optimizers.Lion, SLOTS["momentum"]),
    ],
)
def test_order_of_variables_in_files(optimizer, slots):
    naming.reset()
    optimizer = optimizer()
    weights = [
        Variable(np.ones((2, 3)), name="kernel", path="net/kernel"),
        Variable(np.ones(3), name="bias", path="net/bias"),
    ]
    assert [v.path for v in optimizer.variables] == [f"{optimizer.name}/iteration", f"{optimizer.name}/learning_rate"]
    optimizer.build(weights)
    names = [v.path.removeprefix(f"{optimizer.name}/") for v in optimizer.variables]
    assert names == ["iteration", "learning_rate", *slots]
    assert [v.dtype for v in optimizer.variables] == ["int32"] + ["float32"] * (1 + len(slots))
    shapes = {v.path: v.shape for v in optimizer.variables}
    assert all(shape == ((2, 3) if "kernel" in path else (3,)) for path, shape in shapes.items() if "net" in path)


def test_assigned_variables_go_on_where_others_stopped():
    gradients = np.random.default_rng(0).standard_normal((6, 4))
    for kind in ALL:
        weights, first = Variable(np.ones(4)), kind()
        for g in gradients[:3]:
            first.apply([g], [weights])
        others, second = Variable(weights.numpy()), kind()
        second.build([others])
        for mine, theirs in zip(second.variables, first.variables, strict=True):
            mine.assign(theirs.numpy())
        for g in gradients[3:]:
            first.apply([g])
            second.apply([g])
        np.testing.assert_array_equal(others.numpy(), weights.numpy(), err_msg=kind.__name__)


def test_slots_are_views_of_flat_arrays():
    weights = Variable(np.ones((2, 3)))
    optimizer = optimizers.Adagrad(initial_accumulator_value=0.5)
    optimizer.build([weights])
    accumulator = optimizer.variables[-1]
    assert accumulator.shape == (2, 3) and (accumulator.numpy() == 0.5).all()
    accumulator.assign(np.full((2, 3), 2.0))
    assert (optimizer.slots["accumulator"][:6] == 2.0).all()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_copies_go_their_own_way(copied):
    weights, optimizer = Variable(np.ones((2, 3))), optimizers.Adam(amsgrad=True, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([np.ones((2, 3))], [weights])
    other_weights, other = copied((weights, optimizer))
    for _ in range(2):
        optimizer.apply([np.full((2, 3), 2.0)])
        other.apply([np.full((2, 3), 2.0)], [other_weights])
    np.testing.assert_array_equal(weights.numpy(), other_weights.numpy())
    for mine, theirs in zip(optimizer.variables, other.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert np.shares_memory(other.variables[2].array, other.slots["momentum"])


def test_float_types_do_not_mix():
    with pytest.raises(ValueError, match="one float type"):
        optimizers.Adam().build([Variable(np.ones(2), "float32"), Variable(np.ones(2), "float64")])
