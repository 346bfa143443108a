"""What a network file system hides from a host for a while after another one has written it."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

HIDDEN_S = 60.0
"""A client of NFS believes so long what it knows of names and files (acdirmax, acregmax in nfs(5))."""
POLL_S = 1.0


def read_in_time(read: Callable[[], T], hidden: type[Exception]) -> T:
    """Return what `read` returns; where it raises `hidden`, read again, for `HIDDEN_S` at most."""
    deadline, is_told = time.monotonic() + HIDDEN_S, False
    while True:
        try:
            return read()
        except hidden as error:
            if time.monotonic() > deadline:
                raise
            if not is_told:
                log.warning("%s; looking again for up to %g s", error, HIDDEN_S)
        is_told = True
        time.sleep(POLL_S)
