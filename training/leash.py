"""How a process hangs on its supervisor: it dies with it, and stops only when told by it."""

import os
import signal
import threading

STDIN = 0


def die_with_parent() -> None:
    """Leave at once when standard input ends: the starter holds its other end, and is gone."""
    threading.Thread(target=_wait_and_leave, daemon=True).start()


def ignore_stop_signals() -> None:
    """Leave it to the supervisor to turn a signal into a stop request.

    A scheduler that ends a job signals every process in it; one that died of that could not save.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def _wait_and_leave() -> None:
    # Not sys.stdin: its lock, held by this thread, would abort the interpreter's own exit.
    while os.read(STDIN, 1):
        pass
    os._exit(1)
