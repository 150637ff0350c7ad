"""Whole training steps of convolutional networks against PyTorch, in turn, and where the time goes:

python tests/benchmarks/bench_convnets.py [--torch INTERPRETER] [--profile] [names]

PyTorch runs channels_last or not, Adam fused or not, whichever is fastest, in an interpreter of its own; both have one
thread. Times are of the processor, the medians of rounds in turn, as other programs may be running. `--profile`
lists the kernels of the step with the time each takes when its calls are made one by one.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

NETWORKS = {"small": ((28, 28, 1), 64, 10), "vgg": ((32, 32, 3), 32, 10), "resnet50": ((224, 224, 3), 8, 1000)}
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # of ResNet50: channels, blocks, stride


def build(name):
    """The network as a model of dseq."""
    import dseq
    from dseq import layers as L

    dseq.utils.set_random_seed(0)
    shape, _, classes = NETWORKS[name]

    def normalized(x, channels, size, stride=1, relu=True):
        x = L.Conv2D(channels, size, stride, "same", use_bias=False)(x)
        x = L.BatchNormalization()(x)
        return L.ReLU()(x) if relu else x

    x = y = L.Input(shape)
    if name == "small":
        y = L.MaxPooling2D()(L.Conv2D(32, 3, activation="relu")(y))
        y = L.Flatten()(L.MaxPooling2D()(L.Conv2D(64, 3, activation="relu")(y)))
    elif name == "vgg":
        for channels in (32, 64, 128):
            y = L.MaxPooling2D()(normalized(normalized(y, channels, 3), channels, 3))
        y = L.Dense(256, "relu")(L.Flatten()(y))
    else:
        y = L.MaxPooling2D(3, 2, "same")(normalized(y, 64, 7, 2))
        for channels, blocks, stride in STAGES:
            for i in range(blocks):
                step = stride if i == 0 else 1
                branch = normalized(normalized(y, channels, 1), channels, 3, step)
                branch = normalized(branch, 4 * channels, 1, relu=False)
                y = normalized(y, 4 * channels, 1, step, relu=False) if i == 0 else y
                y = L.ReLU()(L.Add()([y, branch]))
        y = L.GlobalAveragePooling2D()(y)
    model = dseq.Model(x, L.Dense(classes, "softmax")(y))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def data(name):
    shape, rows, classes = NETWORKS[name]
    random = np.random.default_rng(0)
    return random.standard_normal((rows, *shape), np.float32), random.integers(0, classes, rows)


def own_step(name):
    """`(train, session)`: a function that trains one step, and what it runs."""
    from dseq.parallel import communicator
    from dseq.training.session import Training

    x, y = data(name)
    session = Training(build(name), [x], [y], False)
    feed = session.feed([x], [y])
    session.begin(communicator.get(), "fit", feed)
    session.reset()
    return lambda: session.train(feed, None, 0, len(x)), session


def torch_step(name, channels_last, fused):
    """A function that trains one step of the same network in PyTorch; no metric, the loss stays where it is."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)

    def normalized(inputs, channels, size, stride=1, relu=True):
        made = [
            nn.Conv2d(inputs, channels, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01),
        ]
        return nn.Sequential(*made, *[nn.ReLU(inplace=True)] * relu)

    class Block(nn.Module):
        def __init__(self, inputs, channels, stride, first):
            super().__init__()
            self.branch = nn.Sequential(
                normalized(inputs, channels, 1),
                normalized(channels, channels, 3, stride),
                normalized(channels, 4 * channels, 1, relu=False),
            )
            self.straight = normalized(inputs, 4 * channels, 1, stride, relu=False) if first else nn.Identity()

        def forward(self, x):
            return torch.relu_(self.straight(x) + self.branch(x))

    if name == "small":
        parts = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
        parts += [nn.Flatten(), nn.Linear(1600, 10)]
    elif name == "vgg":
        parts, inputs = [], 3
        for channels in (32, 64, 128):
            parts += [normalized(inputs, channels, 3), normalized(channels, channels, 3), nn.MaxPool2d(2)]
            inputs = channels
        parts += [nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 10)]
    else:
        parts, inputs = [normalized(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
        for channels, blocks, stride in STAGES:
            for i in range(blocks):
                parts.append(Block(inputs, channels, stride if i == 0 else 1, i == 0))
                inputs = 4 * channels
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000)]
    model, loss = nn.Sequential(*parts), nn.CrossEntropyLoss()
    x, y = (torch.from_numpy(array) for array in data(name))
    x = x.permute(0, 3, 1, 2)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model, x = model.to(memory_format=layout), x.contiguous(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=fused)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(model(x), y).backward()
        optimizer.step()

    return step


def seconds(step):
    start = time.process_time()
    step()
    return time.process_time() - start


def serve():
    """Answers `name channels_last fused` lines with the processor time of a step."""
    known = {}
    for line in sys.stdin:
        name, *how = line.split()
        if line not in known:
            known.clear()
            known[line] = torch_step(name, *(word == "1" for word in how))
            known[line]()
        print(json.dumps(min(seconds(known[line]) for _ in range(1 if name == "resnet50" else 5))), flush=True)


class Torch:
    """PyTorch in another interpreter, at the settings that were fastest in a trial."""

    def __init__(self, python):
        self._process = subprocess.Popen(
            [python, str(Path(__file__)), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def _ask(self, name, how):
        print(name, *map(int, how), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def choose(self, name):
        tried = {how: min(self._ask(name, how) for _ in range(2)) for how in ((1, 1), (0, 1), (1, 0), (0, 0))}
        self._how = min(tried, key=tried.get)
        self._ask(name, self._how)
        return ", ".join(word for word, on in zip(("channels_last", "fused"), self._how, strict=True) if on)

    def __call__(self, name):
        return self._ask(name, self._how)


def profile(session, rounds=5):
    """Prints the least time of each kernel, made one by one, and the number of its calls."""
    step, times = session.step, defaultdict(float)
    counts = defaultdict(int)
    calls = session.plan.calls()
    found = np.array(
        [[seconds(lambda i=i: step._run(i, i + 1, (0,), None)) for i in range(len(calls))] for _ in range(rounds)]
    )
    for (kernel, _), least in zip(calls, found.min(0), strict=True):
        times[kernel.__name__] += least
        counts[kernel.__name__] += 1
    total = sum(times.values())
    for name in sorted(times, key=times.get, reverse=True):
        if times[name] > total / 200:
            print(f"    {name:28s}{counts[name]:5d} calls{1e3 * times[name]:10.3f} ms{times[name] / total:8.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(NETWORKS)}")
    parser.add_argument("--torch", help="an interpreter that has PyTorch; this one if it has")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve()
    python = options.torch or sys.executable
    has = subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0
    torch = Torch(python) if has else None
    for name in options.names or NETWORKS:
        train, session = own_step(name)
        train()
        how = torch.choose(name) if torch else "not here"
        pairs = [(min(seconds(train) for _ in range(1 if name == "resnet50" else 5)), torch(name) if torch else np.nan)
                 for _ in range(options.rounds)]  # fmt: skip
        ours, theirs = np.median(pairs, 0)
        print(
            f"{name}: {1e3 * ours:.2f} ms, PyTorch ({how}) {1e3 * theirs:.2f} ms, ratio "
            f"{np.median([b / a for a, b in pairs]):.2f}; {session.step.activation_bytes / 2**20:.1f} MiB activations",
            flush=True,
        )
        if options.profile:
            profile(session)


if __name__ == "__main__":
    main()
