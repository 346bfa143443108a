"""How an attempt ended that did not reach its end: from exit codes, and from what was asked of it."""

import signal
from collections.abc import Collection
from pathlib import Path

from launcher.records.outcome import Outcome
from training.exits import RankExit

LOG_TAIL_LINES = 12
LOG_TAIL_BYTES = 4096

FINAL = {RankExit.bad_data: Outcome.bad_data, RankExit.not_finite: Outcome.not_finite}


def ending_of(codes: Collection[int], stop_signal: int | None, log: Path) -> tuple[Outcome, str]:
    """Return the outcome, and the reason to be shown.

    Args:
        codes: exit codes of the processes, and a rank's verdict if one left it.
        stop_signal: by which the supervisor was asked to stop, if it was.
        log: of the processes.
    """
    for code, outcome in FINAL.items():
        if code in codes:
            return outcome, log_tail(log)
    if stop_signal is not None:
        outcome = Outcome.time_limit if stop_signal == signal.SIGUSR1 else Outcome.stopped
        return outcome, f"asked by {signal.Signals(stop_signal).name}"
    return Outcome.crashed, f"exit codes {sorted(set(codes))}\n{log_tail(log)}"


def log_tail(path: Path) -> str:
    """Return the last lines of a log."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])
