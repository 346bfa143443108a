"""Indexes, and other files, in the making: FILE.part.<n>, of which the highest n holds the work.

Who finds a part whose holder is gone, or that nobody touched for a while, makes part n+1 and begins it
with all that the earlier ones hold. A holder that was taken for dead finds its part removed.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sweeps import durable
from sweeps.host import is_alive, own_start, this_host
from training.data.index import HEAD_BYTES, Head, Stamp, WalkedShard, unfinished_records

log = logging.getLogger(__name__)

BEAT_S = 10.0
"""A holder touches its part so often."""
STALE_S = 120.0
"""A part untouched for so long is left: network file systems hide changes for up to a minute."""
POLL_S = 0.2


def claim(file: Path, uids: Stamp | None, waiting: Callable[[], None] = lambda: None) -> Path | None:
    """Return a new part of `file` that this process holds, or None.

    None: another process held one meanwhile. This waits until it is done, or gone, and calls `waiting`
    whenever it is seen alive.
    """
    number = durable.newest_generation(file.parent, _name(file))
    if number and not _is_left(_part(file, number), waiting):
        return None
    part = _part(file, number + 1)
    head = Head(host=this_host(), pid=os.getpid(), pid_start=own_start(), uids=uids)
    return part if durable.publish(part, head.encode()) else None


def earlier_records(part: Path, file: Path, uids: Stamp | None) -> Iterator[WalkedShard]:
    """Yield what earlier parts hold that were made with the same list of uids."""
    for earlier in _earlier(part, file):
        with earlier.open("rb") as content:
            head = Head.decode(content.read(HEAD_BYTES))
            if head is not None and head.uids == uids:
                yield from unfinished_records(content)


def remove_earlier(part: Path, file: Path) -> None:
    """Delete the parts before this one."""
    for earlier in _earlier(part, file):
        earlier.unlink(missing_ok=True)


@contextmanager
def beating(part: Path) -> Iterator[None]:
    """Touch a part now and then, however long a shard takes; never make it again where it is gone.

    A file system that fails for a while does not end that.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            try:
                os.utime(part)
            except FileNotFoundError:
                return
            except OSError as error:
                log.warning("no sign of life in %s: %s", part, error)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def look(path: Path) -> Stamp | None:
    """Return how a file looks now; None if it is missing."""
    try:
        return Stamp.of(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_left(part: Path, waiting: Callable[[], None]) -> bool:
    """Return whether a part's holder is gone; wait until that is sure, or the part is done."""
    seen, since = look(part), time.monotonic()
    if seen is not None and not _is_holder_gone(part):
        log.info("another process makes %s; waiting for it", part)
    while seen is not None:
        if _is_holder_gone(part) or time.monotonic() - since > STALE_S:
            return True
        time.sleep(POLL_S)
        if (now := look(part)) != seen:
            seen, since = now, time.monotonic()
            waiting()
    return False


def _is_holder_gone(part: Path) -> bool:
    """Return whether the holder is a process of this host that lives no more, or this one itself."""
    try:
        with part.open("rb") as file:
            holder = Head.decode(file.read(HEAD_BYTES))
    except FileNotFoundError:
        return False
    if holder is None or holder.host != this_host():
        return False
    return holder.pid == os.getpid() or not is_alive(holder.pid, holder.pid_start)


def _earlier(part: Path, file: Path) -> list[Path]:
    numbers = range(int(part.suffix[1:]) - 1, 0, -1)
    return [path for number in numbers if (path := _part(file, number)).exists()]


def _name(file: Path) -> str:
    return f"{file.name}.part"


def _part(file: Path, number: int) -> Path:
    return file.with_name(f"{_name(file)}.{number}")
