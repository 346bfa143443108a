"""How a process begins under a supervisor: it takes an order, dies with it, and stops when told."""

import argparse
import os
import signal
import threading
from pathlib import Path

from sweeps.logs import configure_logging

STDIN = 0


def take_order(program: str, description: str | None) -> Path:
    """Read the command line of a process that a supervisor starts; return the order's file."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("order", type=Path)
    parser.add_argument("--leash", action="store_true", help="die when standard input ends")
    arguments = parser.parse_args()
    configure_logging()
    ignore_stop_signals()
    if arguments.leash:
        die_with_parent()
    order: Path = arguments.order
    return order


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
