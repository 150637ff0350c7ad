"""A simulation on many ranks, and a network that learns from its fields while they are there: nothing goes to a disk.

    python examples/insitu.py
    mpirun -n 4 python examples/insitu.py
    mpirun -n 2 python examples/insitu.py --windows 1200

A front spreads over a periodic plate (Fisher's equation). Each rank has a strip of the rows and exchanges halos on the
simulation's own communicator; dseq works on a copy of it and leaves the rest of MPI alone. After each window of time
steps, ranks put samples of their strips together: a patch of the field and how its middle has changed since.
"""

import argparse

import numpy as np
from mpi4py import MPI

import dseq
from dseq import layers

parser = argparse.ArgumentParser()
parser.add_argument("--windows", type=int, default=480)
parser.add_argument("--size", type=int, default=64, help="rows and columns of the plate")
arguments = parser.parse_args()

STEPS = 4  # time steps of a window: what happens in a point depends on what is at most so many points away
SAMPLES = 256  # of a window, from all ranks together
size, comm = arguments.size, MPI.COMM_WORLD.Dup()
dseq.distribution.set_distribution(dseq.distribution.DataParallel(communicator=comm))


def with_halo(u, width):
    """The strip with so many rows and columns around it, from the ranks above and below and the other end."""
    above, below = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    top = comm.sendrecv(u[-width:], below, source=above)
    bottom = comm.sendrecv(u[:width], above, source=below)
    return np.pad(np.concatenate([top, u, bottom]), ((0, 0), (width, width)), mode="wrap")


def advance(u):
    """The strip one time step later."""
    p = with_halo(u, 1)
    spread = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u
    return u + 0.15 * spread + 0.1 * u * (1 - u)


def patches(u):
    """For each point of the strip what is at most STEPS away from it, as `(points, values)`."""
    around = np.lib.stride_tricks.sliding_window_view(with_halo(u, STEPS), (2 * STEPS + 1, 2 * STEPS + 1))
    return 2 * around.reshape(u.size, -1) - 1


dseq.utils.set_random_seed(1)
model = dseq.Sequential([dseq.Input(((2 * STEPS + 1) ** 2,)), layers.Dense(32, activation="tanh"), layers.Dense(1)])
model.compile(dseq.optimizers.Adam(0.003), "mse")

lo, hi = (size * r // comm.size for r in (comm.rank, comm.rank + 1))
everywhere, here = np.random.default_rng(2), np.random.default_rng([3, comm.rank])
shown = max(1, arguments.windows // 6)
u, losses, squares = np.zeros((hi - lo, size)), [], []
rows, columns = np.mgrid[lo:hi, :size]
for window in range(arguments.windows):
    if window % 4 == 0:  # something new: the same on all ranks, each sees its part
        row, column, level = everywhere.uniform(0, [size, size, 1])
        spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 40)
        u = u + spot * (level - u)
    x, before = patches(u), u
    for _ in range(STEPS):
        u = advance(u)
    chosen = here.choice(u.size, SAMPLES // comm.size, replace=False)
    y = 10 * (u - before).reshape(-1, 1)
    x_all = np.concatenate(comm.allgather(x[chosen].astype("float32")))
    y_all = np.concatenate(comm.allgather(y[chosen].astype("float32")))
    losses.append(model.train_on_batch(x_all, y_all))
    squares.append(np.mean(y_all**2))
    if (window + 1) % shown == 0:  # what the network made of windows before it learned from them
        loss, wrong = np.mean(losses[-shown:]), np.sqrt(sum(losses[-shown:]) / sum(squares[-shown:]))
        dseq.print_once(f"window {window + 1}: loss {loss:.5f}, error {wrong:.0%} of the change in a window")
