"""Work done ahead of its time, in threads or processes, with its order kept. No thread here calls MPI."""

import warnings
from collections import deque


def in_order(pool, function, items, most):
    """Yields `function(item)` for each item in order, while the pool works on those that follow.

    Args:
        pool: An executor; it is shut down in the end, also if the caller loses interest.
        function: What to call.
        items: Iterable of its argument.
        most: Most results that are kept or worked on beside the one that the caller has.
    """
    waiting = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def double_buffered(load, items, slots):
    """Yields `load(item, slot)` for each item in order, while one thread loads into the slots that are free.

    What was yielded is overwritten once the next is asked for.

    Args:
        load: Called in the thread.
        items: Iterable.
        slots: List of two or more things that `load` writes into.
    """
    free = deque(slots)

    def jobs():
        for item in items:
            yield item, free[0]
            free.rotate(-1)

    # One slot is the caller's, so one less is loaded ahead.
    yield from in_order(threads(1), lambda job: load(*job), jobs(), len(slots) - 1)


def threads(count):
    """A pool of threads."""
    from concurrent.futures import ThreadPoolExecutor  # here: it would make `import dseq` 9 ms slower

    return ThreadPoolExecutor(count, "dseq-data")


def processes(count, data):
    """A pool of processes that know `data`, for `in_process`.

    They are forked at the first submission: what they see of `data` is how it is then.

    Args:
        count: Number of processes.
        data: Any object.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    class Forked(ProcessPoolExecutor):
        """A pool whose processes are forked without Python 3.12's warning that threads are running."""

        def submit(self, *args, **kwargs):
            with warnings.catch_warnings():
                # The workers run nothing but the data set, and take no lock that a thread of ours may hold.
                warnings.simplefilter("ignore", DeprecationWarning)
                return super().submit(*args, **kwargs)

    return Forked(count, mp_context=multiprocessing.get_context("fork"), initializer=_keep, initargs=(data,))


_data = None


def _keep(data):
    """What each worker begins with."""
    import ctypes
    import signal

    global _data
    _data = data
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the rank's to handle
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(1, signal.SIGKILL)  # Linux: a rank that is killed leaves no workers behind


def in_process(function, *args):
    """`function(data, *args)` in a worker of `processes`."""
    return function(_data, *args)
