"""Calls every method of the communicator; each result is a formula in the number of ranks."""

import sys
import time
from pathlib import Path

import numpy as np

from dseq.parallel import communicator, engine

folder = Path(sys.argv[1])
world = communicator.get()
rank, size = world.rank, world.size
total = size * (size + 1) // 2
assert 0 <= rank < size and world.local_size == size and world.local_rank == rank and world.host

for dtype in ("float32", "float64", "int64", "int32"):
    for repeat in range(2):  # the second time, all is set up already
        values = (np.arange(10, dtype=dtype) + repeat) * (rank + 1)
        assert world.allreduce_sum(values) is values
        np.testing.assert_array_equal(values, (np.arange(10) + repeat) * total)
matrix = np.full((2, 3), rank + 1.0)
np.testing.assert_array_equal(world.allreduce_sum(matrix), np.full((2, 3), total))
assert world.allreduce_sum(np.empty(0)).size == 0
assert world.allreduce_sum(np.array(1.0)) == size
try:
    world.allreduce_sum(np.ones((4, 4))[:, :2])
except ValueError as error:
    assert "C-contiguous" in str(error)
else:
    assert size == 1

for root in (0, size - 1):
    for array in (
        np.full(5, rank, "int32"),
        np.array(rank),
        np.array([rank > 0] * 3),
        np.full((2, 2), rank, "float64"),
    ):
        world.broadcast(array, root)
        assert (array == array.dtype.type(root)).all()
    assert world.broadcast_object({"rank": rank}, root) == {"rank": root}
    gathered = world.gather_object(rank, root)
    assert gathered == (list(range(size)) if rank == root else None)
world.broadcast(np.empty(0))
assert world.allgather_object("x" * rank) == ["x" * r for r in range(size)]

for counts in ([1] * size, list(range(size)), [0] * (size - 1) + [3], [0] * size):
    for shape in ((), (3,), (2, 0)):
        rows = world.allgather_rows(np.full((counts[rank], *shape), rank, "float32"), counts)
        expected = np.repeat(np.arange(size, dtype="float32"), counts)
        assert rows.shape == (sum(counts), *shape) and rows.dtype == "float32"
        assert (rows == expected.reshape(-1, *[1] * len(shape))).all()
transposed = np.full((2, 3), rank).T
assert world.allgather_rows(transposed, [3] * size).shape == (3 * size, 2)

assert world.share_outcome(lambda: ("of", rank)) == ("of", 0)
made = folder / "made"


def first_makes():
    if world.local_rank == 0:
        time.sleep(0.2)
        made.write_text("once")
    return made.read_text() + str(rank)  # not there yet, if this rank did not wait


assert world.on_node_first(first_makes) == f"once{rank}"


class Awkward(Exception):
    """Cannot be pickled back: its arguments are not those of `__init__`."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


def failing(kind, *where):
    def function():
        if rank in where:
            raise kind
        return rank

    return function


for method, function, kind, words in (
    (world.share_outcome, failing(FileExistsError(17, "there", "f"), 0), FileExistsError, "there"),
    (world.share_outcome, failing(Awkward("one", "two"), 0), Exception, "one and two"),
    (world.on_node_first, failing(KeyError("first"), 0), KeyError, "first"),
    (world.on_node_first, failing(KeyError("last"), size - 1), KeyError, "last"),
    (world.on_node_first, failing(ValueError("all"), *range(size)), ValueError, "all"),
):
    try:
        method(function)
    except kind as error:
        assert words in str(error)
    else:
        raise AssertionError(f"{method.__name__} on rank {rank} did not raise {kind.__name__}")

# A difference of two ranks is an error on all, in every kind of call; then all go on.
with world.section("outer"):
    world.agree("outer", [("a", "1")])
    with world.section("inner"):
        world.agree("inner")
    try:
        with world.section("inner"):
            world.agree("inner")
            raise ValueError("on all ranks alike")
    except ValueError as error:
        assert "alike" in str(error)

assert world.nodes == (tuple(range(size)),) and world.node == 0 and world.machine_size == size
assert type(engine.get("auto", world)).__name__ == ("Solo" if size == 1 else "Node")
assert engine.get("auto", world).name == engine.expected("auto", world)
chosen = engine.get("flat", world)
assert type(chosen).__name__ == ("Solo" if size == 1 else "Flat")
params = chosen.allocate("params", 4 * 100).view("float32")
grads = chosen.gradients(4 * 103)[0, : 4 * 103].view("float32")
assert params.ctypes.data % 64 == grads.ctypes.data % 64 == 0 and not grads.any()
params[:] = rank
chosen.broadcast(params)
assert not params.any()
for step in range(3):
    grads[:] = (rank + 1) * (step + 1)
    chosen.reduce(grads)
    assert (grads == total * (step + 1)).all()
another = np.full(5, rank + 1.0)
chosen.reduce(another)
assert (another == total).all()
assert chosen.owned(100) == (0, 100)
chosen.finish(params)

world.barrier()
communicator.print_once("printed once")
sys.stdout.write(f"rank {rank}: all methods agree\n")
