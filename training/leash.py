"""A process that must not outlive whoever started it."""

import os
import sys
import threading


def die_with_parent() -> None:
    """Leave at once when standard input ends: the starter holds its other end, and is gone."""
    threading.Thread(target=_wait_and_leave, daemon=True).start()


def _wait_and_leave() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
