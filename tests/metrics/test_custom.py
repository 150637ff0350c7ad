"""Metrics written in Python: functions, classes with variables, metrics inside metrics; on arrays and in a model."""

import copy
import pickle

import numpy as np
import pytest

import dseq
from dseq import layers, metrics, ops
from dseq.metrics.lowered import state_operand
from dseq.training.watched import Watched, as_log

RNG = np.random.default_rng(0)
X = RNG.standard_normal((23, 4)).astype("float32")
Y = RNG.standard_normal((23, 3)).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2, 23)


class Bias(metrics.Metric):
    """Mean of the errors, with their signs."""

    def __init__(self, name="bias", dtype=None):
        super().__init__(dtype, name)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_variable(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        errors = np.mean(y_pred - y_true, -1)
        weight = np.ones(len(errors)) if sample_weight is None else np.asarray(sample_weight)
        self.total.assign_add(np.sum(errors * weight))
        self.count.assign_add(weight.sum())

    def result(self):
        return self.total / self.count


class Both(metrics.Metric):
    """Metrics inside a metric, and results with names of their own."""

    def __init__(self, name="both", dtype=None):
        super().__init__(dtype, name)
        self.bias = Bias()
        self.error = metrics.MeanAbsoluteError()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.bias.update_state(y_true, y_pred, sample_weight)
        self.error.update_state(y_true, y_pred, sample_weight)

    def result(self):
        return {"bias": self.bias.result(), "error": self.error.result()}


class Shifted(metrics.MeanAbsoluteError):
    """A metric of dseq's own that sees other predictions."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, np.asarray(y_pred) + 1, sample_weight)


def largest_error(y_true, y_pred):
    return np.abs(y_pred - y_true).max(-1)


def every_error(y_true, y_pred):
    return ops.abs(y_pred - y_true)


class Scaled:
    """A callable object."""

    def __call__(self, y_true, y_pred):
        return 2 * np.abs(y_pred - y_true)


def evaluated(watched, weight=None, weighted=None, x=X, y=Y):
    model = dseq.Sequential([layers.Input((4,)), layers.Dense(y.shape[-1])])
    model.compile("sgd", "mse", metrics=watched, weighted_metrics=weighted)
    logs = model.evaluate(x, y, sample_weight=weight, batch_size=5, verbose=0, return_dict=True)
    return logs, model.predict(x, verbose=0)


def test_in_a_model():
    logs, p = evaluated([Bias(), Both(), Shifted(name="shifted"), largest_error, every_error])
    assert logs["bias"] == pytest.approx((p - Y).mean(), rel=1e-4)
    assert logs["error"] == pytest.approx(abs(p - Y).mean(), rel=1e-5)
    assert logs["shifted"] == pytest.approx(abs(p + 1 - Y).mean(), rel=1e-5)
    assert logs["largest_error"] == pytest.approx(abs(p - Y).max(-1).mean(), rel=1e-5)
    assert logs["every_error"] == pytest.approx(abs(p - Y).mean(), rel=1e-5)
    assert "both" not in logs


def test_losses_as_metrics():
    class Cubed(dseq.losses.Loss):
        def call(self, y_true, y_pred):
            return ops.abs(y_pred - y_true) ** 3

    own = dseq.losses.CustomLoss(lambda t, p: abs(p - t).max(-1), lambda t, p: p, name="own")
    logs, p = evaluated([Cubed(name="cubed"), own, dseq.losses.Dice(axis=-1)], x=abs(X), y=abs(Y))
    errors = abs(p - abs(Y))
    assert logs["cubed"] == pytest.approx((errors**3).mean(), rel=1e-4)
    assert logs["own"] == pytest.approx(errors.max(-1).mean(), rel=1e-5)
    assert metrics.MeanMetricWrapper(Cubed(name="cubed"))(abs(Y), p) == pytest.approx(logs["cubed"], rel=1e-5)
    assert metrics.MeanMetricWrapper(own)(abs(Y), p) == pytest.approx(logs["own"], rel=1e-5)
    assert logs["dice"] == pytest.approx(dseq.losses.dice(abs(Y), p, axis=-1).mean(), rel=1e-4)


def test_functions_without_a_name():
    logs, p = evaluated([Scaled()])
    assert logs["mean_metric_wrapper"] == pytest.approx(2 * abs(p - Y).mean(), rel=1e-5)


def test_none_is_no_metric():
    with pytest.raises(ValueError, match="Expected metric, received `None`"):
        evaluated(["mae", None])


def test_with_weights():
    logs, p = evaluated([], WEIGHTS, [Bias(), largest_error])
    assert logs["bias"] == pytest.approx(np.average((p - Y).mean(-1), weights=WEIGHTS), rel=1e-4)
    assert logs["largest_error"] == pytest.approx(np.average(abs(p - Y).max(-1), weights=WEIGHTS), rel=1e-5)


def test_training_and_validation_do_not_mix():
    metric = Bias()
    model = dseq.Sequential([layers.Input((4,)), layers.Dense(3)])
    model.compile(dseq.optimizers.SGD(0.0), "mse", metrics=[metric])
    history = model.fit(X[:15], Y[:15], batch_size=4, epochs=2, validation_data=(X[15:], Y[15:]), verbose=0).history
    p = model.predict(X, verbose=0)
    assert history["bias"] == pytest.approx([(p - Y)[:15].mean()] * 2, rel=1e-4)
    assert history["val_bias"] == pytest.approx([(p - Y)[15:].mean()] * 2, rel=1e-4)
    assert metric.result() == pytest.approx((p - Y)[15:].mean(), rel=1e-4)


def test_labels_and_weights_come_as_they_are_given():
    seen = []

    class Look(Bias):
        def update_state(self, y_true, y_pred, sample_weight=None):
            seen.append((y_true.dtype.name, y_true.shape[1:], y_pred.dtype.name, np.shape(sample_weight)[1:]))
            self.count.assign_add(1)

    labels = np.arange(23)[:, None] % 5
    evaluated([], WEIGHTS, [Look()], y=labels)
    assert set(seen) == {("int64", (1,), "float32", ())}


def test_on_arrays():
    metric = Bias()
    assert metric(Y, Y + 0.5) == pytest.approx(0.5, rel=1e-5)
    assert [(v.name, v.path) for v in metric.variables] == [("total", "bias/total"), ("count", "bias/count")]
    metric.reset_state()
    assert not any(v.numpy() for v in metric.variables)
    both = Both()
    assert [v.name for v in both.variables] == ["total", "count", "total", "count"]
    result = both(Y, Y + 0.5)
    assert result["bias"] == pytest.approx(0.5, rel=1e-5) and result["error"] == pytest.approx(0.5, rel=1e-5)
    both.reset_state()
    assert both.error.state.sum() == 0


def test_without_state_of_its_own():
    metric = metrics.MeanAbsoluteError()
    metric.update_state(Y, Y + 3)
    kept = metric.state.copy()
    state = metric.stateless_update_state(metric.stateless_reset_state(), Y, Y + 0.5)
    assert metric.stateless_result(state) == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_array_equal(metric.state, kept)
    with pytest.raises(ValueError, match="1:1 to MeanAbsoluteError.*length 1, but expected 2"):
        metric.stateless_result(state[:1])


def test_copies_have_state_of_their_own():
    for copied in (copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))):
        for metric in (metrics.AUC(num_thresholds=3), metrics.Mean()):
            other = copied(metric)
            other.state[:] = 1
            assert not metric.state.any() and all(v.numpy().all() for v in other.variables)


def test_mistakes():
    class Forgetful(metrics.Metric):
        def __init__(self):
            self.inner = metrics.Mean()

    with pytest.raises(RuntimeError, match="forgot to call `super"):
        Forgetful()
    with pytest.raises(NotImplementedError, match="Metric must implement `update_state`"):
        metrics.Metric()(Y, Y)
    with pytest.raises(ValueError, match="summed over ranks. Received: aggregation='mean'.*merge_state"):
        metrics.Metric().add_variable((), "zeros", aggregation="mean")
    with pytest.raises(ValueError, match=r"a value for each sample.*Received: shape \(\) for 5 samples"):
        evaluated([lambda t, p: np.mean(p)])


def test_what_the_logs_show():
    assert as_log("f1", np.array([0.5, 0.25])).keys() == {"f1"}
    assert as_log("one", np.array([0.5])) == {"one": 0.5}
    assert as_log("all", {"a": 1, "b": {"c": np.float32(2)}}) == {"a": 1.0, "c": 2.0}


@pytest.mark.parametrize("metric", [Bias(), metrics.R2Score(), metrics.AUC(num_thresholds=1500)], ids=lambda m: m.name)
def test_a_state_that_is_shown_joined_goes_on_alone(metric):
    """What happens on a rank when a result is wanted in the middle of an epoch."""
    labels = (Y > 0).astype("float32")

    def update(watched, part):
        if metric.runs_on_host:
            watched.update(0, labels[part], Y[part])
        else:
            metric.state[:] = watched._sums.copies[0]
            metric.update_state(labels[part], Y[part])
            watched._sums.copies[0] = metric.state

    parts = [slice(0, 8), slice(8, 13), slice(13, 23)]
    states = []
    for part in parts:
        metric.reset_state()
        metric.target((3,), (3,)), metric.reset_state()
        metric.update_state(labels[part], Y[part])
        states.append([v.numpy() for v in metric.variables])
    metric.reset_state()
    watched = Watched("watched", metric, False)
    if not metric.runs_on_host:
        watched._sums = state_operand("sums", np.zeros(metric.slots))
    watched.hold(0, 1)
    update(watched, parts[0])
    expected = watched.result(None, states)
    assert watched.result(None, states) == expected  # asking twice changes nothing
    for before, now in zip(states[0], watched.states()[0], strict=True):
        np.testing.assert_array_equal(before, now)
    update(watched, parts[1])
    own = [v.copy() for v in watched.states()[0]]
    metric.reset_state()
    metric.update_state(labels[:13], Y[:13])
    for array, variable in zip(own, metric.variables, strict=True):
        np.testing.assert_allclose(array, variable.numpy(), rtol=1e-5, atol=1e-6)
    metric.reset_state()
    metric.update_state(labels, Y)
    assert metric.result() == pytest.approx(expected, rel=1e-5)
    watched.reset()
    watched.restore([[v.tolist() for v in own]])  # as a backup keeps it
    for before, now in zip(own, watched.states()[0], strict=True):
        np.testing.assert_array_equal(before, now)


def test_sums_of_a_mask():
    """Rows that a mask leaves out do not count, weighted or not."""
    x = np.ones((6, 4, 2), "float32")
    x[np.arange(4) >= np.array([4, 3, 2, 1, 0, 2])[:, None]] = 0
    y = RNG.standard_normal((6, 4, 2)).astype("float32")
    model = dseq.Sequential([layers.Input((4, 2)), layers.Masking(), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae", largest_error], weighted_metrics=[metrics.MeanSquaredError(name="w")])
    weight = RNG.uniform(1, 2, (6, 4))
    logs = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    errors, mask = model.predict(x, verbose=0) - y, x[..., 0] != 0
    assert logs["mae"] == pytest.approx(abs(errors).mean(-1)[mask].mean(), rel=1e-5)
    assert logs["w"] == pytest.approx(np.average((errors**2).mean(-1), weights=weight * mask), rel=1e-5)
    assert logs["largest_error"] == pytest.approx(abs(errors).max(-1)[mask].mean(), rel=1e-5)
