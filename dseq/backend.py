"""Keras' `backend` functions that still have a use."""

import gc

from dseq.program import naming
from dseq.program.floatx import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)


def clear_session(free_memory=True) -> None:
    """Starts the automatic names of layers anew: the next `Dense` is called `dense` again.

    Args:
        free_memory: Whether to collect models that nobody holds any more.
    """
    naming.reset()
    if free_memory:
        gc.collect()


__all__ = [
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]
