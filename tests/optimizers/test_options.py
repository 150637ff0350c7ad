"""Clipping, averages, accumulation and loss scales on single weights, as Keras' own tests pin them."""

import copy

import numpy as np
import pytest

from dseq import optimizers
from dseq.optimizers.layout import CHUNK
from dseq.program.variable import Variable

DECAYING = ("adam", "sgd", "adamw", "adagrad", "rmsprop", "adadelta", "adamax", "lion", "nadam", "ftrl", "adafactor")


def stepped(optimizer, gradient, start=(0.0, 0.0)):
    """How far one step of SGD(1.0) goes: the gradient as it counted."""
    weights = Variable(start)
    optimizer.apply([np.asarray(gradient)], [weights])
    return np.asarray(start) - weights.numpy()


def test_clipping_arguments():
    for name in ("clipnorm", "clipvalue", "global_clipnorm"):
        assert getattr(optimizers.SGD(**{name: 0.1}), name) == 0.1
    with pytest.raises(ValueError, match="Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set"):
        optimizers.SGD(clipnorm=0.1, clipvalue=0.1)
    with pytest.raises(ValueError, match="Only one of"):
        optimizers.SGD(clipnorm=0.1, global_clipnorm=0.1)


def test_other_arguments():
    for wrong in (1, -2):
        with pytest.raises(ValueError, match="`gradient_accumulation_steps` must be an integer >= 2"):
            optimizers.SGD(gradient_accumulation_steps=wrong)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"`ema_momentum` must be in the range \[0, 1\]"):
            optimizers.SGD(use_ema=True, ema_momentum=wrong)
    for wrong in (-1, 0.5):
        with pytest.raises(ValueError, match="`ema_overwrite_frequency` must be an integer >= 1"):
            optimizers.SGD(use_ema=True, ema_overwrite_frequency=wrong)
    optimizers.SGD(ema_momentum=3.0, ema_overwrite_frequency=-1)  # of no use without the average, as in Keras


def test_clipnorm():
    np.testing.assert_allclose(stepped(optimizers.SGD(1.0, clipnorm=1.0), [100.0, 100.0]), [2**-0.5] * 2, rtol=1e-6)
    np.testing.assert_allclose(stepped(optimizers.SGD(1.0, clipnorm=1.0), [0.3, 0.4]), [0.3, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(stepped(optimizers.SGD(1.0, clipnorm=1.0), [0.0, 0.0]), [0, 0])
    bad = stepped(optimizers.SGD(1.0, clipnorm=1.0), [np.inf, 1.0])
    assert np.isnan(bad[0]) and bad[1] == 0


def test_clipvalue():
    optimizer = optimizers.SGD(1.0, clipvalue=1.0)
    np.testing.assert_array_equal(stepped(optimizer, [100.0, -100.0]), [1, -1])
    assert np.isnan(stepped(optimizers.SGD(1.0, clipvalue=1.0), [np.nan, 0.5])).tolist() == [True, False]


def test_global_clipnorm():
    optimizer, a, b = optimizers.SGD(1.0, global_clipnorm=1.0), Variable([0.0, 0.0]), Variable([0.0])
    optimizer.apply([np.array([50.0, 100.0]), np.array([-20.0])], [a, b])
    norm = np.sqrt(50**2 + 100**2 + 20**2)
    np.testing.assert_allclose([*a.numpy(), *b.numpy()], np.array([-50, -100, 20]) / norm, rtol=1e-6)
    optimizer.apply([np.array([0.1, 0.1]), np.array([0.1])])
    np.testing.assert_allclose(b.numpy(), [20 / norm - 0.1], rtol=1e-6)
    optimizer.apply([np.array([0.1, 0.1]), np.array([np.inf])])
    assert np.isnan(a.numpy()).all() and np.isnan(b.numpy()).all()


def test_norms_of_large_weights():
    """Weights of several pieces, with gradients that float32 could not add up one after the other."""
    size = 3 * CHUNK + 77
    gradient = np.full(size, 1e-3, "f4")
    gradient[0] = 300.0
    weights = Variable(np.zeros(size), "float32")
    optimizers.SGD(1.0, global_clipnorm=1.0).apply([gradient], [weights])
    expected = gradient.astype("f8") / np.linalg.norm(gradient.astype("f8"))
    np.testing.assert_allclose(-weights.numpy(), expected, rtol=2e-7)


def test_a_weight_without_gradient_does_not_count():
    optimizer, a, b = optimizers.SGD(1.0, global_clipnorm=1.0), Variable([0.0]), Variable([0.0])
    optimizer.apply([np.array([3.0]), np.array([4.0])], [a, b])
    np.testing.assert_allclose([a[0], b[0]], [-0.6, -0.8], rtol=1e-6)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([np.array([3.0]), None])
    np.testing.assert_allclose([a[0], b[0]], [-1.6, -0.8], rtol=1e-6)


def test_moving_average():
    weights, gradient = Variable([[3.0, 4.0], [5.0, 6.0]]), np.ones((2, 2))
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3)
    seen = []
    for _ in range(3):
        optimizer.apply_gradients([(gradient, weights)])
        seen.append((weights[0, 0], float(optimizer._model_variables_moving_average[0][0, 0])))
    np.testing.assert_allclose(seen, [(2, 2), (1, 1.9), (1.71, 1.71)], rtol=1e-6)
    np.testing.assert_allclose(weights.numpy(), [[1.71, 2.71], [3.71, 4.71]], rtol=1e-6)
    weights.assign(np.zeros((2, 2)))
    optimizer.finalize_variable_values([weights])
    np.testing.assert_allclose(weights.numpy(), [[1.71, 2.71], [3.71, 4.71]], rtol=1e-6)


def test_the_average_includes_weights_without_gradient():
    a, b = Variable([1.0]), Variable([5.0])
    optimizer = optimizers.SGD(1.0, use_ema=True)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([np.ones(1), None], [a, b])
    assert [float(v.numpy()[0]) for v in optimizer._model_variables_moving_average] == [0, 5]


def test_gradient_accumulation():
    weights, gradient = Variable([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2))
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=3)
    expected = [(1, 1, 1, 0), (1, 2, 2, 0), (0, 0, 3, 1), (0, 1, 4, 1)]
    for row in expected:
        optimizer.apply_gradients([(gradient, weights)])
        accumulated = optimizer._accumulated_gradients[0][0, 0]
        assert (weights[0, 0], accumulated, optimizer.step_count, int(optimizer.iterations)) == row


@pytest.mark.parametrize("name", DECAYING)
def test_accumulation_with_weight_decay(name):
    one = optimizers.get({"class_name": name, "config": {"weight_decay": 0.05}})
    three = optimizers.get({"class_name": name, "config": {"weight_decay": 0.05, "gradient_accumulation_steps": 3}})
    first, second = Variable([[0.9], [0.5]]), Variable([[0.9], [0.5]])
    rng = np.random.default_rng(4)
    for _ in range(8):
        gradients = rng.random((3, 2, 1), dtype="f4")
        one.apply_gradients([(gradients.mean(0), first)])
        for gradient in gradients:
            three.apply_gradients([(gradient, second)])
    np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=1e-5, atol=1e-6)


def test_schedules_see_steps_that_only_accumulate():
    rates = []
    optimizer = optimizers.SGD(lambda step: rates.append(step) or 1.0, gradient_accumulation_steps=2)
    weights = Variable([0.0])
    for _ in range(4):
        optimizer.apply([np.ones(1)], [weights])
    assert rates == [0, 1, 2, 3] and weights[0] == -2


def test_loss_scale_factor():
    weights = Variable([[1.0, 2.0], [3.0, 4.0]])
    optimizer = optimizers.SGD(1.0, loss_scale_factor=1024.0)
    optimizer.apply([weights.numpy() * 1024.0], [weights])
    assert optimizer.scale_loss(1.0) == 1024.0 and optimizers.SGD().scale_loss(1.0) == 1.0
    np.testing.assert_array_equal(weights.numpy(), np.zeros((2, 2)))


def test_constraints():
    weights = Variable([[-1.0, 1.0]])
    weights.constraint = lambda w: np.maximum(w, 0)
    optimizers.SGD(0.5).apply([np.array([[0.0, 1.0]])], [weights])
    np.testing.assert_array_equal(weights.numpy(), [[0, 0.5]])


# A loss scale that follows the gradients.


def test_dynamic_scale_finite_steps():
    weights = Variable([1.0, 2.0, 3.0, 4.0])
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5, loss_scale_factor=100.0))
    optimizer.apply([np.array([1.0, 6, 7, 2]) * optimizer.initial_scale], [weights])
    np.testing.assert_allclose(weights.numpy(), [0.5, -1, -0.5, 3], rtol=1e-6)
    assert int(optimizer.iterations) == 1 and int(optimizer.step_counter) == 1


def test_dynamic_scale_down():
    weights = Variable([1.0, 2.0])
    optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(0.5), initial_scale=400.0)
    assert optimizer.scale_loss(1.0) == 400.0
    for bad in (np.inf, -np.inf, np.nan, np.inf):
        optimizer.apply([np.array([1.0, bad])], [weights])
    assert optimizer.scale_loss(1.0) == 25.0 and int(optimizer.iterations) == 0
    np.testing.assert_array_equal(weights.numpy(), [1, 2])
    assert not optimizer.inner_optimizer.variables[-1].numpy().any()


def test_dynamic_scale_up():
    weights = Variable([1.0, 2.0])
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=2.0, dynamic_growth_steps=2)
    for _ in range(8):
        optimizer.apply([np.array([1.0, 6.0])], [weights])
    assert optimizer.scale_loss(1.0) == 32.0 and int(optimizer.iterations) == 8


def test_dynamic_scale_skips_everything():
    """No accumulation, no average, no decay in a step whose gradients are not finite."""
    inner = optimizers.SGD(0.5, weight_decay=0.1, use_ema=True, gradient_accumulation_steps=2, global_clipnorm=1.0)
    optimizer, weights = optimizers.LossScaleOptimizer(inner, initial_scale=1.0), Variable([1.0, 2.0])
    optimizer.apply([np.ones(2)], [weights])
    before = [v.numpy() for v in inner.variables]
    optimizer.apply([np.array([np.nan, 1.0])])
    for a, b in zip(before, inner.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    np.testing.assert_array_equal(weights.numpy(), [1, 2])


def test_loss_scale_optimizer_leaves_the_rest_to_the_inner_one():
    inner = optimizers.SGD(0.25, momentum=0.5)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=8.0, name="mine")
    assert float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate = 0.125
    assert float(inner.learning_rate) == 0.125
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config() and again.inner_optimizer.momentum == 0.5
    for name, value in {"clipnorm": 1.0, "use_ema": True, "weight_decay": 0.1}.items():
        with pytest.raises(ValueError, match=f"does not support `{name}`. Instead, set `{name}` on the"):
            optimizers.LossScaleOptimizer(inner, **{name: value})
    with pytest.raises(ValueError, match="does not support arguments: `lr`"):
        optimizers.LossScaleOptimizer(inner, lr=1.0)
    with pytest.raises(ValueError, match="`dynamic=False`"):
        optimizers.LossScaleOptimizer(inner, dynamic=False)


# State.


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_of_a_loss_scale_optimizer(copied):
    weights, optimizer = Variable([1.0, 2.0]), optimizers.LossScaleOptimizer(optimizers.Adam(0.5), initial_scale=4.0)
    optimizer.apply([np.ones(2)], [weights])
    weights, optimizer = copied((weights, optimizer))
    optimizer.apply([np.array([np.inf, 1.0])], [weights])
    assert optimizer.loss_scale == 2.0


def test_set_weights():
    weights, first, second = Variable([[1.0, 2.0]]), optimizers.Adam(), optimizers.Adam()
    first.apply([np.ones((1, 2))], [weights])
    with pytest.raises(ValueError, match="You are calling `set_weights"):
        second.set_weights(first.variables)
    second.build([weights])
    second.set_weights(first.variables)
    for a, b in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    with pytest.raises(ValueError, match="each needs a value of its shape"):
        second.set_weights(first.variables[1:])


def test_own_variables():
    weights, first, second, store = Variable([1.0]), optimizers.Adam(0.5), optimizers.Adam(0.25), {}
    first.apply([np.ones(1)], [weights])
    first.save_own_variables(store)
    assert list(store) == ["0", "1", "2", "3"]
    with pytest.warns(UserWarning, match="has 2 variables whereas the saved optimizer has 4"):
        second.load_own_variables(store)
    second.build([weights])
    second.load_own_variables(store)
    assert float(second.learning_rate) == 0.5 and second.step_count == 1


# What Keras 3.15.1 has after `build` for a matrix (2, 3), a vector (3,) and a tensor (2, 3, 4); names, behind the
# weight's, and shapes that are not the weight's.
WEIGHTS = {"kernel": (2, 3), "bias": (3,), "conv": (2, 3, 4)}
LATER = ["average", "gradient_accumulator"]
ORDERS = [
    (lambda **o: optimizers.Ftrl(**o), [["accumulator", "linear"]]),
    (lambda **o: optimizers.Lamb(**o), [["momentum", "velocity"]]),
    (lambda **o: optimizers.ScheduleFreeAdamW(**o), [["momentum", "velocity"]]),
    (lambda **o: optimizers.Adam(amsgrad=True, **o), [["momentum", "velocity"], ["velocity_hat"]]),
    (lambda **o: optimizers.LARS(**o), [["momentum"]]),
]


@pytest.mark.parametrize(("make", "groups"), ORDERS)
def test_order_of_variables_with_options(make, groups):
    optimizer = make(use_ema=True, gradient_accumulation_steps=2)
    optimizer.build([Variable(np.ones(shape), name=name) for name, shape in WEIGHTS.items()])
    expected = ["iteration", "learning_rate"]
    for group in [["average"], ["gradient_accumulator"], *groups]:
        expected += [f"{weight}_{slot}" for weight in WEIGHTS for slot in group]
    assert [v.name for v in optimizer.variables] == expected
    assert all(v.shape == WEIGHTS[v.name.split("_")[0]] for v in optimizer.variables[2:])


def test_order_of_adafactors_variables():
    optimizer = optimizers.Adafactor()
    optimizer.build([Variable(np.ones(shape), name=name) for name, shape in WEIGHTS.items()])
    found = [(v.name, v.shape, v.dtype) for v in optimizer.variables[2:]]
    assert found == [
        ("kernel", (2,), "float32"),
        ("kernel", (3,), "float32"),
        ("kernel_velocity", (2, 3), "float32"),
        ("bias", (), "int32"),
        ("bias", (), "int32"),
        ("bias_velocity", (3,), "float32"),
        ("conv", (2, 3), "float32"),
        ("conv", (2, 4), "float32"),
        ("conv_velocity", (2, 3, 4), "float32"),
    ]


def test_order_of_muons_and_the_loss_scales_variables():
    weights = [Variable(np.ones(shape), name=name) for name, shape in WEIGHTS.items()]
    optimizer = optimizers.Muon()
    optimizer.build(weights)
    names = [v.name for v in optimizer.variables[2:]]
    assert names == ["kernel_momentum", "bias_momentum", "bias_velocity", "conv_momentum", "conv_velocity"]
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(momentum=0.9, name="inner"), name="outer")
    assert [v.path for v in optimizer.variables] == [
        "outer/iteration", "outer/learning_rate", "inner/iteration", "inner/learning_rate",
    ]  # fmt: skip
    optimizer.build(weights)
    assert [v.path for v in optimizer.variables] == [
        "outer/iteration", "outer/learning_rate", "outer/step_counter", "outer/dynamic_scale",
        "inner/iteration", "inner/learning_rate",
        "inner/kernel_momentum", "inner/bias_momentum", "inner/conv_momentum",
    ]  # fmt: skip


def test_variables_of_optimizers_in_python():
    class Mine(optimizers.Optimizer):
        def __init__(self):
            super().__init__(0.5, name="mine", use_ema=True)
            self.early = self.add_variable((), "ones", name="early")

        def build(self, variables):
            super().build(variables)
            self.late = self.add_variable_from_reference(variables[0], "late", "ones")
            self.count = self.add_variable((2,), dtype="int", name="count")

        def update_step(self, gradient, variable, learning_rate):
            variable.assign_sub(learning_rate * gradient * self.late)

    weights, optimizer = Variable(np.zeros((2, 3)), name="w"), Mine()
    optimizer.apply([np.ones((2, 3))], [weights])
    assert [v.name for v in optimizer.variables] == [
        "iteration",
        "learning_rate",
        "early",
        "w_average",
        "w_late",
        "count",
    ]
    assert optimizer.count.dtype == "int32" and float(optimizer.early) == 1
    np.testing.assert_array_equal(weights.numpy(), np.full((2, 3), -0.5))
