"""One rank's failure ends the whole job, with that rank's traceback printed once.

Without this an exception on one rank leaves the others waiting for it for ever, inside MPI. A rank can fail in five
ways, and each has its own place here: an uncaught exception (`_uncaught`, `_uncaught_in_thread`), an exception that
takes one rank out of a section in which the others still work (`left`), `sys.exit`, `os._exit`, and simply ending while
the others go on (`_at_exit`). When all ranks fail alike, one of them speaks.
"""

import atexit
import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
import traceback

from dseq import config
from dseq.parallel import launcher
from dseq.parallel.leftovers import forget_names

PATIENCE = 1.0  # seconds that a rank which failed waits for the others to fail likewise
GRACE = 0.5  # seconds that ranks other than 0 hold their message back: rank 0 may be about to say the same
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it

_os_exit = os._exit
_world = None
_worlds = []  # all communicators of this process
_process = None  # the process that is a rank; its forked children are none
_exit_code = 0


def install() -> None:
    """Takes over the ways in which this process can fail, if it is one of several ranks and `DSEQ_ABORT` is on."""
    if config.mpi != "off" and launcher.expects_ranks():
        _activate()


def connect(world, whole=True) -> None:
    """Makes a communicator known, whose ranks end together.

    Args:
        world: The communicator.
        whole: Whether it is that of all ranks of the job.
    """
    global _world
    _worlds.append(world)
    if whole:
        _world = world
    if world.size > 1:
        _activate()


def _activate():
    global _process
    if _process is None:
        _process = os.getpid()
        atexit.register(_at_exit)
        if config.abort:
            sys.excepthook = _uncaught
            threading.excepthook = _uncaught_in_thread
            sys.exit = _sys_exit
            os._exit = _exit_at_once
            if not faulthandler.is_enabled() and sys.stderr is not None:
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    faulthandler.enable(all_threads=False)  # a crash says where it was


def _is_rank():
    return _process == os.getpid()


def say(text: str) -> None:
    """Writes a message of this rank to the terminal, in one piece: launchers mix what ranks write.

    Args:
        text: The message.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # no such stream, or closed
            stream.flush()
    launch = _launch()
    host = getattr(launch, "host", None) or socket.gethostname().split(".")[0]
    data = f"[dseq rank {launch.rank}/{launch.size} {host}] {text.rstrip()}\n".encode(errors="replace")
    while data:
        data = data[os.write(2, data) :]


def end(text: str, code: int) -> None:
    """Says why, unless rank 0 ends the job first for a reason of its own, and ends the job.

    Args:
        text: The message.
        code: The exit code; 0 becomes 1.
    """
    launch = _launch()
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(GRACE + min(launch.rank, 20) * GRACE / 10 if launch.rank else 0)
    say(text)
    time.sleep(0.05)  # the launcher passes on what it has read: our words before MPI's own
    code = code & 0xFF or 1
    forget_names()
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(2, exit=True, file=nowhere)  # should MPI not manage to end us
        mpi = _running_mpi()
        if mpi is not None:
            mpi.COMM_WORLD.Abort(code)
        _end_without_mpi(code)


def _launch():
    """Something that has this process' rank in the job, and the number of ranks."""
    return _world or launcher.announced() or _running_mpi().COMM_WORLD


def _running_mpi():
    from dseq.parallel import communicator  # which imports this module

    return communicator.running_mpi()


def _end_without_mpi(code):
    """Ends the job before MPI runs, when launchers of MPICH's kind take any exit code for a normal end; or after."""
    launch = launcher.announced()
    with contextlib.suppress(OSError):
        tell_launcher(code)
    if launch is None or launch.variable.startswith("OMPI"):
        time.sleep(GRACE / 2)  # prterun (5.0) may hang or crash if a rank ends just when another one connects to it
        _os_exit(code)
    os.kill(os.getpid(), signal.SIGKILL)  # every launcher notices a death by signal


def tell_launcher(code: int) -> None:
    """Asks the launcher to end the job, if it is one that can be asked without MPI.

    Args:
        code: The exit code.

    Raises:
        OSError: If it does not listen any more.
    """
    channel = os.environ.get("PMI_FD", "")
    if channel.isdigit() and "MPI_LOCALNRANKS" in os.environ:  # Hydra: ask it, in the words of PMI 1
        os.write(int(channel), f"cmd=abort exitcode={code}\n".encode())
        time.sleep(1)


def exit_now(code: int) -> None:
    """Ends this process at once.

    Args:
        code: The exit code.
    """
    forget_names()
    _os_exit(code)


def _uncaught(kind, error, trace):
    if not _is_rank():
        sys.__excepthook__(kind, error, trace)
    elif issubclass(kind, KeyboardInterrupt):
        end("interrupted", INTERRUPTED)
    else:
        end("".join(traceback.format_exception(kind, error, trace)), _code_of(error))


def _uncaught_in_thread(args):
    if not _is_rank():
        threading.__excepthook__(args)
    elif not issubclass(args.exc_type, SystemExit):  # which ends the thread, as in Python
        text = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
        end(f"Exception in thread {args.thread.name if args.thread else '?'}:\n{text}", 1)


def left(world, section: str, error: BaseException) -> None:
    """Ends the job if an exception takes this rank, but not all, out of a section that all are in.

    Args:
        world: The communicator.
        section: The section's name.
        error: The exception.
    """
    if not config.abort or not _is_rank() or not world.failed_alone(section, error, PATIENCE):
        return
    if isinstance(error, KeyboardInterrupt):
        end(f"interrupted in {section}", INTERRUPTED)
    if isinstance(error, SystemExit):
        end(
            f"left {section} by sys.exit({error.code!r}) while other ranks are in it: ending the job",
            _status(error.code),
        )
    report = traceback.TracebackException.from_exception(error)
    # The exception has come up to the section only: above are the frames of the user's script.
    above = traceback.extract_stack(error.__traceback__.tb_frame.f_back)
    report.stack = traceback.StackSummary.from_list([*above, *report.stack])
    end("".join(report.format()), _code_of(error))


def _code_of(error):
    """The exit code of an exception that nobody catches."""
    code = getattr(error, "exit_code", 1)
    return code if isinstance(code, int) else 1


class _Exit(SystemExit):
    """The exception of `sys.exit`. Python reads its code for the last time when no Python code is left to catch it."""

    @property
    def code(self):
        """What `sys.exit` was given."""
        global _exit_code
        code = self.args[0] if self.args else None
        try:
            sys._getframe(1)
        except ValueError:  # nobody's frame above: this is the end
            _exit_code = _status(code)
        return code

    def __reduce__(self):
        return SystemExit, self.args  # which another rank can unpickle


_Exit.__name__ = _Exit.__qualname__ = "SystemExit"


def _sys_exit(status=None, /):
    raise _Exit(status)


def _exit_at_once(status, /):
    """`os._exit` of a rank: the others learn of it, and launchers that take 0 for the end of the job do not."""
    if _is_rank() and not sys.is_finalizing():
        text = f"ended by os._exit({status}) while other ranks go on: ending the job"
        if threading.current_thread() is not threading.main_thread():
            end(text, status)
        if not _leave(PATIENCE):
            end(text, status)
    _os_exit(status)


def _status(code):
    return 0 if code is None else code if isinstance(code, int) else 1


def _at_exit():
    """Meets the other ranks at the end of the program, as `MPI_Finalize` would, but so that they learn of it."""
    if not _is_rank():
        return
    # An exception that another hook than ours has reported also ends the program.
    code = _exit_code or int(getattr(sys, "last_value", None) is not None)
    seconds = PATIENCE if code and config.abort else None
    try:
        if not _leave(seconds):
            end(f"ended with exit code {code} while other ranks go on: ending the job", code)
    except KeyboardInterrupt:
        end("interrupted", INTERRUPTED)


def _leave(seconds):
    """Whether all ranks that this one works with have ended too."""
    if _worlds and _running_mpi() is None:
        return True  # the script itself has finalised it
    whole = _world_at_exit(seconds)
    worlds = [world for world in _worlds if world is not whole and not world.freed]
    # Where the script has started MPI, there may be ranks that know nothing of dseq: they would not come.
    if whole is not None and whole.size > 1 and (whole.connected or not whole.guest or seconds is not None):
        worlds.insert(0, whole)
    from dseq.parallel.waiting import leave_all  # which imports this module

    return leave_all(worlds, seconds)


def _world_at_exit(seconds):
    """The communicator, made now if need be: other ranks may be making theirs, and wait for this one."""
    if _world is not None:
        return _world
    if seconds is not None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds)  # starting MPI may wait for ranks that never start it
    try:
        from dseq.parallel import communicator

        return communicator.whole()
    except RuntimeError:
        return None  # there is no MPI that works: nobody waits
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
