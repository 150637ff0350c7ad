"""The arenas: flat memory, aligned blocks, and who owns a weight."""

from math import prod

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

_adoptions = 0  # how often the memory of a weight has changed
_takeovers = 0  # how often an arena took weights from another: the same number on all ranks


def aligned(nbytes: int) -> np.ndarray:
    """Zeroed bytes that begin at a multiple of `ALIGNMENT`."""
    raw = np.zeros(nbytes + ALIGNMENT, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT
    return raw[skip : skip + nbytes]


def offsets(shapes, dtype) -> tuple[list[int], int]:
    """Where blocks of these shapes begin in one arena, in elements, and the arena's size.

    The optimizer's slots use the same layout as the weights, so that one slice addresses both.
    """
    step = ALIGNMENT // np.dtype(dtype).itemsize
    starts, total = [], 0
    for shape in shapes:
        starts.append(total)
        total += -(-prod(shape) // step) * step
    return starts, total


def pack(lifetimes) -> tuple[list[int], int]:
    """Places blocks so that those whose lives do not overlap may share memory.

    Each takes the lowest place that no block alive at the same time has; large ones first.

    Args:
        lifetimes: List of (size, first, last): the size, and the first and last call that touch the block.

    Returns:
        `(starts, total)`: where each block begins, and the size of all.
    """
    starts, placed, total = [0] * len(lifetimes), [], 0
    for i in sorted(range(len(lifetimes)), key=lambda i: -lifetimes[i][0]):
        size, first, last = lifetimes[i]
        start = 0
        for other, stop in sorted((starts[k], starts[k] + lifetimes[k][0]) for k in placed
                                  if lifetimes[k][1] <= last and first <= lifetimes[k][2]):  # fmt: skip
            if other - start >= size:
                break
            start = max(start, stop)
        starts[i] = start
        placed.append(i)
        total = max(total, start + size)
    return starts, total


def room(block) -> int:
    """Bytes of a block in its arena: for each row, or in all if it has no rows."""
    nbytes = block.size * np.dtype(block.dtype).itemsize
    unit = 4 if block.per_row else ALIGNMENT  # with a multiple of 16 rows, blocks of 4 bytes begin at 64 too
    return -(-nbytes // unit) * unit


def merged(bounds) -> list:
    """Ranges in rising order, with those that touch made one."""
    result = []
    for start, stop in bounds:
        if result and result[-1][1] == start:
            result[-1][1] = stop
        else:
            result.append([start, stop])
    return result


def divided(lo, hi, ranges) -> list:
    """A range cut at the ends of others.

    Args:
        lo: Where it begins.
        hi: Its end.
        ranges: Others, in rising order.

    Returns:
        List of `(start, stop, inside)`, in order: the parts, and whether they are in one of the others.
    """
    parts = []
    for start, stop in ranges:
        start, stop = max(start, lo), min(stop, hi)
        if start < stop:
            parts += [(lo, start, False)] * (lo < start) + [(start, stop, True)]
            lo = stop
    return parts + [(lo, hi, False)] * (lo < hi)


class Parameters:
    """The weights of a training model in one arena, trainable ones first, and their gradients in another.

    Args:
        trainable: Variables that have gradients.
        frozen: Variables that have none.
        tail: Slots behind the gradients, for sums that the same reduction adds up over ranks.
        dtype: Float type of the arenas.
        allocate: `(name, nbytes) -> bytes`, by which the engine gives memory.
        gradients: `(nbytes) -> matrix of bytes`, by which the engine gives memory for the gradients of each shard that
            this rank holds; a row may be longer. None for a single shard.
        alone: `(function, memory, changed)`, which calls on rank 0 a function that writes into a list of arrays, while
            the others wait, and gives all who share memory what it wrote; None for memory of this rank's own.

    Attributes:
        grads: The gradients that the update reads: those of the first shard, until shards are summed.
        shards: The gradients of each shard, as the rows of a matrix.
        tails: The tail of each of them.
        shared: Whether several ranks share the memory. Then `adopt` and `recall` are called by all of them together.
        strayed: Whether on this rank a weight has left shared memory since all were there.
    """

    def __init__(self, trainable, frozen, tail, dtype, allocate=None, alone=None, gradients=None):
        allocate = allocate or (lambda name, nbytes: aligned(nbytes))
        gradients = gradients or (lambda nbytes: allocate("grads", nbytes).reshape(1, nbytes))
        self._alone, self.shared, self.strayed = alone, alone is not None, False
        dtype = np.dtype(dtype)
        self.trainable = list(trainable)
        for variable in [*trainable, *frozen]:
            if variable.dtype != dtype.name and np.dtype(variable.dtype).kind == "f":
                raise ValueError(
                    f"All weights of a model must have one float type, {dtype.name} here. Received: {variable.path} of "
                    f"{variable.dtype}. Call `dseq.config.set_floatx` before making layers."
                )
        self.variables = self.trainable + [v for v in frozen if v.dtype == dtype.name]
        self.starts, size = offsets([v.shape for v in self.variables], dtype)
        starts, self.trainable_size = offsets([v.shape for v in self.trainable], dtype)
        self.bounds = list(zip(starts, [*starts, self.trainable_size][1:], strict=True))
        self.params = allocate("params", size * dtype.itemsize).view(dtype)
        size = self.trainable_size + tail
        self.shards = gradients(size * dtype.itemsize).view(dtype)[:, :size]
        self.grads, self.tails = self.shards[0], self.shards[:, self.trainable_size :]
        self._views = self._carve(self.params, self.variables)
        carved = [self._carve(grads, self.trainable) for grads in self.shards]
        self._gradients = {id(v): each for v, each in zip(self.trainable, zip(*carved, strict=True), strict=True)}
        self._places = {id(v): view for v, view in zip(self.variables, self._views, strict=True)}
        self._seen = -1
        self.adopt()

    def _carve(self, arena, variables):
        return [arena[s : s + prod(v.shape)].reshape(v.shape) for s, v in zip(self.starts, variables, strict=False)]

    def gradient(self, variable, shard=0) -> np.ndarray:
        """The gradient block of a variable, in the variable's shape.

        Args:
            variable: A trained variable.
            shard: Which of the shards that this rank holds.
        """
        return self._gradients[id(variable)][shard]

    def ranges(self, blocks) -> list:
        """Where variables' gradients lie, in order, those that touch as one.

        Args:
            blocks: Gradient blocks of a plan.
        """
        wanted = {id(block.variable) for block in blocks}
        return merged(bound for v, bound in zip(self.trainable, self.bounds, strict=True) if id(v) in wanted)

    def view(self, variable) -> np.ndarray:
        """The block of a variable in this arena."""
        return self._places[id(variable)]

    def place(self, variable) -> np.ndarray:
        """Where steps of this arena find a variable's values: its block here, or its own memory if it has none."""
        return self._places.get(id(variable), variable.array)

    def adopt(self) -> None:
        """Makes this arena the home of its variables, taking their values from wherever they live now.

        Two models that share weights and train in turns adopt them in turns; between adoptions this costs one
        comparison of integers. In shared memory all ranks do it together, and rank 0's values count.
        """
        if self.shared:
            if self._seen != _takeovers and any(v.home is not self for v in self.variables):
                self._bring(self.variables)
            self._seen = _takeovers
            return
        if self._seen == _adoptions:
            return
        moved = False
        for variable, view in zip(self.variables, self._views, strict=True):
            if variable.owner is not self:
                view[...] = variable.array
                variable.array, variable.owner, variable.home, moved = view, self, None, True
        _count(moved, moved)
        self._seen = _adoptions

    def recall(self) -> None:
        """Brings weights back that have left shared memory on any rank, with rank 0's values; all ranks together."""
        if self.shared:
            self._bring([v for v in self.variables if v.home is self])

    def _bring(self, variables):
        moving = [v for v in variables if v.owner is not self]
        taken = any(v.home is not self for v in variables)

        def write():
            for variable in moving:
                self.view(variable)[...] = variable.array

        self._alone(write, [self.params], bool(moving))
        for variable in moving:
            variable.array, variable.owner, variable.home = self.view(variable), self, self
        for variable in variables:
            variable.synchronised = True
        _count(moving, taken)
        self.strayed = False

    def release(self, variable) -> None:
        """Gives a variable memory of its own, so that this rank may write into it while others read the shared one.

        Args:
            variable: A variable in shared memory.
        """
        variable.array, variable.owner = variable.array.copy(), None
        self.strayed = True
        _count(True, False)


def equalise(world, variables) -> None:
    """Gives all ranks rank 0's values of variables, which go back into shared memory where they belong there.

    Args:
        world: The communicator; all ranks call this.
        variables: List of variables, in the same order on all ranks.
    """
    for home in {id(v.home): v.home for v in variables if v.home is not None}.values():
        home.recall()
    for variable in variables:
        if variable.home is None:
            world.broadcast(variable.array)
        variable.synchronised = True


def _count(moved, taken):
    global _adoptions, _takeovers
    _adoptions += bool(moved)
    _takeovers += bool(taken)


def adoptions() -> int:
    """How often weights have moved in this process; a bound step looks again when it changes."""
    return _adoptions
