"""Each optimizer's update against the memory's speed: `python tests/benchmarks/bench_optimizers.py [--size 5800000]`.

The bound is a loop that reads and writes as many arrays of the same size as the update must and computes next to
nothing; the arrays lie in memory, not in the cache. Bound and update run in turns, and the median of their ratios is
what counts: the machine may have other work. Muon computes, so its bound is the matrix products it consists of, at the
speed of `dseq.kernels.gemm` on the same shapes in the same rounds.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import time

import numpy as np

from dseq import optimizers
from dseq.kernels.base import kernel
from dseq.kernels.gemm import matmul, matmul_nt
from dseq.program.memory import Parameters
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.variable import Variable

# Name, arguments, arrays read and arrays written by an update that passes through memory as rarely as it can. Those
# that look at whole weights first cannot know the step before they have read everything once: they pass twice, and
# Adafactor, which must know the means before the step and the step before its length, three times. What is written
# counts as read too, as the processor fetches it. Ftrl with another power than the root computes: two logarithms and
# two exponentials for each element.
CASES = [
    ("SGD", {}, 2, 1),
    ("SGD", {"momentum": 0.9}, 3, 2),
    ("SGD", {"momentum": 0.9, "nesterov": True}, 3, 2),
    ("Adam", {}, 4, 3),
    ("Adam", {"amsgrad": True}, 5, 4),
    ("AdamW", {}, 4, 3),
    ("RMSprop", {}, 3, 2),
    ("RMSprop", {"momentum": 0.5, "centered": True}, 5, 4),
    ("Adagrad", {}, 3, 2),
    ("Adadelta", {}, 4, 3),
    ("Adamax", {}, 4, 3),
    ("Nadam", {}, 4, 3),
    ("Lion", {}, 3, 2),
    ("Ftrl", {}, 4, 3),
    ("Ftrl", {"learning_rate_power": -0.3}, 4, 3),
    ("ScheduleFreeAdamW", {}, 4, 3),
    ("Adam", {"clipvalue": 0.1}, 4, 3),
    ("Adam", {"global_clipnorm": 1.0}, 5, 3),
    ("Adam", {"clipnorm": 1.0}, 5, 3),
    ("Adam", {"use_ema": True}, 5, 4),
    ("Adam", {"use_ema": True, "ema_overwrite_frequency": 1}, 5, 4),
    ("LossScaleOptimizer", {}, 5, 3),
    ("Lamb", {}, 7, 3),
    ("LARS", {}, 5, 2),
    ("Adafactor", {}, 5, 1),
    ("Muon", {"exclude_layers": ["."]}, 4, 3),
]


@kernel
def stream(a, b, c, d, e, read, write, factor):
    # reads so many of the five (n,) arrays and writes so many of them
    s = a.dtype.type(factor)
    if read == 2 and write == 1:
        for i in range(a.size):
            a[i] += s * b[i]
    elif read == 3 and write == 2:
        for i in range(a.size):
            b[i] += s * c[i]
            a[i] += b[i]
    elif read == 4 and write == 3:
        for i in range(a.size):
            b[i] += s * d[i]
            c[i] += s * d[i]
            a[i] += b[i] * c[i]
    elif read == 5 and write == 4:
        for i in range(a.size):
            b[i] += s * e[i]
            c[i] += s * e[i]
            d[i] += s * e[i]
            a[i] += b[i] * c[i] * d[i]
    elif read == 1 and write == 0:
        # a sum of 64 sums side by side
        rows = b[: b.size // 64 * 64].reshape(b.size // 64, 64)
        sums = c[:64]
        for r in range(rows.shape[0]):
            row = rows[r]
            for j in range(64):
                sums[j] += row[j]


# What one call of the loop can do, to make up any number of arrays read and written.
LOOPS = ((5, 4), (4, 3), (3, 2), (2, 1), (1, 0))


def loops(read, write):
    """The calls whose reads and writes add up to these."""
    found = []
    while read or write:
        best = next(loop for loop in LOOPS if loop[1] <= write and read - loop[0] >= write - loop[1])
        found.append(best)
        read, write = read - best[0], write - best[1]
    return found


def weights(size):
    """Three layers' kernels and biases of about so many elements together, the second a square."""
    width = int((size / 2.75) ** 0.5) // 16 * 16
    shapes = [(3 * width // 4, width), (width,), (width, width), (width,), (width, width), (width,)]
    rng = np.random.default_rng(0)
    return [Variable(0.1 * rng.standard_normal(s, dtype="f4"), name=f"w{i}") for i, s in enumerate(shapes)]


def prepared(name, arguments, size):
    """The update as a function without arguments, and the size of its arena."""
    make = getattr(optimizers, name)
    optimizer = make(optimizers.Adam()) if name == "LossScaleOptimizer" else make(**arguments)
    variables = weights(size)
    optimizer.build(variables)
    arena = Parameters(variables, [], 0, "float32")
    arena.grads[:] = 0.01 * np.random.default_rng(1).standard_normal(arena.grads.size, dtype="f4")
    plan = Plan(dtype="float32")
    optimizer.lower(plan, arena.params, arena.grads)
    step = Step(plan)
    step.prepare()
    step.bind(0)

    def update():
        optimizer.begin_step()
        step.update()
        optimizer.end_step()

    return update, arena.params.size, optimizer


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def products(size):
    """Muon's matrix products, as a function without arguments, and their floating-point operations."""
    calls, operations = [], 0
    for variable in weights(size):
        if len(variable.shape) == 2:
            n, m = sorted(variable.shape)
            x, z = (np.full((n, m), 0.01, "f4") for _ in range(2))
            a, b = (np.zeros((n, n), "f4") for _ in range(2))
            calls += [(matmul_nt, (a, x, x)), (matmul, (b, a, a)), (matmul, (z, b, x))] * 5
            operations += 5 * (2 * n * n * m + 2 * n * n * n + 2 * n * n * m)

    def run():
        for function, arguments in calls:
            function(*arguments)

    return run, operations


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=5_800_000, help="weights")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="optimizers whose name has this in it")
    arguments = parser.parse_args()
    print(f"{'optimizer':56s} {'ms':>8s} {'bound ms':>9s} {'ratio':>6s} {'GB/s':>6s}")
    arrays = None
    for name, options, read, write in CASES:
        if arguments.only.lower() not in name.lower():
            continue
        update, size, _ = prepared(name, options, arguments.size)
        if arrays is None:
            arrays = [np.full(size, 0.5, "f4") for _ in range(5)]

        wanted = loops(read, write)

        def bound(wanted=wanted, arrays=arrays):
            for loop in wanted:
                stream(*arrays, *loop, 0)

        update(), bound()
        times = [(seconds(update), seconds(bound)) for _ in range(arguments.rounds)]
        show(name, options, times, 4e-9 * size * (read + write))
    if arguments.only.lower() in "muon":
        update, size, _ = prepared("Muon", {}, arguments.size)
        run, operations = products(arguments.size)
        update(), run()
        times = [(seconds(update), seconds(run)) for _ in range(max(3, arguments.rounds // 5))]
        rate = operations / np.median([t for _, t in times]) / 1e9
        show("Muon", {"bound": f"its products at {rate:.0f} GFLOP/s"}, times, None)


def show(name, options, times, gigabytes):
    ours, bound = (float(np.median(column)) for column in zip(*times, strict=True))
    ratio = float(np.median([a / b for a, b in times]))
    said = f"{name} {' '.join(f'{k}={v}' for k, v in options.items())}"
    rate = "" if gigabytes is None else f"{gigabytes / ours:6.1f}"
    print(f"{said:56s} {1e3 * ours:8.2f} {1e3 * bound:9.2f} {ratio:6.2f} {rate:>6s}", flush=True)


if __name__ == "__main__":
    main()
