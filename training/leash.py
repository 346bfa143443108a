"""A process that must not outlive whoever started it."""

import os
import threading

STDIN = 0


def die_with_parent() -> None:
    """Leave at once when standard input ends: the starter holds its other end, and is gone."""
    threading.Thread(target=_wait_and_leave, daemon=True).start()


def _wait_and_leave() -> None:
    # Not sys.stdin: its lock, held by this thread, would abort the interpreter's own exit.
    while os.read(STDIN, 1):
        pass
    os._exit(1)
