"""What hooks receive: names and values, worked out only if somebody looks."""

from collections.abc import MutableMapping


class LazyLogs(MutableMapping):
    """A dictionary that is computed when it is first looked at.

    Running metrics after every batch would cost more than a small model's step; most batches nobody asks for them.

    Args:
        compute: Function without arguments that gives the dictionary; called at most once.
    """

    __slots__ = ("_compute", "_values")

    def __init__(self, compute):
        self._compute = compute
        self._values = None

    def _look(self) -> dict:
        if self._values is None:
            self._values = dict(self._compute())
        return self._values

    def __getitem__(self, name):
        return self._look()[name]

    def __setitem__(self, name, value):
        self._look()[name] = value

    def __delitem__(self, name):
        del self._look()[name]

    def __iter__(self):
        return iter(self._look())

    def __len__(self):
        return len(self._look())

    def __repr__(self):
        return repr(self._look())

    def copy(self) -> dict:
        """An ordinary dictionary with the same content."""
        return dict(self._look())


def in_order(logs) -> list:
    """The (name, value) pairs in the order they are shown and kept, by name as in Keras."""
    return sorted((logs or {}).items())
