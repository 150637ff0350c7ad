"""Calls of a plan that are not kernels: the compiled step pauses for them.

A `Host` is a plain Python function on NumPy views. An `Exchange` is a sum over all shards of the batch; what does the
summing is given to the step by whoever knows the ranks.
"""


class Host:
    """A Python function in the place of a kernel.

    Args:
        function: Called with one array or number for each argument of the call.
    """

    def __init__(self, function):
        self.function = function
        self.__name__ = f"python {getattr(function, '__name__', type(function).__name__)}"

    def run(self, exchange, calls):
        """Makes the call for each shard.

        Args:
            exchange: Not needed.
            calls: The arguments for each shard that this rank holds.
        """
        for arrays in calls:
            self.function(*arrays)


class Exchange:
    """The sum of a block over all shards, in place."""

    __name__ = "exchange"

    def run(self, exchange, calls):
        """Makes the sum.

        Args:
            exchange: Function of a list of arrays, one for each shard that this rank holds, which makes each of them
                the sum over all shards; None if there is but one shard.
            calls: The block of each shard, as the only argument of its call.
        """
        if exchange is not None:
            exchange([block for (block,) in calls])


class Among(Exchange):
    """The sum of a block over some of the ranks, in place.

    Args:
        sum: Function that makes it.
    """

    def __init__(self, sum):
        self.sum = sum

    def run(self, exchange, calls):
        """Makes the sum.

        Args:
            exchange: Not needed.
            calls: The block, as the only argument of the only call.
        """
        ((block,),) = calls
        self.sum(block)


def is_host(kernel) -> bool:
    """Whether a call is one the compiled step must pause for."""
    return isinstance(kernel, Host | Exchange)
