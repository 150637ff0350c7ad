"""The communicator of a single rank: the same methods, no MPI."""

import os
import socket
from contextlib import contextmanager

from dseq.program.memory import aligned


class Alone:
    """One rank, which agrees with itself. `World` documents the methods."""

    rank = 0
    size = 1
    local_rank = 0
    local_size = 1
    machine_size = 1
    node = 0
    nodes = ((0,),)

    def __init__(self):
        self.host = socket.gethostname().split(".")[0]

    def __repr__(self):
        return f"<one rank, process {os.getpid()}, no MPI>"

    @contextmanager
    def section(self, name):
        yield self

    def agree(self, section, facts=()):
        pass

    def compare(self, place, facts=()):
        return []

    def allreduce_sum(self, array):
        return array

    def bound_sum(self, array):
        return lambda: None

    def sum_on_node(self, array):
        return array

    def to_first_ranks(self, arrays):
        pass

    def broadcast(self, array, root=0):
        return array

    def broadcast_object(self, value, root=0):
        return value

    def gather_object(self, value, root=0):
        return [value]

    def allgather_object(self, value):
        return [value]

    def allgather_rows(self, local, counts):
        return local

    def between_nodes(self):
        pass

    def exchange_parts(self, parts, counts):
        return parts[0].ravel()

    def barrier(self):
        pass

    def shared_bytes(self, nbytes, parts=None):
        return aligned(nbytes)

    def node_barrier(self):
        return lambda place="": None

    def on_node_first(self, function):
        return function()

    def share_outcome(self, function, root=0):
        return function()
