"""The other ranks of this node as the system knows them, before they know each other: by the launcher's words."""

import os
from pathlib import Path

from dseq.parallel import launcher
from dseq.parallel.barrier import Process


def siblings() -> dict[int, Process]:
    """The processes beside this one that the same launcher started as ranks, by rank; this one is not among them.

    Empty where processes can't be seen, as on other systems than Linux.
    """
    found, parent = {}, os.getppid()
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return found
    for number in numbers:
        try:
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            if number == os.getpid() or int(fields[1]) != parent:
                continue
            lines = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            continue
        pairs = (line.decode(errors="replace").partition("=") for line in lines)
        launch = launcher.announced({name: value for name, _, value in pairs})
        if launch is not None:
            found[launch.rank] = Process(number, Process.own().space, fields[19])
    return found


def seconds_used(process: Process) -> float:
    """Seconds of cores that a process has used; 0 if it can't be seen."""
    try:
        fields = Path(f"/proc/{process.number}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
