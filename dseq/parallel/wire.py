"""Sums over slow networks: shorter messages, or fewer.

What a user asks for, `dseq.distribution.DataParallel(exchange=...)`, and what then sums gradients. None is in force by
default: all change results. Where ranks share a node, these are summed first, in full; only the first ranks of nodes
exchange.
"""

import numpy as np

from dseq.kernels import wire as kernels

UNIT = 16  # elements: parts begin at lines of the cache, also in float32


class Exchange:
    """What is sent in place of full gradients.

    Attributes:
        every: Steps between two exchanges of parameters; 0 if gradients are exchanged in each step.
    """

    every = 0

    def over(self, communicator):
        """What sums over the ranks of a communicator: an object with `sum(array)`, called by all of them.

        Args:
            communicator: From `communicator.get()`.
        """
        raise NotImplementedError


class Half(Exchange):
    """Gradients travel in 16 bits, half of what they take.

    Each rank's gradients are rounded once, added in float32 in the order of the ranks, and the sum is rounded once
    more: all ranks get the same bits. Losses and metrics travel in full.

    Args:
        dtype: `"bfloat16"` has the range of float32 and 8 bits of precision; `"float16"` has 11 bits, but what is
            larger than 65504 becomes infinite and what is smaller than 6e-8 zero.

    Raises:
        ValueError: If it is another type.
    """

    def __init__(self, dtype="bfloat16"):
        if dtype not in ("bfloat16", "float16"):
            raise ValueError(f"`dtype` must be 'bfloat16' or 'float16'. Received: dtype={dtype!r}")
        self.dtype = dtype

    def __repr__(self):
        return f"Half({self.dtype!r})"

    def over(self, communicator):
        return HalfWire(communicator, self.dtype)


class TopK(Exchange):
    """Only the largest gradients travel; the others wait, and are added to those of the next step.

    What is not sent is kept exactly: what was sent and what waits always add up to all gradients so far (Seide et al.,
    "1-bit SGD", 2014; Stich et al., "Sparsified SGD with memory", 2018). Magnitudes are told apart to an eighth of a
    power of two. What waits is not part of checkpoints.

    Args:
        ratio: Share of the gradients that is sent, above 0 and at most 1. A number takes twice the room here that it
            takes in full: more than a fourth does not pay.

    Raises:
        ValueError: If it is no such number.
    """

    def __init__(self, ratio=0.01):
        if not isinstance(ratio, int | float) or not 0 < ratio <= 1:
            raise ValueError(f"`ratio` must be a number above 0 and at most 1. Received: ratio={ratio!r}")
        self.ratio = float(ratio)

    def __repr__(self):
        return f"TopK({self.ratio})"

    def over(self, communicator):
        return TopKWire(communicator, self.ratio)


class LocalSGD(Exchange):
    """Each rank takes steps by itself, and every so many the ranks take the mean of their weights.

    A rank steps by the mean gradient of its rows of the batch, and normalises by its own rows' statistics; choose the
    learning rate as for a batch of that size. At the end of an epoch and before weights are saved, evaluated or
    predicted with, weights are averaged too, moving statistics among them. What optimizers remember stays each rank's
    own (McDonald et al., 2010; Stich, "Local SGD converges fast and communicates little", 2019).

    Args:
        every: Steps from one mean to the next.

    Raises:
        ValueError: If it is no positive integer.
    """

    def __init__(self, every=8):
        if not isinstance(every, int) or isinstance(every, bool) or every < 1:
            raise ValueError(f"`every` must be a positive integer. Received: every={every!r}")
        self.every = every

    def __repr__(self):
        return f"LocalSGD({self.every})"


class Wire:
    """A sum over ranks in two levels: over those of each node in full, then over nodes as a subclass does.

    Args:
        communicator: From `communicator.get()`, of several ranks.
    """

    def __init__(self, communicator):
        self._mpi, self._local = communicator._mpi, communicator._local
        self._between = communicator.between_nodes()

    def sum(self, array) -> None:
        """Replaces an array by what stands for its sum over ranks, the same on all.

        Args:
            array: Flat, of float32 or float64.
        """
        several = self._local.size > 1
        if several:
            first = self._local.rank == 0
            self._local.Reduce(self._mpi.IN_PLACE if first else array, array if first else None)
        if self._between is not None and self._between.size > 1:
            self.exchange(array)
        if several:
            self._local.Bcast(array)

    def exchange(self, array) -> None:
        """Makes an array the sum over nodes; the first rank of each calls this."""
        raise NotImplementedError


class HalfWire(Wire):
    """Each node sums a part of the array, which all others send it, and sends the sum to all."""

    def __init__(self, communicator, dtype):
        super().__init__(communicator)
        name = {"float16": "half", "bfloat16": "bfloat"}[dtype]
        self._pack, self._unpack = getattr(kernels, f"pack_{name}"), getattr(kernels, f"unpack_{name}")
        self._add = getattr(kernels, f"sum_{name}")
        self._block, self._packed = np.zeros(kernels.BLOCK, np.float32), None

    def _prepare(self, size):
        comm, kind = self._between, self._mpi.UINT16_T
        # Parts of one length: MPI libraries are several times slower where lengths may differ.
        part = -(-size // (comm.size * UNIT)) * UNIT
        self._all = np.zeros(comm.size * part, np.uint16)
        self._packed, self._own = self._all[:size], self._all[comm.rank * part :][:part]
        self._rows = np.zeros((comm.size, part), np.uint16)
        self._scatter = [self._all, part, kind], [self._rows, part, kind]
        self._collect = [self._all, part, kind]

    def exchange(self, array):
        if self._packed is None or array.size != self._packed.size:
            self._prepare(array.size)
        self._pack(self._packed, array)
        self._between.Alltoall(*self._scatter)
        self._add(self._own, self._rows, self._block)
        self._between.Allgather(self._mpi.IN_PLACE, self._collect)
        self._unpack(array, self._packed)


class TopKWire(Wire):
    """Each node sends its largest numbers to all others.

    Attributes:
        residual: What waits, as a flat array; None before the first sum.
    """

    residual = None

    def __init__(self, communicator, ratio):
        super().__init__(communicator)
        self._ratio = ratio
        self._counts = np.zeros(kernels.BINS, np.int64)

    def _prepare(self, array):
        count = max(1, round(array.size * self._ratio)) if array.size else 0
        width = array.dtype.itemsize
        self.residual = np.zeros_like(array)
        # Values first: they are as long as a place or twice that.
        self._sent = np.zeros(count * (width + 4), np.uint8)
        self._received = np.zeros((self._between.size, count * (width + 4)), np.uint8)
        self._split = count * width

    def _parts(self, message, dtype):
        return message[self._split :].view(np.int32), message[: self._split].view(dtype)

    def exchange(self, array):
        if self.residual is None or self.residual.size != array.size or self.residual.dtype != array.dtype:
            self._prepare(array)
        residual = self.residual
        residual += array
        kernels.count_magnitudes(self._counts, residual)
        kernels.take_largest(*self._parts(self._sent, array.dtype), residual, self._counts)
        self._between.Allgather(self._sent, self._received)
        array.fill(0)
        for message in self._received:
            kernels.scatter_add(array, *self._parts(message, array.dtype))
