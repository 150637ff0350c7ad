"""Reductions along axes of samples and over samples, of tensors and of weights."""

import numpy as np
import pytest

from dseq import ops
from tests.ops.harness import check, sample, weight

REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "var": np.var, "std": np.std}
AXES = [None, 0, 1, -1, (1, 3), (0, 2), (1, 2, 3)]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_of_samples(name, axis):
    function, formula = getattr(ops, name), REDUCTIONS[name]
    check(lambda x: function(x, axis), lambda x: formula(x, axis), sample(2, 3, 4))
    check(lambda x: function(x, axis, True), lambda x: formula(x, axis, keepdims=True), sample(2, 3, 4))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_of_weights(name):
    function, formula = getattr(ops, name), REDUCTIONS[name]
    check(
        lambda w: [function(w), function(w, 0), function(w, -1, keepdims=True)],
        lambda w: [formula(w), formula(w, 0), formula(w, -1, keepdims=True)],
        weight(3, 11),
    )


def test_long_rows():
    check(lambda x: [ops.sum(x, -1), ops.mean(x)], lambda x: [x.sum(-1), x.mean()], sample(43))


def test_products():
    check(lambda x: ops.prod(x, axis=1), lambda x: x.prod(1), sample(4, 2, low=0.5))
    x = sample(3)
    x.values[0, 0] = 0
    x.values[1, :2] = 0
    check(lambda x: ops.prod(x, axis=-1), lambda x: x.prod(-1), x)


def test_ties_share_the_gradient():
    x = sample(3)
    x.values[...] = 1.0
    run = check(lambda x: ops.max(x, 1), lambda x: x.max(1), x, slopes=False)
    np.testing.assert_allclose(run.backward(np.ones(3))[0], np.full((3, 3), 1 / 3))
    run = check(lambda x: ops.max(x, 0), lambda x: x.max(0), x, slopes=False)
    np.testing.assert_allclose(run.backward(np.ones(3))[0], np.full((3, 3), 1 / 3))


def test_initial_values():
    check(lambda x: ops.max(x, 1, initial=0.0), lambda x: np.maximum(x.max(1), 0), sample(2, low=-1.0))
    check(lambda x: ops.min(x, initial=-0.3), lambda x: np.minimum(x.min(), -0.3), sample(2, low=-0.2))


def test_logic():
    def formula(x):
        a, b = x > 0.5, x > -0.9
        return [np.any(a, 1), np.all(b), np.any(a, 0), np.all(b, (0, 1)), np.all(b, -1, keepdims=True)]

    def function(x):
        a, b = ops.greater(x, 0.5), ops.greater(x, -0.9)
        return [ops.any(a, 1), ops.all(b), ops.any(a, 0), ops.all(b, (0, 1)), ops.all(b, -1, keepdims=True)]

    check(function, formula, sample(3, 4))
    check(
        lambda x: [ops.count_nonzero(x), ops.count_nonzero(x, 1), ops.count_nonzero(x, 0)],
        lambda x: [np.int32(np.count_nonzero(x, a)) for a in (None, 1, 0)],
        sample(3, dtype="int32", low=0, high=2),
    )


def test_integers():
    x = sample(3, dtype="int32", low=-4, high=9)
    check(lambda x: [ops.sum(x, 0), ops.max(x, 1), ops.min(x)], lambda x: [x.sum(0), x.max(1), x.min()], x)
    assert ops.sum(x.values).dtype == np.int32 and ops.mean(x.values).dtype == np.float32
    assert ops.sum(x.values > 0).dtype == np.int32


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.exp(x).sum(axis, keepdims=keepdims))


@pytest.mark.parametrize("axis", [None, 0, -1, (1, 2)])
def test_logsumexp(axis):
    check(lambda x: ops.logsumexp(x, axis), lambda x: logsumexp(x, axis), sample(2, 3))
    check(lambda x: ops.logsumexp(x, axis, True), lambda x: logsumexp(x, axis, True), sample(2, 3))


def test_logsumexp_of_large_numbers():
    np.testing.assert_allclose(ops.logsumexp(np.array([1000.0, 1000.0])), 1000 + np.log(2))


@pytest.mark.parametrize("order", [None, 1, 2, 3, np.inf, -np.inf])
def test_norm(order):
    check(
        lambda x: [ops.norm(x, order, axis=-1), ops.norm(x, order, axis=1, keepdims=True)],
        lambda x: [np.linalg.norm(x, order, axis=-1), np.linalg.norm(x, order, axis=1, keepdims=True)],
        sample(3, 4),
    )


def test_norms_of_matrices_and_lengths():
    check(lambda x: ops.norm(x, "fro", (1, 2)), lambda x: np.linalg.norm(x, "fro", (1, 2)), sample(3, 4))
    check(lambda x: ops.norm(x, 1, (1, 2)), lambda x: np.linalg.norm(x, 1, (1, 2)), sample(3, 4))
    check(lambda x: ops.normalize(x, 1), lambda x: x / np.linalg.norm(x, axis=1, keepdims=True), sample(3, 4))
    check(lambda x: ops.normalize(x, order=1), lambda x: x / np.abs(x).sum(-1, keepdims=True), sample(3, 4))
    check(lambda x: ops.moments(x, [0, 1]), lambda x: [x.mean((0, 1)), x.var((0, 1))], sample(3, 4))


def test_places_and_running_sums():
    def formula(lib):
        return lambda x: [lib.argmax(x, -1), lib.argmin(x, 1), lib.argmax(x, 2, keepdims=True)]

    check(formula(ops), lambda x: [y.astype("int32") for y in formula(np)(x)], sample(3, 4), slopes=False)
    check(lambda x: ops.cumsum(x, 1), lambda x: np.cumsum(x, 1), sample(3, 4))
    check(lambda w: [ops.cumsum(w), ops.cumsum(w, 0)], lambda w: [np.cumsum(w), np.cumsum(w, 0)], weight(3, 4))


def test_results_over_samples_meet_samples():
    def formula(lib):
        def function(x, w):
            y = (x - lib.mean(x, 0)) / lib.std(x, 0) * w
            return y * lib.sum(w) + lib.max(x, 0) * lib.mean(y)

        return function

    check(formula(ops), formula(np), sample(4), weight(4))
