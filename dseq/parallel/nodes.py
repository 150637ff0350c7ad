"""Which ranks share a node, and what they do without the ranks of other nodes: that part of a communicator."""

import numpy as np

from dseq import config


class Nodes:
    """The nodes of `World`, which imports MPI.

    Nodes are numbered by their first ranks, and so are a node's ranks by their ranks in the job.
    """

    _local = None
    _between = False  # not made yet

    @property
    def local_rank(self) -> int:
        """Number among the ranks of this node."""
        self._connect()
        return self._local.rank

    @property
    def local_size(self) -> int:
        """Ranks on this node."""
        self._connect()
        return self._local.size

    @property
    def nodes(self) -> tuple:
        """The ranks of each node."""
        self._connect()
        return self._nodes

    @property
    def node(self) -> int:
        """The number of this node."""
        self._connect()
        return self._node

    @property
    def machine_size(self) -> int:
        """Ranks on this machine: more than on this node if `DSEQ_NODE_RANKS` divides it."""
        self._connect()
        return self._machine_size

    def _find_nodes(self):
        """Part of `_connect`: all ranks are here."""
        MPI = self._mpi
        local = self._data.Split_type(MPI.COMM_TYPE_SHARED, self.rank)
        self._machine_size = local.size
        if config.node_ranks:
            whole = local
            local = whole.Split(whole.rank // config.node_ranks, self.rank)
            whole.Free()
        first = np.array([self.rank])
        local.Bcast(first, 0)
        firsts = np.empty(self.size, np.int64)
        self._data.Allgather(first, firsts)
        self._nodes = tuple(tuple(np.flatnonzero(firsts == one).tolist()) for one in np.unique(firsts))
        self._node = next(i for i, ranks in enumerate(self._nodes) if self.rank in ranks)
        self._local = local
        self._hop = self._data.Dup()

    def between_nodes(self):
        """MPI's communicator of the first ranks of nodes, in the order of nodes; None on other ranks.

        All ranks call this; it is made at the first call.
        """
        self._connect()
        if self._between is False:
            made = self._data.Split(0 if self._local.rank == 0 else self._mpi.UNDEFINED, self.rank)
            self._between = made if self._local.rank == 0 else None
            if self._between is not None:
                made.Set_errhandler(self._mpi.ERRORS_RETURN)
        return self._between

    def sum_on_node(self, array: np.ndarray) -> np.ndarray:
        """Replaces an array by its sum over the ranks of this node, which alone call this.

        Args:
            array: As for `allreduce_sum`.

        Returns:
            The same array.
        """
        self._connect()
        if self._local.size > 1:
            self._local.Allreduce(self._mpi.IN_PLACE, array)
        return array

    def to_first_ranks(self, arrays) -> None:
        """Overwrites arrays on the first rank of each node with those of rank 0; these ranks alone call this.

        Args:
            arrays: List of C-contiguous arrays, of the same sizes on all of them.
        """
        others = [ranks[0] for ranks in self.nodes[1:]]
        for array in arrays:
            data = array.reshape(-1).view(np.uint8)
            for lo in range(0, data.size, PIECE):
                piece = [data[lo : lo + PIECE], self._mpi.BYTE]
                if self.rank == 0:
                    requests = [self._hop.Isend(piece, other, VALUES) for other in others]
                else:
                    requests = [self._hop.Irecv(piece, 0, VALUES)]
                for request in requests:
                    self._wait(request)


PIECE = 1 << 26  # bytes per message
VALUES = 3  # the tag of these messages; `Hop` has others
