"""Shapes, orders, parts and places: elements that move, and those taken by indices."""

import numpy as np
import pytest

from dseq import ops
from tests.ops.harness import Run, Sample, check, sample, weight


def both(lib, function):
    return lambda *arguments: function(lib, *arguments)


MOVES = {
    "item": lambda n, x: x[:, 0],
    "slices": lambda n, x: x[:, 1:3, None, ::-1],
    "ellipsis": lambda n, x: x[..., -1],
    "empty": lambda n, x: x[:, 4:2],
    "list": lambda n, x: x[:, [2, 0, 2]],
    "all": lambda n, x: x[:],
    "reshape": lambda n, x: n.reshape(x, (-1, 2, 4)),
    "flat": lambda n, x: n.reshape(x, (-1, 8)) * 2,
    "transpose": lambda n, x: n.transpose(x, (0, 2, 1)),
    "swapaxes": lambda n, x: n.swapaxes(x, 1, -1),
    "moveaxis": lambda n, x: n.moveaxis(x, -1, 1),
    "expand": lambda n, x: n.expand_dims(x, -1) * n.expand_dims(x, (1, 3))[:, 0],
    "squeeze": lambda n, x: n.squeeze(x[:, :1], 1),
    "repeat": lambda n, x: n.repeat(x, 2, axis=1),
    "repeats": lambda n, x: n.repeat(x, [1, 0, 2, 1], axis=1),
    "tile": lambda n, x: n.tile(x, (1, 2, 3)),
    "flip": lambda n, x: n.flip(x, -1),
    "roll": lambda n, x: n.roll(x, 1, axis=1),
    "pad": lambda n, x: n.pad(x, ((0, 0), (1, 2), (0, 1))),
    "reflect": lambda n, x: n.pad(x, ((0, 0), (1, 2), (0, 1)), "reflect"),
    "tril": lambda n, x: n.tril(x) + n.triu(x, 1),
    "diagonal": lambda n, x: n.diagonal(x, axis1=1, axis2=2),
    "take": lambda n, x: n.take(x, [2, 0, -1], axis=1),
    "sort": lambda n, x: n.sort(x, 1),
    "split": lambda n, x: n.split(x, 2, axis=1),
    "splits": lambda n, x: n.split(x, [1, 3], axis=1),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name):
    check(both(ops, MOVES[name]), both(np, MOVES[name]), sample(4, 2))


def test_moves_of_weights():
    def function(n, w):
        moved = [n.transpose(w), n.reshape(w, (-1,)), n.squeeze(w[:1]), w[1], n.flip(w), n.repeat(w, 2), n.ravel(w)]
        return [*moved, n.tile(w, (2, 1)), n.diag(w), n.diag(w[0]), n.roll(w, 1), n.expand_dims(w, 0), n.sort(w)]

    check(both(ops, function), both(np, function), weight(3, 4))


def test_borders_of_a_value():
    width = ((0, 0), (2, 1))
    check(lambda x: ops.pad(x, width, constant_values=2.0), lambda x: np.pad(x, width, constant_values=2.0), sample(4))


def test_many_axes():
    order = (0, 5, 3, 1, 4, 2)
    check(lambda x: ops.transpose(x, order), lambda x: np.transpose(x, order), sample(2, 3, 2, 3, 2))


def test_side_by_side():
    def function(n, x, y):
        return [n.concatenate([x, y], axis=-1), n.concatenate([x, y[:, :, :2]], axis=1), n.stack([x, y[..., :2]], 1)]

    check(both(ops, function), both(np, function), sample(4, 2), sample(4, 3))
    check(lambda x: ops.unstack(x, axis=1), lambda x: [x[:, i] for i in range(4)], sample(4, 2))


def test_what_all_samples_share_beside_samples():
    x, w = sample(4, seed=1), weight(2)
    run = Run(lambda x, w: ops.concatenate([x, ops.expand_dims(w, 0)], axis=1), x, w)
    np.testing.assert_array_equal(run.forward()[0], np.concatenate([x.values, np.tile(w.array, (3, 1))], 1))
    slope = np.arange(18.0).reshape(3, 6)
    by_x, by_w = run.backward(slope)
    np.testing.assert_array_equal(by_x, slope[:, :4])
    np.testing.assert_array_equal(by_w, slope[:, 4:].sum(0))


def test_broadcast_to():
    x = sample(1, 4)
    run = Run(lambda x: ops.broadcast_to(x, (None, 3, 4)), x)
    np.testing.assert_array_equal(run.forward()[0], np.broadcast_to(x.values, (3, 3, 4)))
    slope = np.arange(36.0).reshape(3, 3, 4)
    np.testing.assert_array_equal(run.backward(slope)[0], slope.sum(1, keepdims=True))


def test_indices_in_the_data():
    number = sample(2, dtype="int32", low=-5, high=5)
    check(lambda i, w: ops.take(w, i, axis=0), lambda i, w: np.take(w, i, 0), number, weight(5, 3))
    place = sample(2, 3, dtype="int32", low=0, high=4)
    along = np.take_along_axis
    check(lambda x, i: ops.take_along_axis(x, i, 1), lambda x, i: along(x, i, 1), sample(4, 3), place)
    one = sample(1, 2, dtype="int32", low=0, high=3)
    check(
        lambda x, i: ops.take_along_axis(x, i, 2),
        lambda x, i: along(x, np.broadcast_to(i, (3, 4, 2)), 2),
        sample(4, 3),
        one,
    )


def test_an_index_that_leads_nowhere_is_seen():
    run = Run(lambda i, w: ops.take(w, i, axis=0), Sample(np.array([[0], [7], [-8]], "int32")), weight(5))
    (y,) = run.forward()
    np.testing.assert_array_equal(np.isnan(y), [[False], [True], [True]])
    run.backward(np.ones((3, 1)))  # and no memory beyond the table is touched


def test_classes():
    number = sample(2, dtype="int32", low=0, high=5)
    eye = np.eye(5)
    check(lambda i: ops.one_hot(i, 5, dtype="float64"), lambda i: eye[i], number)
    check(lambda i: ops.one_hot(i, 5, 1, "int32"), lambda i: eye[i].transpose(0, 2, 1).astype("int32"), number)
    check(lambda i: ops.multi_hot(i, 5, dtype="float64"), lambda i: eye[i].max(1), number)
    np.testing.assert_array_equal(ops.one_hot([1, -1, 9], 2), [[0, 1], [0, 0], [0, 0]])


def test_ranks_of_elements():
    def largest(x):
        return [np.sort(x)[..., ::-1][..., :2], np.argsort(-x)[..., :2].astype("int32")]

    check(lambda x: ops.top_k(x, 2), largest, sample(3, 6))
    check(lambda x: ops.argsort(x, 1), lambda x: np.argsort(x, 1).astype("int32"), sample(3, 6))

    def among(labels, x):
        return (x > np.take_along_axis(x, labels[:, None], 1)).sum(1) < 2

    check(lambda i, x: ops.in_top_k(i, x, 2), among, sample(dtype="int32", low=0, high=5), sample(5))


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_crossentropies():
    y, x = sample(5, low=0.0, seed=4), sample(5, low=0.1, high=0.9)
    check(
        lambda y, x: [ops.binary_crossentropy(y, x), ops.binary_crossentropy(y, x, from_logits=True)],
        lambda y, x: [-y * np.log(x) - (1 - y) * np.log(1 - x), np.log1p(np.exp(x)) - x * y],
        y,
        x,
        exact=1e-10,
    )
    check(
        lambda y, x: [ops.categorical_crossentropy(y, x), ops.categorical_crossentropy(y, x, from_logits=True)],
        lambda y, x: [-(y * np.log(x / x.sum(-1, keepdims=True))).sum(-1), -(y * log_softmax(x)).sum(-1)],
        y,
        x,
        exact=1e-10,
    )
    number = sample(dtype="int32", low=0, high=5)
    rows = np.arange(3)
    sparse = ops.sparse_categorical_crossentropy
    check(
        lambda i, x: [sparse(i, x), sparse(i, x, from_logits=True)],
        lambda i, x: [-np.log(x / x.sum(-1, keepdims=True))[rows, i], -log_softmax(x)[rows, i]],
        number,
        x,
        exact=1e-10,
    )
