"""What was made last, under keys: what is made for each kind of input must not pile up in a loop over many kinds."""

LIMIT = 64


class Recent(dict):
    """A dict that forgets what was not asked for longest, once it holds more than `limit` things."""

    limit = LIMIT

    def get_or_make(self, key, make):
        """The value of a key, made if it is not there.

        Args:
            key: The key.
            make: Called for a new value; it may ask for other keys.
        """
        value = self.pop(key) if key in self else make()
        self[key] = value  # dicts keep the order in which keys came: what was asked for last stands last
        while len(self) > self.limit:
            del self[next(iter(self))]
        return value

    def copy(self) -> "Recent":
        """The same things, kept in the same way."""
        made = Recent(self)
        made.limit = self.limit
        return made


def constant_key(value):
    """A hashable value that is equal for constants which mean the same, and for no others.

    It holds on to what it cannot compare by contents: an address is not given to another object meanwhile.

    Args:
        value: Anything that a function may be called with.
    """
    if isinstance(value, slice):
        return "slice", tuple(map(constant_key, (value.start, value.stop, value.step)))
    if hasattr(value, "tobytes") and hasattr(value, "dtype") and not value.dtype.hasobject:  # arrays, NumPy's numbers
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float | complex):
        return type(value), repr(value)  # -0.0 equals 0.0, and NaN nothing
    try:
        hash(value)
    except TypeError:
        return type(value), _Identity(value)
    return type(value), value


class _Identity:
    """Equal to that of the same object only."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Identity) and self.value is other.value

    def __hash__(self):
        return id(self.value)
