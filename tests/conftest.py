"""What holds for all tests: which are of several ranks, and what plain Python may do that compiled code does anyway."""

import gc
import signal
from pathlib import Path

import numba
import numpy as np
import pytest

HERE = Path(__file__).parent


def pytest_configure(config):
    # A shell lets what it starts in the background ignore interrupts, which tests send.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Numba's compiler makes many objects that stay: to look through them time and again takes a tenth of the time.
    gc.set_threshold(100_000, 20, 50)


def pytest_collection_modifyitems(config, items):
    if "faults" not in config.option.markexpr:  # all ways to fail, in all places: only on demand
        items[:] = [item for item in items if item.get_closest_marker("faults") is None]
    for item in items:
        if item.path.is_relative_to(HERE / "mpi"):
            item.add_marker(pytest.mark.mpi)


@pytest.fixture(autouse=bool(numba.config.DISABLE_JIT))
def arithmetic_as_when_compiled():
    """Compiled arithmetic gives inf and NaN without a word; NumPy's scalars would warn, and warnings are errors."""
    with np.errstate(all="ignore"):
        yield
