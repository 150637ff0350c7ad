"""Training on an HDF5 file larger than memory: how long steps wait for data, and how much memory a rank takes.

    mpirun -n 2 python tests/benchmarks/bench_input.py --gib 4 --limit 300

writes a file of images of 32 x 32 x 3 bytes, trains on it for one epoch, and removes it. A dense network whose step
takes some milliseconds stands in for a convolutional one. `--limit` is a limit in MB on each rank's own memory
(RLIMIT_DATA: all that is not a file), which the system enforces. The same steps on an array in memory are measured for
comparison.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import resource
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

import dseq as keras
from dseq import layers
from dseq.parallel import communicator

SHAPE = (32, 32, 3)
BYTES = 32 * 32 * 3


def write(path, samples, block=1 << 14):
    """Writes random images and labels, some megabytes at a time."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        x = file.create_dataset("images", (samples, *SHAPE), np.uint8)
        for lo in range(0, samples, block):
            rows = min(block, samples - lo)
            x[lo : lo + rows] = rng.integers(0, 256, (rows, *SHAPE), np.uint8)
        file["labels"] = rng.integers(0, 10, samples).astype(np.uint8)


def network(units):
    keras.utils.set_random_seed(0)
    stack = [keras.Input(SHAPE), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(units, "relu")]
    model = keras.Sequential([*stack, layers.Dense(units, "relu"), layers.Dense(10, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=0.25, help="size of the file")
    parser.add_argument("--limit", type=int, default=0, help="MB of memory that a rank may take, 0 for no limit")
    parser.add_argument("--buffer", type=int, default=32, help="MB of the buffer over all ranks")
    parser.add_argument("--batch", type=int, default=64, help="samples of a global batch")
    parser.add_argument("--units", type=int, default=512, help="width of the dense layers")
    parser.add_argument("--shuffle", default="True", choices=["True", "False", "batch"])
    parser.add_argument("--folder", default=None, help="where to write the file")
    options = parser.parse_args()
    world = communicator.get()
    samples = int(options.gib * (1 << 30)) // (BYTES + 1)
    shuffle = {"True": True, "False": False}.get(options.shuffle, options.shuffle)

    folder = tempfile.mkdtemp(dir=options.folder) if world.rank == 0 else None
    path = Path(world.broadcast_object(folder)) / "data.h5"
    try:
        world.share_outcome(lambda: write(path, samples))
        model = network(options.units)
        x = np.zeros((options.batch * 50, *SHAPE), np.uint8)
        y = np.zeros(len(x), np.int64)
        model.fit(x, y, batch_size=options.batch, verbose=0)
        if options.limit:
            resource.setrlimit(resource.RLIMIT_DATA, (options.limit << 20,) * 2)
        begin = time.perf_counter()
        model.fit(x, y, batch_size=options.batch, epochs=6, verbose=0)
        in_memory = (time.perf_counter() - begin) / 300
        del x, y
        data = keras.data.HDF5(path, "images", "labels", buffer_size=options.buffer << 20)
        begin = time.perf_counter()
        model.fit(data, batch_size=options.batch, shuffle=shuffle, verbose=0)
        seconds = time.perf_counter() - begin
        steps = -(-samples // options.batch)
        unit = 1 << 10 if os.uname().sysname == "Linux" else 1
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        ranks = world.allgather_object((peak, data.bytes_read, data.seconds_waited))
        if world.rank == 0:
            print(f"{world.size} ranks, a file of {options.gib} GiB, {steps} steps of {options.batch} samples")
            print(f"a step on arrays {in_memory * 1e3:.2f} ms, on the file {seconds / steps * 1e3:.2f} ms")
            for rank, (peak, read, waited) in enumerate(ranks):
                print(
                    f"rank {rank}: waited {100 * waited / seconds:.2f} % of the time, read {read / 1e6:.0f} MB, "
                    f"resident at most {peak / 1e6:.0f} MB"
                )
        data.close()
    finally:
        world.barrier()
        if world.rank == 0:
            path.unlink(missing_ok=True)
            path.parent.rmdir()


if __name__ == "__main__":
    main()
