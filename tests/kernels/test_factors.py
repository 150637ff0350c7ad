"""Gradients of matrices made of all ranks' rows: one process plays the ranks, NumPy has the sum."""

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.factors import HEADER, give_factors, take_factors
from dseq.kernels.gemm import matmul_tn

K, M, START = 40, 16, 32


@pytest.mark.parametrize(
    "most, counts",
    [(7, (7, 0, 3)), (6, (7, 0, 3)), (0, (7, 0, 3)), (7, (4, 4, 7)), (7, (7, 3, 3)), (7, (0, 0, 5))],
    ids=["few", "many on one", "many", "first two alike", "last two alike", "two without"],
)
def test_sum_over_ranks(most, counts):
    rng = np.random.default_rng(0)
    x, dy = ([rng.standard_normal((n, width), "f4") for n in counts] for width in (K, M))
    slices = [(0, 15), (15, 15), (15, K)]
    rows = np.full((3, START + K * M + 5), np.nan, "f4")
    told = [np.array([rank, *slices[rank], *counts]) for rank in range(3)]
    assert told[0].size == HEADER + 3
    for rank in range(3):
        dw = rows[rank, START : START + K * M].reshape(K, M)
        give_factors(dw, x[rank], dy[rank], told[rank], most)
        if most >= max(counts):  # nobody reads what a rank needs alone
            given = rows[rank, START + counts[rank] * M :][: counts[rank] * K].reshape(-1, K)
            assert np.isnan(given[:, slice(*slices[rank])]).all()
    total = np.full((K, M), np.nan, "f4")
    for rank, (lo, hi) in enumerate(slices):
        for first, last in {(lo, (lo + hi) // 2), ((lo + hi) // 2, hi)}:
            place = total[first:last]
            take_factors(place, x[rank], dy[rank], rows, START, first, told[rank], most, np.zeros(1024, "f4"))
    all_x, all_dy = np.concatenate(x), np.concatenate(dy)
    np.testing.assert_allclose(total, all_x.astype("f8").T @ all_dy, rtol=1e-5, atol=1e-5)
    if most >= max(counts) and JIT:  # the same multiplications and additions in the same order as on one rank
        alone = np.empty((K, M), "f4")
        matmul_tn(alone, all_x, all_dy)
        assert (total == alone).all()


def test_one_rank_gives_nothing():
    rng = np.random.default_rng(1)
    x, dy = rng.standard_normal((9, K), "f4"), rng.standard_normal((9, M), "f4")
    dw, counts = np.full((K, M), np.nan, "f4"), np.array([0, 0, K, 1 << 40])
    give_factors(dw, x, dy, counts, 5)
    assert np.isnan(dw).all()
    made = np.empty((24, M), "f4")
    take_factors(made, x, dy, np.zeros((1, 1), "f4"), 0, 16, counts, 5, np.zeros(1, "f4"))
    np.testing.assert_allclose(made, x[:, 16:].astype("f8").T @ dy, rtol=1e-5, atol=1e-5)
