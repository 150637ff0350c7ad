"""What the same bits on any number of ranks cost: `mpirun -n 2 python tests/benchmarks/bench_strict.py`.

A step in strict mode (8 shards) and one by default, in turns, with 256 rows a rank; the median of the ratios is what
counts. Also run it on one rank, without mpirun, and there with `DSEQ_NUM_THREADS=2`: then both are strict, and it shows
two threads against one.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import time

import numpy as np

import dseq
from dseq import config, layers
from dseq.parallel import communicator

world = communicator.get()
NETWORKS = [(784, 128, 10), (784, 512, 512, 10), (784, 2048, 2048, 10)]
ROWS = 256


def step_of(sizes, strict, threads):
    """A step of training, ready to be repeated."""
    config.threads = threads
    dseq.utils.set_random_seed(0)
    first, *hidden, last = sizes
    model = dseq.Sequential([dseq.Input((first,)), *(layers.Dense(n, "relu") for n in hidden)])
    model.add(layers.Dense(last, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", strict=strict)
    rng = np.random.default_rng(0)
    x = rng.random((ROWS * world.size, first), "float32")
    y = rng.integers(0, last, len(x))
    model.fit(x, y, batch_size=len(x), verbose=0)
    (session,) = (s for s in model._sessions.values() if hasattr(s, "engine"))
    session.reset()
    batch = session.feed([x], [y]), None, 0, len(x)
    return lambda: session.train(*batch)


def seconds(function, repeats):
    world.barrier()
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    rounds, threads = parser.parse_args().rounds, config.threads
    arms = [("default", False, 1), ("strict", True, 1)]
    if threads > 1:
        arms = [("1 thread", True, 1), (f"{threads} threads", True, threads)]
    for sizes in NETWORKS:
        steps = [step_of(sizes, strict, count) for _, strict, count in arms]
        # The same number on all ranks, or they would wait for each other.
        repeats = world.broadcast_object(max(1, int(0.05 / max(seconds(step, 3) for step in steps))))
        times = np.array([[seconds(step, repeats) for step in steps] for _ in range(rounds)])
        if world.rank == 0:
            a, b = np.median(times, axis=0) * 1e6
            print(
                f"{'-'.join(map(str, sizes)):20s} {world.size} rank(s), {ROWS} rows each: {arms[0][0]} {a:9.1f} us, "
                f"{arms[1][0]} {b:9.1f} us, ratio {np.median(times[:, 1] / times[:, 0]):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
