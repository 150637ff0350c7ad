"""Normalisation against this core's memory bandwidth and PyTorch, in one run: `python tests/benchmarks/bench_norm.py`.

Bounds are bytes that must move: forward reads x twice (statistics, then values) and writes y, backward reads x and
dy twice and writes dx; a row of LayerNormalization stays in the first cache, so both read it once. Bandwidth is that
of a triad `a = b + 2 c` over arrays of that size, its write counted twice, as memory sees it: lines are fetched
before they are written. All numbers are the least over rounds in which every contender runs once, as other programs on
the machine only add to them. PyTorch runs in an interpreter of its own, which waits while dseq computes.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import subprocess
import sys
import time

import numpy as np

from dseq import layers
from dseq.kernels.base import kernel
from dseq.program.memory import aligned
from dseq.testing import LayerHarness

CASES = {
    "BatchNormalization 100352 x 64": (layers.BatchNormalization, 100352, 64),
    "BatchNormalization 16384 x 256": (layers.BatchNormalization, 16384, 256),
    "BatchNormalization 128 x 512": (layers.BatchNormalization, 128, 512),
    "LayerNormalization 16384 x 256": (layers.LayerNormalization, 16384, 256),
    "LayerNormalization 8192 x 768": (layers.LayerNormalization, 8192, 768),
    "LayerNormalization 128 x 512": (layers.LayerNormalization, 128, 512),
}

# Run by the other interpreter: reads `kind rows columns` lines, answers with seconds of forward and backward.
TORCH = """
import sys, time, torch
torch.set_num_threads(1)
known = {}
for line in sys.stdin:
    kind, rows, columns = line.split()
    if line not in known:
        make = torch.nn.BatchNorm1d if kind == "BatchNormalization" else torch.nn.LayerNorm
        x = torch.randn(int(rows), int(columns), requires_grad=True)
        known[line] = make(int(columns), eps=1e-3), x, torch.randn(int(rows), int(columns))
    layer, x, dy = known[line]
    x.grad = None
    start = time.perf_counter()
    y = layer(x)
    middle = time.perf_counter()
    y.backward(dy)
    print(middle - start, time.perf_counter() - middle, flush=True)
"""


@kernel
def triad(a, b, c):
    # a, b, c (n,)
    two = a.dtype.type(2)
    for i in range(a.size):
        a[i] = b[i] + two * c[i]


class Torch:
    """PyTorch in another interpreter.

    Args:
        python: Path of an interpreter that has it.
    """

    def __init__(self, python):
        self._process = subprocess.Popen(
            [python, "-c", TORCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __call__(self, kind, rows, columns):
        print(kind, rows, columns, file=self._process.stdin, flush=True)
        return [float(word) for word in self._process.stdout.readline().split()]


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(make, rows, columns, torch, rounds):
    """The least of all rounds: seconds of dseq and PyTorch forward and backward, bytes per second of the triad."""
    layer = make()
    run = LayerHarness(layer, (columns,), rows=rows, overwrites=True)
    x = run.array(run.inputs[0])
    run.array(run.outputs[0].grad)[...] = np.random.default_rng(0).standard_normal(x.shape)
    step, arrays = run.step, [aligned(x.nbytes).view("f4") for _ in range(3)]
    found = []
    for _ in range(rounds):
        found.append(
            [
                seconds(lambda: step.forward()),
                seconds(lambda: step.backward()),
                seconds(lambda: triad(*arrays)),
                *(torch(make.__name__, rows, columns) if torch else (np.nan, np.nan)),
            ]
        )
    ours, back, three, theirs, their_back = np.min(found[2:], axis=0)
    return ours, back, 4 * x.nbytes / three, theirs, their_back, x.nbytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", help="an interpreter that has PyTorch; this one if it has")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    python = options.torch or sys.executable
    has = subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    torch = Torch(python) if has else None
    print(f"{'ms':32s}{'GB/s':>7s}{'forward':>9s}{'bound':>7s}{'torch':>7s}{'backward':>10s}{'bound':>7s}{'torch':>7s}")
    results = {}
    for name, (make, rows, columns) in CASES.items():
        ours, back, speed, theirs, their_back, size = measure(make, rows, columns, torch, options.rounds)
        # A write counts twice. Statistics over the batch take a second reading.
        batch = make is layers.BatchNormalization
        bound, back_bound = (4 if batch else 3) * size / speed, (6 if batch else 4) * size / speed
        numbers = [ours, bound, theirs, back, back_bound, their_back]
        ms = [f"{1e3 * value:.3g}" for value in numbers]
        print(f"{name:32s}{speed / 1e9:7.1f}{ms[0]:>9s}{ms[1]:>7s}{ms[2]:>7s}{ms[3]:>10s}{ms[4]:>7s}{ms[5]:>7s}")
        results[name] = dict(
            zip(
                ["forward", "forward_bound", "torch_forward", "backward", "backward_bound", "torch_backward"],
                numbers,
                strict=True,
            )
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
