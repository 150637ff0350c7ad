"""dseq.kernels.math and random numbers against libm and NumPy: `python tests/benchmarks/bench_math.py`.

Nanoseconds per element, the best of several rounds in which every contender runs once, on an
array that stays in the first or second level of cache; and the largest error in units in the last place.
"""

import argparse
import math
import time
from functools import partial

import numpy as np

from dseq import activations
from dseq.kernels.activation import exponential_forward, gelu_forward, sigmoid_forward, softplus_forward, tanh_forward
from dseq.kernels.base import kernel
from dseq.kernels.dropout import dropout_backward, dropout_forward
from dseq.kernels.math import erf, expm1, log, log1p
from dseq.kernels.random import normal, uniform


@kernel
def expm1_forward(y, x):
    for i in range(x.size):
        y[i] = expm1(x[i])


@kernel
def log_forward(y, x):
    for i in range(x.size):
        y[i] = log(x[i])


@kernel
def log1p_forward(y, x):
    for i in range(x.size):
        y[i] = log1p(x[i])


@kernel
def erf_forward(y, x):
    for i in range(x.size):
        y[i] = erf(x[i])


@kernel
def libm_exp(y, x):
    for i in range(x.size):
        y[i] = math.exp(x[i])


@kernel
def libm_expm1(y, x):
    for i in range(x.size):
        y[i] = math.expm1(x[i])


@kernel
def libm_log(y, x):
    for i in range(x.size):
        y[i] = math.log(x[i])


@kernel
def libm_log1p(y, x):
    for i in range(x.size):
        y[i] = math.log1p(x[i])


@kernel
def libm_tanh(y, x):
    for i in range(x.size):
        y[i] = math.tanh(x[i])


@kernel
def libm_erf(y, x):
    for i in range(x.size):
        y[i] = math.erf(x[i])


# name: ours, the loop over libm, NumPy's ufunc, lower and upper end of arguments
FUNCTIONS = {
    "exp": (exponential_forward, libm_exp, np.exp, -20, 20),
    "expm1": (expm1_forward, libm_expm1, np.expm1, -20, 20),
    "log": (log_forward, libm_log, np.log, 1e-3, 1e3),
    "log1p": (log1p_forward, libm_log1p, np.log1p, -0.9, 10),
    "tanh": (tanh_forward, libm_tanh, np.tanh, -6, 6),
    "erf": (erf_forward, libm_erf, None, -5, 5),
    "sigmoid": (sigmoid_forward, None, None, -20, 20),
    "softplus": (softplus_forward, None, None, -20, 20),
    "gelu": (gelu_forward, None, None, -5, 5),
}


def best(contenders, rounds):
    """The shortest time of each contender (None: nothing to run) in seconds, after a first call that compiles."""
    for run in filter(None, contenders):
        run()
    shortest = [math.inf] * len(contenders)
    for _ in range(rounds):
        for place, run in enumerate(contenders):
            if run:
                start = time.perf_counter()
                run()
                shortest[place] = min(shortest[place], time.perf_counter() - start)
    return shortest


def column(seconds, elements):
    return f"{seconds / elements * 1e9:9.2f}" if seconds < math.inf else f"{'-':>9s}"


def functions(dtype, size, rounds):
    print(f"\n{dtype:14s}{'dseq':>9s}{'libm':>9s}{'numpy':>9s}{'error':>9s}")
    for name, (ours, libm, ufunc, low, high) in FUNCTIONS.items():
        x = np.random.default_rng(0).uniform(low, high, size).astype(dtype)
        y, z = np.empty_like(x), np.empty_like(x)
        runs = [partial(ours, y, x), libm and partial(libm, z, x), ufunc and partial(ufunc, x, z)]
        row = "".join(column(seconds, size) for seconds in best(runs, rounds))
        error = ""
        if ufunc:
            exact = ufunc(x.astype(np.float64 if dtype == "float32" else np.longdouble))
            error = f"{np.max(abs(y - exact) / np.spacing(abs(exact.astype(dtype)))):9.2f}"
        print(f"{name:14s}{row}{error}")


def draws(dtype, size, rounds):
    x = np.ones((size // 128, 128), dtype)
    y, clock, rate = np.zeros_like(x), np.array([1, 2, 3]), np.full(1, 0.5, dtype)
    generator, scratch = np.random.default_rng(0), np.empty_like(x)
    rows = {
        "uniform": [lambda: uniform(y, clock, 1), lambda: generator.random(out=scratch, dtype=dtype)],
        "normal": [lambda: normal(y, clock, 1), lambda: generator.standard_normal(out=scratch, dtype=dtype)],
        "dropout": [lambda: dropout_forward(y, x, rate, clock, 1), None],
        "d dropout": [lambda: dropout_backward(y, x, rate, clock, 1), None],
    }
    print(f"\n{dtype:14s}{'dseq':>9s}{'numpy':>9s}")
    for name, runs in rows.items():
        print(f"{name:14s}{''.join(column(seconds, x.size) for seconds in best(runs, rounds))}")


def pairs(dtype, size, rounds):
    print(f"\n{dtype:14s}{'forward':>9s}{'backward':>9s}")
    for name in sorted({activation.name for activation in activations.NAMES.values() if activation.forward}):
        activation = activations.get(name)
        for features in (10, 128, 1024) if activation.rowwise else (128,):
            x = np.random.default_rng(0).normal(size=(size // features, features)).astype(dtype)
            y = np.zeros(activation.output_shape(x.shape), dtype)
            arrays = [y.copy(), x, y, x.copy()]  # dy, x, y, dx
            if not activation.rowwise:
                arrays = [a.ravel() for a in arrays]
            dy, x, y, dx = arrays
            parameters = [np.full(1, value, dtype) for value in activation.parameters]
            runs = [
                partial(activation.forward, y, x, *parameters),
                partial(activation.backward, dx, dy, x, y, *parameters),
            ]
            row = "".join(column(seconds, x.size) for seconds in best(runs, rounds))
            print(f"{name:14s}{row}{f'   {features} features' if activation.rowwise else ''}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=8192, help="elements of the arrays")
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    for dtype in ("float32", "float64"):
        for part in (functions, draws, pairs):
            part(dtype, arguments.size, arguments.rounds)
