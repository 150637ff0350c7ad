"""Graphs: how soon a deep one trains, what freezing saves, and a step of a residual tower against PyTorch.

python tests/benchmarks/bench_graphs.py

The tower has 50 residual blocks of 64 units. Its first step is timed in processes of their own: cold (nothing compiled
is on disk), warm (a process before has left its cache), and for a second model of the same architecture in the same
process, which must compile nothing. The frozen trunk holds 90 % of the parameters of its model. Steps are measured in
turn, A B A B; ratios are medians of the pairs' ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_training import installed, machine
from networks import CLASSES, data
from worker import SINGLE_THREADED, Worker, clock, fit_timer, pin, serve

BLOCKS, WIDTH, BATCH = 50, 64, 64
HERE = Path(__file__)


def tower(keras):
    layers = keras.layers
    x = keras.Input((784,))
    h = layers.Dense(WIDTH, activation="relu")(x)
    for _ in range(BLOCKS):
        h = layers.Add()([h, layers.Dense(WIDTH, activation="relu")(h)])
    return compiled(keras.Model(x, layers.Dense(CLASSES, activation="softmax")(h)))


def fine_tuned(keras, frozen):
    """A trunk with 90 % of the parameters, and a head."""
    layers = keras.layers
    trunk = keras.Sequential([keras.Input((784,)), *(layers.Dense(512, activation="relu") for _ in range(3))])
    x = keras.Input((784,))
    h = layers.Dense(180, activation="relu")(trunk(x))
    model = keras.Model(x, layers.Dense(CLASSES, activation="softmax")(h))
    share = trunk.count_params() / model.count_params()
    assert 0.9 <= share < 0.92, f"the trunk has {share:.1%} of the parameters"
    trunk.trainable = not frozen
    return compiled(model)


def compiled(model):
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def torch_tower():
    import torch
    from torch import nn

    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(784, WIDTH)
            self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(BLOCKS))
            self.last = nn.Linear(WIDTH, CLASSES)

        def forward(self, x):
            h = torch.relu(self.first(x))
            for block in self.blocks:
                h = h + torch.relu(block(h))
            return self.last(h)

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    x, y = (torch.from_numpy(array) for array in data())
    model, y, loss_function = Tower(), y.long(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def epoch():
        start, order = clock(), torch.randperm(len(x))
        for first in range(0, len(x), BATCH):
            mine = order[first : first + BATCH]
            optimizer.zero_grad(set_to_none=True)
            loss_function(model(x.index_select(0, mine)), y.index_select(0, mine)).backward()
            optimizer.step()
        return (clock() - start) / (len(x) // BATCH)

    def run(seconds):
        end, times = time.perf_counter() + seconds, [epoch()]
        while time.perf_counter() < end:
            times.append(epoch())
        return times

    return run


def prepare(what):
    if what == "torch tower":
        return torch_tower()
    import dseq

    dseq.utils.set_random_seed(0)
    model = tower(dseq) if what == "tower" else fine_tuned(dseq, what == "frozen")
    return fit_timer(model, dseq, *data(), BATCH)


def first_steps():
    """Prints seconds until the first and the second model's first step is done, and how many files the second left."""
    import dseq

    x, y = (array[:BATCH] for array in data())
    seconds, files = [], []
    for _ in range(2):
        start = time.perf_counter()
        tower(dseq).fit(x, y, batch_size=BATCH, verbose=0)
        seconds.append(time.perf_counter() - start)
        files.append(sum(path.is_file() for path in Path(os.environ["DSEQ_CACHE"]).rglob("*")))
    print(json.dumps([*seconds, files[1] - files[0]]))


def bench_first_steps(rounds):
    rows = {"cold": [], "warm": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for row in rows.values():
                done = subprocess.run(
                    [sys.executable, str(HERE), "--first"],
                    env=os.environ | SINGLE_THREADED | {"DSEQ_CACHE": folder},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                row.append(json.loads(done.stdout.splitlines()[-1]))
    for name, row in rows.items():
        first, second, files = (statistics.median(column) for column in zip(*row, strict=True))
        print(
            f"tower, first step, {name}: {first:.2f} s; a second model: {second:.3f} s, {files:.0f} new files of code"
        )


def bench_pairs(a, b, worker_a, worker_b, pairs, seconds):
    """Medians of a's and b's us per step, and of the pairs' ratios b / a."""
    times = []
    for _ in range(pairs):
        own = worker_a.microseconds(seconds, what=a)
        times.append((own, worker_b.microseconds(seconds, what=b)))
    return (*map(statistics.median, zip(*times, strict=True)), statistics.median(y / x for x, y in times))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="pairs of measurements per row; default: 5")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a measurement; default: 0.5")
    parser.add_argument("--rounds", type=int, default=3, help="processes per first step; default: 3")
    arguments = parser.parse_args()
    print(machine())
    print(f"float32, one thread, batch {BATCH}")
    bench_first_steps(arguments.rounds)
    own = Worker(HERE)
    options = arguments.pairs, arguments.seconds
    frozen, free, ratio = bench_pairs("frozen", "free", own, own, *options)
    print(f"trunk of 90 %: {free:.0f} us per step, frozen {frozen:.0f} us: {ratio:.2f} x as fast")
    if installed(("torch",)):
        peer = Worker(HERE)
        mine, theirs, ratio = bench_pairs("tower", "torch tower", own, peer, *options)
        peer.close()
        print(f"tower: dseq {mine:.0f} us per step, PyTorch with fused Adam {theirs:.0f} us: {ratio:.2f} x as fast")
    else:
        print("PyTorch is skipped, it is not installed: pip install torch (its CPU build suffices)")
    own.close()


if __name__ == "__main__":
    os.environ.update(SINGLE_THREADED)
    if "--serve" in sys.argv:
        pin(int(sys.argv[-1]))
        serve(prepare)
    elif "--first" in sys.argv:
        first_steps()
    else:
        main()
