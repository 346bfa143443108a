"""This machine: its name, its cores, and whether one of its processes still lives."""

import os
import socket
from pathlib import Path

STATE, START = 0, 19
"""Fields of /proc/PID/stat (proc(5)), counted behind the process' name."""
ENDED = {"Z", "X"}


def this_host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def is_alive(pid: int, started: int) -> bool:
    """Return whether the process that had this id and start is still there."""
    found = _state_and_start(pid)
    return found is not None and found[1] == started and found[0] not in ENDED


def own_start() -> int:
    """Return when this process started: clock ticks since boot, which no change of clocks moves."""
    found = _state_and_start(os.getpid())
    assert found is not None
    return found[1]


def _state_and_start(pid: int) -> tuple[str, int] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return fields[STATE], int(fields[START])
