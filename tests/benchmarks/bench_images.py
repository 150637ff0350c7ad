"""What lies between convolutions, against PyTorch's channels_last and a copy of as many bytes, in one run:

python tests/benchmarks/bench_images.py [--torch INTERPRETER] [names]

Forward and backward of a training step: normalisation, activations, pooling, sums of branches, and the gradient of a
bias. All numbers are processor times, the least over rounds in which every contender runs once, as other programs on
the machine only add to them. PyTorch runs in an interpreter of its own, which waits while dseq computes. A copy reads
as much as it writes (`np.copyto`); GB/s count what an operation must at least read and write, were every array too
large to stay in a cache.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import subprocess
import sys
import time

import numpy as np

from dseq import layers
from dseq.layers.core.input_layer import Input
from dseq.program.memory import Parameters, aligned
from dseq.program.operand import Operand
from dseq.program.plan import Plan
from dseq.program.rewriting import rewrite
from dseq.program.step import Step

# (rows, height, width, channels); of a VGG on 32 x 32 and of ResNet50 on 224 x 224
SMALL = [(32, 32, 32, 32), (32, 16, 16, 64), (32, 8, 8, 128)]
LARGE = [(8, 112, 112, 64), (8, 56, 56, 256), (8, 28, 28, 512), (8, 7, 7, 2048)]
THIN = [(32, 32, 32, 3), (32, 32, 32, 24)]


class Sum(layers.Layer):
    """`relu(x + x')`, where x' is another view of x that gets a gradient of its own."""

    def call(self, x):
        return layers.ReLU()(layers.Add()([layers.ReLU()(x), x]))


# Arrays of the size of x that must be read and written in forward and backward; the layers; PyTorch's function.
CASES = {
    "BN": (3, 5, lambda: [layers.BatchNormalization()], "bn(x)", SMALL + LARGE + THIN),
    "BN relu": (3, 5, lambda: [layers.BatchNormalization(), layers.ReLU()], "F.relu_(bn(x))", SMALL + LARGE + THIN),
    "relu": (2, 3, lambda: [layers.ReLU()], "F.relu(x)", SMALL + LARGE[:2]),
    "max 2x2": (1.25, 2.5, lambda: [layers.MaxPooling2D()], "F.max_pool2d(x, 2)", SMALL + LARGE[:2]),
    "max 3x3/2": (1.25, 2.5, lambda: [layers.MaxPooling2D(3, 2, "same")], "F.max_pool2d(x, 3, 2, 1)", LARGE[:1]),
    "mean 2x2": (1.25, 1.25, lambda: [layers.AveragePooling2D(2)], "F.avg_pool2d(x, 2)", SMALL[:2]),
    "global mean": (1, 1, lambda: [layers.GlobalAveragePooling2D()], "x.mean((2, 3))", SMALL[2:] + LARGE[3:]),
    "branches": (5, 5, lambda: [Sum()], "F.relu_(F.relu(x) + x)", SMALL[:1] + LARGE[1:3]),
}

# Run by the other interpreter: reads `expression; n h w c` lines, answers with seconds of forward and backward.
TORCH = """
import sys, time, torch
import torch.nn.functional as F
torch.set_num_threads(1)
known = {}
for line in sys.stdin:
    text, shape = line.split(";")
    if line not in known:
        n, h, w, c = map(int, shape.split())
        x = torch.randn(n, c, h, w).to(memory_format=torch.channels_last).requires_grad_()
        bn = torch.nn.BatchNorm2d(c, eps=1e-3)
        scope = {"F": F, "bn": bn, "x": x}
        run = eval(f"lambda: {text}", scope)
        y = run()
        dy = torch.randn(y.shape)
        known[line] = run, x, dy.to(memory_format=torch.channels_last) if dy.ndim == 4 else dy
    run, x, dy = known[line]
    x.grad = None
    start = time.process_time()
    y = run()
    middle = time.process_time()
    y.backward(dy)
    print(middle - start, time.process_time() - middle, flush=True)
"""


class Torch:
    """PyTorch in another interpreter.

    Args:
        python: Path of an interpreter that has it.
    """

    def __init__(self, python):
        self._process = subprocess.Popen(
            [python, "-c", TORCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __call__(self, text, shape):
        print(f"{text};{' '.join(map(str, shape))}", file=self._process.stdin, flush=True)
        return [float(word) for word in self._process.stdout.readline().split()]


def step_of(stack, shape):
    """The step of layers on images, rewritten as in training; gradients come from outside."""
    rows, *image = shape
    tensor, variables = Input(tuple(image)), []
    for layer in stack:
        tensor = layer(tensor)
        variables += layer.variables
    trainable = [v for v in variables if v.trainable]
    plan = Plan(True, "float32", trainable)
    x = y = plan.input("x", tuple(image))
    x.grad = Operand("d x", x.shape, "activation_grads", x.dtype)
    plan.blocks.append(x.grad)
    for layer in stack:
        (y,) = layer.lower_into(plan, [y])
    plan.give(y.grad)
    rewrite(plan, [y, x.grad])
    frozen = [v for v in variables if not v.trainable]
    step = Step(plan, Parameters(trainable, frozen, plan.tail_size, plan.dtype))
    step.bind(rows)
    for operand in (x, y.grad):
        array = step.array(operand)
        array[...] = np.random.default_rng(0).standard_normal(array.shape)
    return step


def seconds(function):
    start = time.thread_time()
    function()
    return time.thread_time() - start


def measure(make, text, shape, torch, rounds):
    """The least of all rounds: seconds of dseq's and PyTorch's forward and backward, and of a copy of x."""
    step, found = step_of(make(), shape), []
    source, target = (aligned(4 * int(np.prod(shape))).view("f4") for _ in range(2))

    for _ in range(rounds):
        found.append(
            [
                seconds(step.forward),
                seconds(step.backward),
                seconds(lambda: np.copyto(target, source)),
                *(torch(text, shape) if torch else (np.nan, np.nan)),
            ]
        )
    return np.min(found[2:], axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--torch", help="an interpreter that has PyTorch; this one if it has")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    python = options.torch or sys.executable
    has = subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    torch = Torch(python) if has else None
    print(f"{'ms':30s}{'forward':>9s}{'torch':>8s}{'backward':>10s}{'torch':>8s}{'ratio':>7s}{'GB/s':>7s}{'copy':>7s}")
    for name in options.names or CASES:
        reads, writes, make, text, shapes = CASES[name]
        for shape in shapes:
            ours, back, copy, theirs, their_back = measure(make, text, shape, torch, options.rounds)
            size = 4 * np.prod(shape)
            speed, bound = (reads + writes) * size / (ours + back) / 1e9, 2 * size / copy / 1e9
            ratio = (theirs + their_back) / (ours + back)
            ms = [f"{1e3 * value:.3g}" for value in (ours, theirs, back, their_back)]
            title, times = f"{name} {'x'.join(map(str, shape))}", f"{ms[0]:>9s}{ms[1]:>8s}{ms[2]:>10s}{ms[3]:>8s}"
            print(f"{title:30s}{times}{ratio:7.2f}{speed:7.1f}{bound:7.1f}", flush=True)


if __name__ == "__main__":
    main()
