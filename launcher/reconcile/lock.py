"""One launcher at a time per root.

`lock.<n>` is made like a lease; the highest n holds. It names its holder and carries a heartbeat. A
holder is dead when its process is gone (same host), or its heartbeat is old (another host).
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sweeps import durable
from sweeps.errors import LauncherBusy
from sweeps.host import is_alive, own_start, this_host

log = logging.getLogger(__name__)

NAME = "lock"
BEATS_PER_STALENESS = 5
KEPT = 2
POLL_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class LockHolder:
    """The launcher that works on a root; times in seconds since 1970."""

    host: str
    pid: int
    pid_start: int
    beat_at: float
    is_released: bool = False


class Lock:
    """The lock as its holder sees it."""

    def __init__(self, root: Path, number: int) -> None:
        self._root, self._number = root, number

    def check(self) -> None:
        """Make sure, before acting, that no other launcher has taken over meanwhile.

        Raises:
            LauncherBusy: one has.
        """
        if durable.newest_generation(self._root, NAME) != self._number:
            raise LauncherBusy(f"another launcher took over {self._root} while this one was away")


@contextlib.contextmanager
def locked(root: Path, stale_s: float, wait_s: float = 0.0) -> Iterator[Lock]:
    """Hold the root's lock.

    Raises:
        LauncherBusy: another launcher holds it, and still does after `wait_s`.
    """
    number, me = _take_in_time(root, stale_s, wait_s)
    lock = Lock(root, number)
    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(root, number, me, stale_s, over), daemon=True)
    heart.start()
    try:
        lock.check()
        yield lock
    finally:
        over.set()
        heart.join()
        durable.replace(_path(root, number), durable.encode(replace(me, is_released=True)))
        for old in range(max(1, number - 2 * KEPT), number - KEPT + 1):
            _path(root, old).unlink(missing_ok=True)


def _take_in_time(root: Path, stale_s: float, wait_s: float) -> tuple[int, LockHolder]:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return _take(root, stale_s)
        except LauncherBusy:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


def _take(root: Path, stale_s: float) -> tuple[int, LockHolder]:
    number = durable.newest_generation(root, NAME)
    holder = durable.read(_path(root, number), LockHolder) if number else None
    if holder is not None and _is_alive(holder, stale_s):
        raise LauncherBusy(_busy(root, holder))
    me = LockHolder(
        host=this_host(),
        pid=os.getpid(),
        pid_start=own_start(),
        beat_at=time.time(),
    )
    if not durable.publish(_path(root, number + 1), durable.encode(me)):
        raise LauncherBusy(f"another launcher took the lock of {root} this very moment")
    return number + 1, me


def _is_alive(holder: LockHolder, stale_s: float) -> bool:
    if holder.is_released:
        return False
    if holder.host == this_host():
        return is_alive(holder.pid, holder.pid_start)
    return time.time() - holder.beat_at < stale_s


def _busy(root: Path, holder: LockHolder) -> str:
    return (
        f"a launcher is at work on {root}: process {holder.pid} on {holder.host}. It does what is to "
        f"be done; watch it with status, or end it and type this again"
    )


def _beat(root: Path, number: int, me: LockHolder, stale_s: float, over: threading.Event) -> None:
    """Keep the lock fresh. A file system that fails for a while does not end that; `check` decides."""
    while not over.wait(stale_s / BEATS_PER_STALENESS):
        try:
            durable.replace(_path(root, number), durable.encode(replace(me, beat_at=time.time())))
        except OSError as error:
            log.warning("no heartbeat of the lock: %s", error)


def _path(root: Path, number: int) -> Path:
    return root / f"{NAME}.{number}"
