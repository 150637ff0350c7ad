"""The ranks of this job, for floors that do not know what makes them: `dseq`, when imported, puts the function here.

Layers compute on a rank's rows and leave sums over ranks to the plan. What is computed once, outside of any plan, as
the statistics of a data set, asks here.
"""

_get = None


def provide(get) -> None:
    """Tells who knows the ranks.

    Args:
        get: Function that gives the communicator, as `dseq.parallel.communicator.get`.
    """
    global _get
    _get = get


def get():
    """The communicator, with `rank`, `size` and collective methods.

    Raises:
        RuntimeError: If nobody has told.
    """
    if _get is None:
        raise RuntimeError("The ranks of the job are known once `dseq` is imported as a whole: `import dseq`.")
    return _get()
