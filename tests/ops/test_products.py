"""Products of matrices and sums by letters."""

import numpy as np
import pytest

import dseq
from dseq import ops
from tests.ops.harness import check, sample, weight

MATMULS = [
    (sample(4), weight(4, 3)),
    (sample(2, 4), weight(4, 3)),
    (sample(2, 4), weight(4)),
    (sample(2, 4), sample(4, 3, seed=2)),
    (sample(5, 2, 4), sample(1, 4, 3, seed=2)),
    (sample(2, 5, 4), weight(2, 4, 3)),
    (weight(2, 4), sample(4, 3)),
    (weight(5, 2, 4), sample(1, 4, 3)),
    (weight(4), sample(4, 3)),
    (weight(2, 4), weight(4, 3, seed=2)),
    (weight(5, 2, 4), weight(4, 3, seed=2)),
    (weight(4), weight(4, seed=2)),
    (sample(3, 2, 2, 4), weight(3, 1, 4, 2)),
]


@pytest.mark.parametrize("case", range(len(MATMULS)))
def test_matmul(case):
    check(lambda a, b: a @ b, np.matmul, *MATMULS[case])


def test_matmul_is_that_of_dense():
    rng = np.random.default_rng(0)
    x, w = rng.random((37, 29), "float32"), rng.random((29, 21), "float32")
    inputs = dseq.Input((29,))
    model = dseq.Model(inputs, ops.matmul(inputs, w))
    layer = dseq.layers.Dense(21, use_bias=False)
    layer.build((None, 29))
    layer.set_weights([w])
    np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))


EINSUMS = [
    ("bij,jk->bik", sample(2, 4), weight(4, 3)),
    ("bij,bkj->bik", sample(2, 4), sample(3, 4, seed=2)),
    ("bhi,hij->bhj", sample(2, 4), weight(2, 4, 3)),
    ("bi,bj->bij", sample(2), sample(4, seed=2)),
    ("bi,bj->ij", sample(2), sample(4, seed=2)),
    ("bij->bji", sample(2, 4)),
    ("bij->b", sample(2, 4)),
    ("bij->i", sample(2, 4)),
    ("ij,bjk->bik", weight(3, 2), sample(2, 4)),
    ("...i,ij->...j", sample(2, 4), weight(4, 3)),
    ("bi,bi->b", sample(2), sample(2, seed=2)),
    ("bi,i->", sample(2), weight(2)),
    ("bqhd,bkhd->bhqk", sample(3, 2, 2), sample(4, 2, 2, seed=2)),
    ("bi,ij,bj->b", sample(2), weight(2, 3), sample(3, seed=2)),
    ("ij,kj", weight(3, 2), weight(4, 2, seed=2)),
]


@pytest.mark.parametrize("case", EINSUMS, ids=[case[0] for case in EINSUMS])
def test_einsum(case):
    subscripts, *operands = case
    check(lambda *a: ops.einsum(subscripts, *a), lambda *a: np.einsum(subscripts, *a), *operands)


def test_other_products():
    check(lambda x, w: ops.tensordot(x, w, 2), lambda x, w: np.tensordot(x, w, 2), sample(2, 4), weight(2, 4, 3))
    axes = [[2], [0]]
    check(lambda x, w: ops.tensordot(x, w, axes), lambda x, w: np.tensordot(x, w, axes), sample(2, 4), weight(4, 3))
    check(ops.dot, np.dot, sample(2, 4), weight(4))
    check(ops.dot, np.dot, sample(4), weight(4, 3))
    check(ops.vdot, np.vdot, sample(2, 4), sample(2, 4, seed=2))
    check(ops.outer, np.outer, weight(4), weight(3, seed=2))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: ops.einsum("ab,cb->ac", x, x),
        lambda x: ops.einsum("ab->ba", x),
        lambda x: ops.einsum("ab,b->a", x, np.ones(5)),
        lambda x: ops.einsum("abc->a", x),
        lambda x: x @ x,
        lambda x: x @ np.ones((4, 2)),
    ],
)
def test_what_does_not_fit(wrong):
    with pytest.raises(ValueError, match=r"Received: "):
        wrong(dseq.Input((3,)))
