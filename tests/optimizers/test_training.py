"""Optimizers in `train_on_batch` and `fit`: Keras' numbers, options, schedules, and optimizers written in Python."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers, optimizers
from dseq.optimizers import schedules

# Six steps of Dense(8, relu), Dense(3, softmax) in Keras 3.15.1: losses, and the sums of the weights after them.
# Weight j is 0.3 * sin(j + 1 + arange(n)), x is sin(1 + arange(40)) as (8, 5), labels are arange(8) % 3.
GOLDENS = {
    "adagrad": (
        lambda: optimizers.Adagrad(0.1),
        [1.1173987, 1.1008351, 1.0875002, 1.076889, 1.0678756, 1.0602074],
        [0.499482, 0.375899, -0.308058, -0.587063],
    ),
    "adamax": (
        lambda: optimizers.Adamax(0.01),
        [1.1173987, 1.1020805, 1.0892529, 1.0786868, 1.0697236, 1.0616906],
        [0.448528, 0.378553, 0.073558, -0.548857],
    ),
    "lion": (
        lambda: optimizers.Lion(0.01),
        [1.1173987, 1.1020805, 1.0888591, 1.0767989, 1.0664543, 1.0563124],
        [0.429463, 0.394121, 0.0661, -0.538543],
    ),
    "adafactor": (
        lambda: optimizers.Adafactor(0.01),
        [1.1173987, 1.1139641, 1.1105858, 1.107269, 1.1040603, 1.1009824],
        [0.558346, 0.33961, -0.235543, -0.586115],
    ),
    "nadam": (
        lambda: optimizers.Nadam(0.01),
        [1.1173989, 1.1011546, 1.0912095, 1.0823321, 1.0745256, 1.0678632],
        [0.462868, 0.424931, -0.003636, -0.556863],
    ),
    "adadelta": (
        lambda: optimizers.Adadelta(0.5),
        [1.1173989, 1.1162837, 1.1151582, 1.1140326, 1.1129096, 1.1117907],
        [0.558506, 0.33509, -0.280928, -0.594276],
    ),
    "ftrl": (
        lambda: optimizers.Ftrl(0.1, l1_regularization_strength=0.001),
        [1.1173989, 1.0943398, 1.092186, 1.0904415, 1.0890207, 1.0878547],
        [-0.013712, 0.00907, -0.005272, -0.006936],
    ),
    "lamb": (
        lambda: optimizers.Lamb(0.01),
        [1.1173989, 1.1140428, 1.1107378, 1.1074846, 1.1042777, 1.1011108],
        [0.537733, 0.335387, -0.214347, -0.585741],
    ),
    "muon": (
        lambda: optimizers.Muon(0.05),
        [1.1173989, 1.0943093, 1.0800718, 1.0696681, 1.0623226, 1.0562289],
        [0.520455, 0.160823, -0.313524, -0.416438],
    ),
    "schedule_free": (
        lambda: optimizers.ScheduleFreeAdamW(0.05),
        [1.1173989, 1.0611689, 1.0416701, 1.0201844, 0.9987694, 0.9791259],
        [0.314104, 0.773056, 0.40935, -0.5075],
    ),
    "sgd_clipnorm": (
        lambda: optimizers.SGD(0.5, clipnorm=0.1),
        [1.1173987, 1.096735, 1.0796231, 1.0654414, 1.0552197, 1.0461472],
        [0.456719, 0.401485, -0.3139, -0.598543],
    ),
    "sgd_clipvalue": (
        lambda: optimizers.SGD(0.5, clipvalue=0.01),
        [1.1173987, 1.1097476, 1.1023954, 1.0953655, 1.0887253, 1.0827487],
        [0.509086, 0.359478, -0.170258, -0.568543],
    ),
    "adam_global_clipnorm": (
        lambda: optimizers.Adam(0.05, global_clipnorm=0.05),
        [1.1173989, 1.0611682, 1.0295494, 0.9969593, 0.9700025, 0.9558651],
        [0.051201, 0.457557, 1.096871, -0.51219],
    ),
    "adam_ema": (
        lambda: optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2),
        [1.1173989, 1.0611689, 1.0531988, 1.0218372, 1.0328088, 0.9983397],
        [0.380032, 0.412183, 0.394568, -0.523569],
    ),
    "sgd_accumulation": (
        lambda: optimizers.SGD(0.5, momentum=0.9, gradient_accumulation_steps=2, weight_decay=0.01, clipnorm=0.1),
        [1.1173989, 1.1173989, 1.0966961, 1.0966961, 1.0674549, 1.0674549],
        [0.496182, 0.390867, -0.309215, -0.589609],
    ),
    "sgd_scale": (
        lambda: optimizers.SGD(0.5, loss_scale_factor=64.0),
        [1.1173989, 1.0915186, 1.0737588, 1.0603468, 1.0506611, 1.04129],
        [0.449822, 0.391099, -0.3139, -0.598543],
    ),
    "loss_scale": (
        lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.05), dynamic_growth_steps=2),
        [1.1173989, 1.0611689, 1.0299363, 0.9994775, 0.9715389, 0.9562694],
        [0.037872, 0.457532, 1.132738, -0.492191],
    ),
    "sgd_expdecay": (
        lambda: optimizers.SGD(schedules.ExponentialDecay(0.5, 2, 0.5, staircase=True)),
        [1.1173987, 1.0915185, 1.073759, 1.0666943, 1.0605943, 1.0576395],
        [0.507988, 0.372391, -0.3139, -0.598543],
    ),
    "sgd_poly": (
        lambda: optimizers.SGD(schedules.PolynomialDecay(0.5, 4, 0.01, power=2.0)),
        [1.1173987, 1.0915185, 1.080899, 1.0764093, 1.0750951, 1.0747757],
        [0.542106, 0.351601, -0.3139, -0.598543],
    ),
    "sgd_piecewise": (
        lambda: optimizers.SGD(schedules.PiecewiseConstantDecay([1, 3], [0.5, 0.1, 0.01])),
        [1.1173987, 1.0915185, 1.073759, 1.0707707, 1.0680854, 1.0678241],
        [0.535587, 0.36211, -0.3139, -0.598543],
    ),
    "sgd_invtime": (
        lambda: optimizers.SGD(schedules.InverseTimeDecay(0.5, 2, 0.5)),
        [1.1173987, 1.0915185, 1.0770283, 1.0670559, 1.0603426, 1.0548735],
        [0.492249, 0.373975, -0.3139, -0.598543],
    ),
    "sgd_cosine": (
        lambda: optimizers.SGD(schedules.CosineDecay(0.1, 4, alpha=0.1, warmup_target=0.5, warmup_steps=2)),
        [1.1173989, 1.1118419, 1.0967205, 1.0774386, 1.0647175, 1.0584278],
        [0.507463, 0.36985, -0.3139, -0.598543],
    ),
    "sgd_cosrestart": (
        lambda: optimizers.SGD(schedules.CosineDecayRestarts(0.5, 2)),
        [1.1173987, 1.0915185, 1.0821333, 1.0668701, 1.0568255, 1.0517701],
        [0.498461, 0.380039, -0.3139, -0.598543],
    ),
}


def waves(shape, k, scale):
    return (scale * np.sin(k + np.arange(int(np.prod(shape))))).reshape(shape).astype("float32")


X, Y = waves((8, 5), 1, 1.0), np.arange(8) % 3


def network(optimizer, **options):
    model = keras.Sequential(
        [layers.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    model.set_weights([waves(w.shape, j + 1, 0.3) for j, w in enumerate(model.weights)])
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


@pytest.mark.parametrize("case", GOLDENS)
def test_six_steps_as_keras(case):
    optimizer, losses, sums = GOLDENS[case]
    model = network(optimizer())
    seen = [model.train_on_batch(X, Y) for _ in range(6)]
    np.testing.assert_allclose(seen, losses, rtol=1e-5)
    np.testing.assert_allclose([w.sum(dtype="f8") for w in model.get_weights()], sums, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("case", ["adam_ema", "sgd_accumulation", "loss_scale", "muon", "adafactor"])
def test_single_calls_of_kernels_have_the_same_bits(case):
    models = [network(GOLDENS[case][0](), jit_compile=jit) for jit in (True, False)]
    for _ in range(3):
        losses = [model.train_on_batch(X, Y) for model in models]
        assert losses[0] == losses[1]
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_learning_rates_of_a_fit():
    """Keras' own `test_fit_lr_correctness`."""
    model = keras.Sequential([layers.Dense(2, kernel_initializer="ones", bias_initializer="ones")])
    optimizer = optimizers.Adam(schedules.ExponentialDecay(initial_learning_rate=0.05, decay_steps=1, decay_rate=0.9))
    assert len(optimizer.variables) == 1
    model.compile(optimizer, "mse")
    x = np.arange(32, dtype="float32").reshape(16, 2)
    history = model.fit(x, x, epochs=3, batch_size=4, shuffle=False, verbose=0).history
    assert int(optimizer.iterations) == 12
    np.testing.assert_allclose(history["loss"], [230.79457, 128.30319, 79.33648], rtol=5e-5)


def test_weights_become_their_average_at_the_end_of_fit():
    model = keras.Sequential([layers.Dense(2, kernel_initializer="ones", use_bias=False)])
    optimizer = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model.compile(optimizer, "mse")
    x, y = np.ones((1, 1)), np.zeros((1, 2))
    model.train_on_batch(x, y)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[0], [[0.81, 0.81]], atol=1e-5)
    np.testing.assert_allclose(optimizer.variables[2].numpy(), [[0.891, 0.891]], atol=1e-5)
    again = keras.Sequential([layers.Dense(2, kernel_initializer="ones", use_bias=False)])
    again.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    again.fit(x, y, batch_size=1, epochs=2, verbose=0)
    np.testing.assert_allclose(again.get_weights()[0], [[0.891, 0.891]], atol=1e-5)


def test_accumulated_batches_are_one_large_batch():
    large, small = network(optimizers.Adam(0.05)), network(optimizers.Adam(0.05, gradient_accumulation_steps=4))
    for _ in range(3):
        large.train_on_batch(X, Y)
        for i in range(0, 8, 2):
            small.train_on_batch(X[i : i + 2], Y[i : i + 2])
    assert int(large.optimizer.iterations) == int(small.optimizer.iterations) == 3
    assert small.optimizer.step_count == 12
    for a, b in zip(large.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_constraints_apply_in_steps_that_only_accumulate():
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2, kernel_constraint="non_neg")])
    model.set_weights([-np.ones((3, 2)), np.ones(2)])
    model.compile(optimizers.SGD(0.0, gradient_accumulation_steps=2), "mse")
    model.train_on_batch(np.ones((2, 3)), np.zeros((2, 2)))
    assert (model.get_weights()[0] == 0).all() and (model.get_weights()[1] == 1).all()


def test_steps_with_infinite_gradients_are_skipped():
    optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(0.05), initial_scale=1024.0, dynamic_growth_steps=2)
    model = network(optimizer)
    model.train_on_batch(X, Y)
    before, state = model.get_weights(), [v.numpy() for v in optimizer.inner_optimizer.variables]
    assert (optimizer.loss_scale, int(optimizer.step_counter)) == (1024.0, 1)
    bad = X.copy()
    bad[3, 2] = np.inf
    model.train_on_batch(bad, Y)
    assert (optimizer.loss_scale, int(optimizer.step_counter), int(optimizer.iterations)) == (512.0, 0, 1)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(state, optimizer.inner_optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    for _ in range(2):
        model.train_on_batch(X, Y)
    assert (optimizer.loss_scale, int(optimizer.iterations)) == (1024.0, 3)


def test_the_loss_scale_leaves_penalties_alone():
    weights = []
    for factor in (None, 256.0):
        model = keras.Sequential([layers.Input((5,)), layers.Dense(3, "softmax", kernel_regularizer="l2")])
        model.set_weights([waves(w.shape, j + 1, 0.3) for j, w in enumerate(model.weights)])
        model.compile(optimizers.SGD(0.5, loss_scale_factor=factor), "sparse_categorical_crossentropy")
        model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


class Heavy(optimizers.Optimizer):
    """Momentum as a user writes it."""

    def __init__(self, learning_rate=0.1, momentum=0.9, **options):
        super().__init__(learning_rate, **options)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, self.momentum * m - learning_rate * gradient)
        self.assign_add(variable, m)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1, "clipnorm": 0.05, "use_ema": True, "ema_overwrite_frequency": 2},
        {"global_clipnorm": 0.1, "gradient_accumulation_steps": 2, "loss_scale_factor": 4.0},
        {"clipvalue": 0.01, "gradient_accumulation_steps": 3},
    ],
)
def test_an_optimizer_in_python_is_the_one_in_kernels(options):
    models = [network(kind(0.1, momentum=0.9, **options)) for kind in (Heavy, optimizers.SGD)]
    for weights in (None, np.arange(8.0), None):  # two sessions, each with an arena of its own
        for model in models:
            model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, sample_weight=weights)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    mine, theirs = (model.optimizer.variables for model in models)
    ends = [[v.path.replace("/", "_").rpartition("_")[2] for v in found] for found in (mine, theirs)]
    assert ends[0] == ends[1]
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_optimizers_in_python_can_build_on_others():
    class Centred(optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient - gradient.mean(), variable, learning_rate)

    model, plain = network(Centred(0.05)), network(optimizers.Adam(0.05))
    for _ in range(3):
        before = [w.sum() for w in model.get_weights()]
        model.train_on_batch(X, Y)
        plain.train_on_batch(X, Y)
    assert not np.allclose(model.get_weights()[0], plain.get_weights()[0])
    assert np.isfinite(before).all()
    scaled = optimizers.LossScaleOptimizer(Centred(0.05), initial_scale=8.0)
    wrapped = network(scaled)
    for _ in range(3):
        wrapped.train_on_batch(X, Y)
    for a, b in zip(model.get_weights(), wrapped.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_an_optimizer_without_update_says_so():
    class Empty(optimizers.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="Empty must implement"):
        network(Empty(0.1)).train_on_batch(X, Y)


def test_optimizers_in_python_are_saved_by_name():
    optimizer = Heavy(0.25, momentum=0.5, name="mine")
    config = optimizers.serialize(optimizer)
    again = optimizers.deserialize(config, custom_objects={"Heavy": Heavy})
    assert type(again) is Heavy and again.get_config() == optimizer.get_config()
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier"):
        optimizers.deserialize(config)
