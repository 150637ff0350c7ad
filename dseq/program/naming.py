"""Automatic names: `dense`, `dense_1`, ... per class and process, as Keras gives them."""

import re
from collections import Counter

_used = Counter()


def snake_case(name: str) -> str:
    """`MaxPooling2D` becomes `max_pooling2d`, `ReLU` becomes `re_lu`; file groups and default names use it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """The next free name that begins with `prefix`."""
    _used[prefix] += 1
    return f"{prefix}_{_used[prefix] - 1}" if _used[prefix] > 1 else prefix


def reset() -> None:
    """Starts counting anew (`dseq.backend.clear_session`)."""
    _used.clear()
