"""Lists and dicts in a layer's attributes that tell it of the layers put into them, in the order in which they come."""


class Tracked:
    """What tracked lists and dicts share.

    Attributes:
        owner: The layer in whose attributes they stand; copies have none.
    """

    owner = None

    def _meet(self, value):
        """Tells the owner of the layers in a value; returns it with its own lists and dicts tracked."""
        return value if self.owner is None else self.owner._meet(value)


class TrackedList(list, Tracked):
    """A list whose layers are those of its owner."""

    def append(self, value):
        super().append(self._meet(value))

    def extend(self, values):
        super().extend(map(self._meet, values))

    def insert(self, index, value):
        super().insert(index, self._meet(value))

    def __iadd__(self, values):
        self.extend(values)
        return self

    def __setitem__(self, index, value):
        super().__setitem__(index, [*map(self._meet, value)] if isinstance(index, slice) else self._meet(value))

    def copy(self):
        return tracked(self, self.owner)

    def __reduce__(self):
        return list, (list(self),)


class TrackedDict(dict, Tracked):
    """A dict whose layers are those of its owner."""

    def __setitem__(self, key, value):
        super().__setitem__(key, self._meet(value))

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args, **kwargs):
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other):
        self.update(other)
        return self

    def copy(self):
        return tracked(self, self.owner)

    def __reduce__(self):
        return dict, (dict(self),)


def tracked(value, owner):
    """A list or dict in tracked form.

    Args:
        value: A list or dict.
        owner: The layer.
    """
    made = TrackedList(value) if isinstance(value, list) else TrackedDict(value)
    made.owner = owner
    return made
