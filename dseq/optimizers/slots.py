"""Where what an optimizer remembers about weights lies: in memory of each rank's own, or in memory that ranks share."""

import weakref

import numpy as np

from dseq.program.memory import equalise, offsets


class Slots:
    """Memory for the slots of an optimizer, as the plans expect it that were made with it.

    Args:
        optimizer: The optimizer, built.
        allocate: `(name, nbytes, blocks) -> bytes`, by which the engine gives memory.
        alone: `(function, memory, changed)`, which calls on rank 0 a function that writes into a list of arrays, while
            the others wait, and gives all who share memory what it wrote; None for memory of this rank's own.

    Attributes:
        shared: Whether several ranks share the memory. Then `adopt` is called by all of them together.
    """

    def __init__(self, optimizer, allocate, alone=None):
        optimizer = innermost(optimizer)
        self._optimizer = weakref.ref(optimizer)  # which refers to this: together they would live too long
        self._alone, self.shared = alone, alone is not None
        self._seen = None  # a move gives the optimizer another dict
        blocks = optimizer.blocks()
        if alone is None and optimizer.home is None:
            self._blocks, self._seen = blocks, optimizer.slots
            return
        starts, total = offsets([(b.nbytes,) for b in blocks], np.uint8)
        bounds = [(start, b.nbytes) for start, b in zip(starts, blocks, strict=True)]
        memory = allocate("slots", total, bounds)
        cut = [memory[start : start + b.nbytes] for start, b in zip(starts, blocks, strict=True)]
        self._blocks = [m.view(b.dtype).reshape(b.shape) for m, b in zip(cut, blocks, strict=True)]

    @property
    def blocks(self) -> list:
        """The arrays, as `optimizer.blocks` has them."""
        return self._blocks

    @property
    def strayed(self) -> bool:
        """Whether on this rank the optimizer has left this memory."""
        return self._optimizer().slots is not self._seen

    @classmethod
    def of(cls, optimizer, allocate, alone=None) -> "Slots":
        """Those that an optimizer has in shared memory already, or else new ones; then the optimizer is there.

        Args:
            optimizer: The optimizer, built.
            allocate: As above.
            alone: As above.
        """
        home = innermost(optimizer).home
        slots = home if home is not None and alone is not None else cls(optimizer, allocate, alone)
        slots.adopt()
        return slots

    def adopt(self) -> None:
        """Brings the optimizer here with its values; in shared memory those of rank 0."""
        optimizer, strayed = self._optimizer(), self.strayed

        def write():
            for here, there in zip(self._blocks, optimizer.blocks(), strict=True):
                here[...] = there

        if self.shared:
            self._alone(write, self._blocks, strayed)
        elif strayed:
            write()
        if strayed:
            optimizer.move(self._blocks, self if self.shared else None)
            optimizer.home = self if self.shared else None
            self._seen = optimizer.slots

    def equalise(self, world) -> None:
        """Gives all ranks rank 0's values of what a script has set on any rank; all ranks together.

        Args:
            world: The communicator.
        """
        if not self.shared:  # there, rank 0's have been brought in
            variables = self._optimizer().variables
            stale = world.allreduce_sum(np.array([float(not v.synchronised) for v in variables]))
            equalise(world, [variable for variable, found in zip(variables, stale, strict=True) if found])

    def release(self, variable=None) -> None:
        """Gives this rank slots of its own, so that it may write into them while others read the shared ones.

        Args:
            variable: One of the optimizer's variables; all leave with it.
        """
        optimizer = self._optimizer()
        if optimizer is None:  # nothing is left of it but the variable
            variable.array, variable.owner = variable.array.copy(), None
        elif not self.strayed:
            optimizer.move([block.copy() for block in optimizer.blocks()])


def innermost(optimizer):
    """The optimizer that makes the updates: another may be wrapped around it."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def release(optimizer, variable) -> None:
    """Before an update outside of a training step: a weight and its slots leave shared memory.

    Args:
        optimizer: The optimizer.
        variable: The weight.
    """
    if optimizer.home is not None:
        optimizer.home.release()
    if variable.owner is not None and variable.owner.shared:
        variable.owner.release(variable)
