"""Calls of a plan that are not kernels: the compiled step pauses for them.

A `Host` is a plain Python function on NumPy views. An `Exchange` is a sum over ranks; what does the summing is given
to the step by whoever knows the ranks.
"""


class Host:
    """A Python function in the place of a kernel.

    Args:
        function: Called with one array or number for each argument of the call.
    """

    def __init__(self, function):
        self.function = function
        self.__name__ = f"python {getattr(function, '__name__', type(function).__name__)}"

    def run(self, exchange, *arrays):
        """Makes the call.

        Args:
            exchange: Not needed.
            *arrays: The arguments.
        """
        self.function(*arrays)


class Exchange:
    """The sum of a block over all ranks, in place."""

    __name__ = "exchange"

    def run(self, exchange, array):
        """Makes the sum.

        Args:
            exchange: Function that sums an array over ranks in place, or None on a single rank.
            array: The block.
        """
        if exchange is not None:
            exchange(array)


def is_host(kernel) -> bool:
    """Whether a call is one the compiled step must pause for."""
    return isinstance(kernel, Host | Exchange)
