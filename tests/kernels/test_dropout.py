"""Dropout's share and scale, the same mask in backward, and shared decisions."""

import numpy as np
import pytest

from dseq.kernels.dropout import dropout_backward, dropout_forward, dropout_shared_backward, dropout_shared_forward


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.9])
def test_share_and_scale(rate, dtype):
    x = np.random.default_rng(0).uniform(1, 2, (400, 101)).astype(dtype)
    y, clock, rates = np.empty_like(x), np.array([3, 4, 0]), np.full(1, rate, dtype)
    dropout_forward(y, x, rates, clock, 1)
    kept = y != 0
    assert np.mean(~kept) == pytest.approx(rate, abs=0.01)
    np.testing.assert_allclose(y[kept], x[kept] / (1 - rate), rtol=1e-6)

    dx = np.ones_like(x)
    dropout_backward(dx, x, rates, clock, 1)
    np.testing.assert_allclose(dx, 1 + y, rtol=1e-6)


@pytest.mark.parametrize("features", [1, 2, 5, 64])
def test_mask_does_not_depend_on_the_shard(features):
    x = np.ones((30, features), "float32")
    whole, rate = np.empty_like(x), np.full(1, 0.5, "float32")
    dropout_forward(whole, x, rate, np.array([3, 4, 10]), 1)
    for first, last in ((0, 1), (1, 7), (7, 30), (5, 5)):
        part = np.empty_like(x[first:last])
        dropout_forward(part, x[first:last], rate, np.array([3, 4, 10 + first]), 1)
        np.testing.assert_array_equal(part, whole[first:last])


def test_everything_goes_at_rate_one():
    x = np.array([[1.0, np.inf]], "float32")
    y = np.ones_like(x)
    dropout_forward(y, x, np.ones(1, "float32"), np.array([0, 0, 0]), 1)
    assert not y.any()


def test_not_a_number_stays_where_it_is_kept():
    x = np.full((1, 8), np.nan, "float32")
    y = np.zeros_like(x)
    dropout_forward(y, x, np.zeros(1, "float32"), np.array([0, 0, 0]), 1)
    assert np.isnan(y).all()


def test_shared_decisions():
    # noise_shape=(None, 1, 6) for samples of shape (5, 6)
    x = np.ones((200, 30), "float32")
    index = np.broadcast_to(np.arange(6), (5, 6)).ravel().astype("int64")
    y, rate = np.empty_like(x), np.full(1, 0.5, "float32")
    dropout_shared_forward(y, x, index, rate, np.array([1, 2, 3]), 1, 6)
    mask = y.reshape(200, 5, 6)
    np.testing.assert_array_equal(mask, np.broadcast_to(mask[:, :1], mask.shape))
    plain = np.empty((200, 6), "float32")
    dropout_forward(plain, x[:, :6].copy(), rate, np.array([1, 2, 3]), 1)
    np.testing.assert_array_equal(mask[:, 0], plain)

    dx = np.zeros_like(x)
    dropout_shared_backward(dx, x, index, rate, np.array([1, 2, 3]), 1, 6)
    np.testing.assert_array_equal(dx, y)
    part = np.empty_like(x[7:9])
    dropout_shared_forward(part, x[7:9], index, rate, np.array([1, 2, 3 + 7]), 1, 6)
    np.testing.assert_array_equal(part, y[7:9])


def test_plain_python_drops_the_same():
    x, clock, rate = np.ones((3, 5), "float32"), np.array([1, 2, 3]), np.full(1, 0.4, "float32")
    for kernel in (dropout_forward, dropout_backward):
        compiled, plain = np.zeros_like(x), np.zeros_like(x)
        kernel(compiled, x, rate, clock, 1)
        getattr(kernel, "py_func", kernel)(plain, x, rate, clock, 1)
        np.testing.assert_allclose(plain, compiled)
