"""Depthwise convolutions against PyTorch, in turn: `python tests/benchmarks/bench_depthwise.py [--torch INTERPRETER]`.

PyTorch runs on channels_last or not, whichever is faster, in an interpreter of its own; both have one thread. Times are
of the processor, medians of rounds in turn, as other programs may be running.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

# Of MobileNetV2, Xception and EfficientNet: height and width, channels, size of the kernel, stride; "same" padding.
SHAPES = (
    (112, 32, 3, 1),
    (112, 96, 3, 2),
    (56, 144, 3, 2),
    (56, 144, 3, 1),
    (28, 240, 5, 1),
    (19, 728, 3, 1),
    (14, 480, 5, 1),
    (7, 960, 3, 1),
)
FORMS = ("forward", "dX", "dW")


def seconds(run, least=0.02):
    """The mean time of one call over at least `least` seconds of this thread."""
    begin, calls = time.thread_time(), 0
    while True:
        run()
        calls += 1
        elapsed = time.thread_time() - begin
        if elapsed >= least:
            return elapsed / calls


def aligned(*shape):
    """Random numbers that start at a cache line, as every block of dseq's arenas does."""
    raw = np.zeros(4 * int(np.prod(shape)) + 64, np.uint8)
    first = -raw.ctypes.data % 64
    array = raw[first : first + 4 * int(np.prod(shape))].view(np.float32).reshape(shape)
    array[...] = np.random.default_rng(0).standard_normal(shape)
    return array


def own(rows, size, channels, window, stride):
    """dseq's kernels as functions without arguments, by form."""
    from dseq.kernels.depthwise import depthwise_backward_kernel, depthwise_forward, depthwise_write_input

    output = -(-size // stride)
    before = max((output - 1) * stride + window - size, 0) // 2
    how = (stride, stride, 1, 1, before, before)
    x, dx = aligned(rows, size, size, channels), aligned(rows, size, size, channels)
    y, dy = aligned(rows, output, output, channels), aligned(rows, output, output, channels)
    w, dw, b = aligned(window, window, channels), aligned(window, window, channels), aligned(channels)
    return {
        "forward": lambda: depthwise_forward(y, x, w, b, *how, 0),
        "dX": lambda: depthwise_write_input(dx, dy, w, *how),
        "dW": lambda: depthwise_backward_kernel(dw, x, dy, *how),
    }


def torch_runs(rows, size, channels, window, stride):
    """PyTorch's as functions without arguments, by form: one for each layout."""
    import torch

    torch.set_num_threads(1)
    runs = {form: [] for form in FORMS}
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(rows, channels, size, size).contiguous(memory_format=layout)
        w, b = torch.randn(channels, 1, window, window).contiguous(memory_format=layout), torch.randn(channels)

        def forward(x=x, w=w, b=b):
            return torch.nn.functional.conv2d(x, w, b, stride, window // 2, groups=channels)

        dy = torch.randn_like(forward())

        def backward(wanted, x=x, w=w, dy=dy):
            sides = [stride] * 2, [window // 2] * 2, [1, 1]
            torch.ops.aten.convolution_backward(dy, x, w, None, *sides, False, [0, 0], channels, wanted)

        runs["forward"].append(forward)
        runs["dX"].append(lambda backward=backward: backward([True, False, False]))
        runs["dW"].append(lambda backward=backward: backward([False, True, False]))
    return runs


def serve():
    """Answers lines of `rows size channels window stride` with the seconds of each form."""
    known, runs = None, None
    for line in sys.stdin:
        if line != known:
            known, runs = line, torch_runs(*map(int, line.split()))
            best = {form: min(tried, key=lambda run: seconds(run, 0.05)) for form, tried in runs.items()}
        print(json.dumps({form: seconds(run) for form, run in best.items()}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", help="an interpreter that has PyTorch; this one if it has")
    parser.add_argument("--rows", type=int, default=4, help="images at once")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve()
    python, other = options.torch or sys.executable, None
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        other = subprocess.Popen([python, str(Path(__file__)), "--serve"], **pipes)
    print(f"{options.rows} images; microseconds an image, GFLOP/s, times PyTorch")
    print(f"{'size x channels':<20}{'kernel':<12}" + "".join(f"{form:>12}{'':>12}" for form in FORMS))
    for shape in SHAPES:
        runs, pairs = own(options.rows, *shape), []
        for run in runs.values():
            run()
        for _ in range(options.rounds):
            ours, theirs = {form: seconds(run) for form, run in runs.items()}, dict.fromkeys(FORMS, np.nan)
            if other:
                print(options.rows, *shape, file=other.stdin, flush=True)
                theirs = json.loads(other.stdout.readline())
            pairs.append([(ours[form], theirs[form] / ours[form]) for form in FORMS])
        size, channels, window, stride = shape
        work = 2 * options.rows * (-(-size // stride)) ** 2 * channels * window**2
        found = [
            f"{1e6 * t / options.rows:>8.0f}{work / t / 1e9:>7.0f}{ratio:>8.2f}x" for t, ratio in np.median(pairs, 0)
        ]
        print(f"{size:>4}x{size} x {channels:<9}{window}x{window} / {stride:<6}" + "".join(found), flush=True)


if __name__ == "__main__":
    main()
