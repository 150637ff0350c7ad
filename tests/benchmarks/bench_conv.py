"""Convolutions against this core's FMA peak and PyTorch, in one run: `python tests/benchmarks/bench_conv.py`.

Forward, the kernel's and the input's gradient of ten shapes, float32, on one core. Numbers are medians over rounds in
which every contender runs once, and only time the thread itself ran counts: a noisy machine is noisy for all. The peak
is a loop of multiply-adds on registers, taken in turns of a few milliseconds: alone for longer, such a loop runs at a
higher clock than any that also loads. The first line says how much of it the register tile reaches in the caches.
Kernels are those that a plan takes, taps transformed anew in each call; where these are Winograd's tiles (marked t)
the share of the peak counts the operations of the sum over windows, as for all others.
PyTorch runs in an interpreter of its own, which waits while dseq computes, in the faster of its two memory formats.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import subprocess
import sys

import numpy as np
from bench_kernels import BYTES, CHAINS, _peak, _seconds, aligned

from dseq.kernels.base import JIT, kernel
from dseq.kernels.conv import conv_forward, conv_transpose_kernel, conv_write_input, conv_write_kernel
from dseq.kernels.gemm import matmul
from dseq.kernels.vector import BROAD, SHORTER
from dseq.kernels.winograd import (
    PLANES,
    scratch_size,
    winograd_forward,
    winograd_kernel,
    winograd_write_input,
    winograd_write_kernel,
)
from dseq.program.rewriting.winograd import pays

# samples, height, width, channels, kernel, filters, stride; padding is not part of these kernels
SHAPES = (
    (64, 28, 28, 1, 3, 32, 1),
    (64, 13, 13, 32, 3, 64, 1),
    (32, 34, 34, 3, 3, 32, 1),
    (32, 34, 34, 32, 3, 32, 1),
    (32, 18, 18, 32, 3, 64, 1),
    (32, 18, 18, 64, 3, 64, 1),
    (32, 10, 10, 128, 3, 128, 1),
    (4, 250, 250, 3, 5, 32, 2),
    (4, 123, 123, 32, 3, 32, 1),
    (32, 58, 58, 64, 3, 64, 1),
)
FORMS = ("forward", "dW", "dX")
LEAST = 0.003  # seconds of each contender in a round

# Run by the other interpreter: reads `form least shape` lines, answers with seconds in each memory format.
TORCH = """
import sys, time, torch
torch.set_num_threads(1)
known = {}

def runs(form, n, h, w, c, k, o, s):
    # Made as channels_last: with one channel the formats have the same strides, and then the slower path may be taken.
    x, kernel = torch.randn(n, h, w, c).permute(0, 3, 1, 2), torch.randn(o, c, k, k)
    dy = torch.randn(n, (h - k) // s + 1, (w - k) // s + 1, o).permute(0, 3, 1, 2)
    for layout in (torch.channels_last, torch.contiguous_format):
        a, b, d = (t.contiguous(memory_format=layout) for t in (x, kernel, dy))
        if form == "forward":
            yield lambda a=a, b=b: torch.nn.functional.conv2d(a, b, stride=s)
        else:
            wanted = [form == "dX", form == "dW", False]
            yield lambda a=a, b=b, d=d: torch.ops.aten.convolution_backward(
                d, a, b, [o], [s, s], [0, 0], [1, 1], False, [0, 0], 1, wanted)

with torch.no_grad():
    for line in sys.stdin:
        form, least, *shape = line.split()
        if line not in known:
            known = {line: list(runs(form, *map(int, shape)))}
            for run in known[line]:
                run()
        found = []
        for run in known[line]:
            begin, calls = time.thread_time(), 0
            while time.thread_time() - begin < float(least):
                run()
                calls += 1
            found.append((time.thread_time() - begin) / calls)
        print(*found, flush=True)
"""


class Torch:
    """PyTorch in another interpreter.

    Args:
        python: Path of an interpreter that has it.
    """

    def __init__(self, python):
        # It allocates every result: what is freed must stay, or each call pays for new pages.
        kept = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
        self._process = subprocess.Popen(
            [python, "-c", TORCH],
            env={**os.environ, **kept},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __call__(self, form, shape):
        """Seconds in the faster memory format."""
        print(form, LEAST, *shape, file=self._process.stdin, flush=True)
        return min(float(word) for word in self._process.stdout.readline().split())


@kernel
def products(c, a, b, times):
    for _ in range(times):
        matmul(c, a, b)


def calls_of(n, h, w, c, k, o, s):
    """The three calls of a shape, each with whether it goes by tiles, and their floating-point operations."""
    random = np.random.default_rng(0)
    oh, ow = (h - k) // s + 1, (w - k) // s + 1
    x, dx, y, dy = (aligned(shape, "f4") for shape in [(n, 1, h, w, c)] * 2 + [(n, 1, oh, ow, o)] * 2)
    taps, dw, turned = (aligned((1, k, k, *last), "f4") for last in ((c, o), (c, o), (o, c)))
    for array in (x, dy, taps):
        array[...] = random.standard_normal(array.shape)
    how = 1, s, s, 1, 1, 1, 1
    planes, turned_planes = aligned((PLANES, c, o), "f4"), aligned((PLANES, o, c), "f4")
    space = aligned((scratch_size(c, o, w, 4, True),), "f4")

    def forward():
        conv_forward(y, x, taps, None, *how, 0)

    def of_input():
        conv_transpose_kernel(turned, taps)
        conv_write_input(dx, dy, turned, *how, 0, 0, 0)

    def forward_by_tiles():
        winograd_kernel(planes, taps)
        winograd_forward(y, x, planes, None, space, 0, 0, 0)

    def of_input_by_tiles():
        conv_transpose_kernel(turned, taps)
        winograd_kernel(turned_planes, turned)
        winograd_write_input(dx, dy, turned_planes, space, 0, 0)

    ways = (
        (forward, forward_by_tiles, y, y),
        (lambda: conv_write_kernel(dw, x, dy, *how), lambda: winograd_write_kernel(dw, x, dy, space), y, y),
        (of_input, of_input_by_tiles, dx, dy),
    )
    tiles = [pays(result.shape[1:], image.shape[1:], taps.shape, how) for *_, result, image in ways]
    runs = [way[chosen] for way, chosen in zip(ways, tiles, strict=True)]
    return dict(zip(FORMS, zip(runs, tiles, strict=True), strict=True)), 2 * y.size * k * k * c


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", help="an interpreter that has PyTorch; this one if it has")
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--shapes", nargs="*", default=["x".join(map(str, shape)) for shape in SHAPES])
    options = parser.parse_args()
    if not JIT:
        raise SystemExit("This benchmark measures compiled kernels. Received: NUMBA_DISABLE_JIT=1. Unset it.")
    python = options.torch or sys.executable
    has = subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    torch = Torch(python) if has else None
    registers, count = np.full(CHAINS * BYTES // 4, 1e-3, "f4"), 100_000
    peak_flops = 2 * registers.size * count
    rows, width, depth = 16 * BROAD.rows[0], BROAD.vectors * BYTES // 4, SHORTER
    a, b, c = aligned((rows, depth), "f4"), aligned((depth, width), "f4"), aligned((rows, width), "f4")

    def peak():
        return peak_flops / _seconds(lambda: _peak(registers, count), LEAST)

    peak(), products(c, a, b, 1)
    once = 10 * 2 * c.size * depth
    tile = [once / _seconds(lambda: products(c, a, b, 10), LEAST) / peak() for _ in range(options.rounds)]
    print(f"the register tile on matrices in the caches: {np.median(tile):.0%} of {peak() / 1e9:.0f} GFLOP/s")
    print(f"{'n h w c, kernel, filters, stride':34s}" + "".join(f"{form:>9s}{'x torch':>9s}" for form in FORMS))
    ratios, results = {form: [] for form in FORMS}, {}
    for text in options.shapes:
        shape = tuple(map(int, text.split("x")))
        runs, flops = calls_of(*shape)
        line = f"{text:34s}"
        for form, (run, tiles) in runs.items():
            if form == "dX" and shape[3] <= 3:  # images as they are given need no gradient
                line += f"{'-':>9s}{'-':>9s}"
                continue
            run(), peak()
            found = []
            for _ in range(options.rounds):
                theirs = torch(form, shape) if torch else np.nan
                found.append((peak(), _seconds(run, LEAST), theirs))
            peaks, ours, theirs = np.transpose(found)
            share, ratio = np.median(flops / ours / peaks), np.median(theirs / ours)
            ratios[form].append(ratio)
            results[f"{text} {form}"] = {"of_peak": share, "times_torch": ratio}
            line += f"{share:>{8 if tiles else 9}.0%}{'t' * tiles}{ratio:>9.2f}"
        print(line, flush=True)
    means = "".join(f"{'':9s}{np.exp(np.mean(np.log(ratios[form] or [np.nan]))):>9.2f}" for form in FORMS)
    print(f"{'geometric mean':34s}{means}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
