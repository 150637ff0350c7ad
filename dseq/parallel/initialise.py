"""Starting MPI so that other threads run meanwhile, the watchdog among them: mpi4py would hold Python's lock.

All ranks wait in there for each other, and one of them may never come.
"""

import ctypes


def initialise(MPI, level: int) -> None:
    """Starts MPI, with errors that become exceptions.

    Args:
        MPI: The module of mpi4py, which has not done it.
        level: What threads may do.

    Raises:
        RuntimeError: If MPI does not start.
    """
    try:
        start = ctypes.CDLL(MPI.__file__).MPI_Init_thread
    except (OSError, AttributeError):
        MPI.Init_thread(level)
        return
    provided = ctypes.c_int()
    if start(None, None, ctypes.c_int(level), ctypes.byref(provided)):
        raise RuntimeError("MPI_Init_thread failed.")
    for comm in (MPI.COMM_WORLD, MPI.COMM_SELF):
        comm.Set_errhandler(MPI.ERRORS_RETURN)
