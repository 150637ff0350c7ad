"""Products against NumPy in float64; a row's bits for any number of rows; every register tile of this host."""

import os
import subprocess
import sys

import numpy as np
import pytest

from dseq.kernels.base import JIT
from dseq.kernels.gemm import add_matmul_nt, add_matmul_tn, fill_rectangle, matmul, matmul_bias
from dseq.kernels.microkernel import LINE
from dseq.kernels.vector import FEATURES, ISA, ON_ARM

DTYPES = ("float32", "float64")
SIZES = (0, 1, 2, 3, 7, 8, 9, 13, 16, 17, 31, 33, 40)
compiled_only = pytest.mark.skipif(not JIT, reason="BLAS's bits depend on the number of rows")


def random(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def check(result, before, terms_a, terms_b, dtype):
    """`result` is `before + terms_a @ terms_b` within the error bound of a sum of products."""
    a, b, before = (np.asarray(value, np.float64) for value in (terms_a, terms_b, before))
    bound = (a.shape[1] + 2) * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b) + np.abs(before))
    assert (np.abs(result - (before + a @ b)) <= bound).all()


def check_products(n, k, m, dtype):
    a, b, bias = random((n, k), dtype), random((k, m), dtype, 1), random(m, dtype, 2)
    c = np.full((n, m), np.nan, dtype)
    matmul(c, a, b)
    check(c, np.zeros((n, m)), a, b, dtype)
    c[:] = np.nan
    matmul_bias(c, a, b, bias, 0)
    check(c, np.broadcast_to(bias, (n, m)), a, b, dtype)
    before = random((n, m), dtype, 3)
    c = before.copy()
    add_matmul_tn(c, a.T.copy(), b)
    check(c, before, a, b, dtype)
    c = before.copy()
    add_matmul_nt(c, a, b.T.copy())
    check(c, before, a, b, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_products_of_small_matrices(n, dtype):
    for k in SIZES:
        for m in SIZES:
            check_products(n, k, m, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "n, k, m", [(1, 700, 1), (25, 513, 70), (540, 260, 45), (1070, 5, 33), (3, 257, 300), (700, 590, 1210)]
)
def test_products_that_are_blocked(n, k, m, dtype):
    check_products(n, k, m, dtype)


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k, m", [(1, 1), (19, 10), (300, 37), (520, 64), (64, 16), (300, 270), (110, 1210)])
def test_bits_of_a_row_do_not_depend_on_the_number_of_rows(k, m, dtype):
    n = 61
    x, w, bias = random((n, k), dtype), random((k, m), dtype, 1), random(m, dtype, 2)
    dy, before = random((n, m), dtype, 3), random((n, k), dtype, 4)
    y, dx = np.empty((n, m), dtype), before.copy()
    matmul_bias(y, x, w, bias, 0)
    add_matmul_nt(dx, dy, w)
    for first, last in [(i, i + rows) for rows in (1, 2, 5, 12, 13, 24, 25, 36) for i in (0, 1, 7, n - rows)] + [
        (0, 60)
    ]:
        y_part, dx_part = np.empty((last - first, m), dtype), before[first:last].copy()
        matmul_bias(y_part, x[first:last], w, bias, 0)
        add_matmul_nt(dx_part, dy[first:last], w)
        np.testing.assert_array_equal(y_part, y[first:last])
        np.testing.assert_array_equal(dx_part, dx[first:last])


@pytest.mark.parametrize(
    "lines, across, tiles, depth", [(4, 144, 10, 144), (9, 64, 5, 144), (12, 1, 1, 96), (1, 9, 4, 16)]
)
def test_what_is_fetched_onward_is_the_whole_panel(lines, across, tiles, depth):
    apart = 100 * LINE
    steps = np.full(depth, -1)
    pace = fill_rectangle(steps, lines, across, tiles, apart)
    fetched = {tile * pace + int(step) for tile in range(tiles) for step in steps}
    assert fetched >= {row * apart + line * LINE for row in range(across) for line in range(lines)}


def test_what_is_fetched_onward_fits_the_table():
    for depth in (1, 3, 16):
        for lines, across, tiles in ((0, 64, 4), (9, 64, 4), (40, 1, 1)):
            steps = np.full(depth, -1)
            fill_rectangle(steps, lines, across, tiles, 4096)
            assert (steps >= 0).all()


@compiled_only
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_element_is_one_chain_of_sums_in_order(dtype):
    n, k, m = 13, 600, 35
    b = random((k, m), dtype)
    c = np.empty((n, m), dtype)
    matmul(c, np.ones((n, k), dtype), b)
    chain = np.zeros(m, dtype)
    for row in b:
        chain += row
    np.testing.assert_array_equal(c, np.broadcast_to(chain, (n, m)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite_stays_in_its_row_and_column(dtype):
    a, b = random((30, 20), dtype), random((20, 35), dtype, 1)
    a[29, 3], b[4, 34] = np.nan, np.inf
    c = np.empty((30, 35), dtype)
    with np.errstate(invalid="ignore"):
        matmul(c, a, b)
    assert np.isnan(c[29]).all() and np.isinf(c[:29, 34]).all() and np.isfinite(c[:29, :34]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [1, 10, 33])
def test_nothing_beside_the_result_is_written(m, dtype):
    n, k = 14, 9
    memory = np.full(n * m + 128, 7, dtype)
    c = memory[64:-64].reshape(n, m)
    matmul(c, random((n, k), dtype), random((k, m), dtype))
    assert (memory[:64] == 7).all() and (memory[-64:] == 7).all()


def runs_here(isa):
    if isa == "neon":
        return ON_ARM
    return isa == "plain" or FEATURES.get({"avx512": "avx512f"}.get(isa, isa), False)


@compiled_only
@pytest.mark.parametrize("isa", ["avx512", "avx2", "neon", "plain"])
def test_every_register_tile(isa, tmp_path):
    if not runs_here(isa) or isa == ISA:
        pytest.skip(f"this CPU has no {isa}, or has it and all tests above are of it")
    names = "small_matrices and 13 or blocked or bits_of_a_row or one_chain or nothing_beside"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", names]
    environment = {**os.environ, "DSEQ_ISA": isa}
    if environment.get("DSEQ_ISA_TEST"):
        pytest.skip("already inside")
    done = subprocess.run(
        command, env={**environment, "DSEQ_ISA_TEST": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
