"""Ranks as threads of one process."""

from concurrent.futures import ThreadPoolExecutor


def in_threads(function, count):
    """The results of `function(0)` ... `function(count - 1)`, called at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, range(count)))
