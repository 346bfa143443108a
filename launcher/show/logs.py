"""What the processes of a run print: the log of its newest attempt, as it grows if that is wanted."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.reconcile.observe import Observed, read_segments
from launcher.reconcile.state import State
from launcher.reconcile.sweep import Sweep, statuses_of
from launcher.records.ledger import Ledger, SubmissionState
from launcher.records.orders import OrderPaths
from sweeps.errors import UsageError
from sweeps.work import lease
from sweeps.work.lease import Attempt, Lease

POLL_S = 0.5
BLOCK = 1 << 16
OVER = {State.done, State.held, State.cancelled}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Log:
    """What the processes of one attempt in a segment's folder print."""

    folder: Path
    attempt: Attempt

    @property
    def path(self) -> Path:
        return OrderPaths.of(self.folder, self.attempt.number).log

    @property
    def title(self) -> str:
        attempt = self.attempt
        ended = f", {attempt.outcome.value}" if attempt.outcome else ""
        where = f"job {attempt.holder.job_id} on {attempt.holder.host}"
        return f"==> {self.folder.name}, attempt {attempt.number}, {where}{ended}: {self.path}"


def log_text(sweep: Sweep, num_lines: int, *, follow: bool = False) -> Iterator[str]:
    """Yield the last lines of a run's newest log, headed by what it is.

    Args:
        sweep: that of the run, which is its only one here.
        num_lines: of what was printed until now.
        follow: whether to go on with what is added, attempt after attempt, until the run cannot go on.

    Raises:
        UsageError: no process of the run was ever started.
    """
    log = _newest(sweep)
    text = log.path.read_bytes()
    shown = _whole_lines(text) if follow else text
    lines = shown.decode(errors="replace").splitlines()
    yield log.title
    yield from lines[-num_lines:] if num_lines else []
    if not text:
        metrics = f"metrics-{log.attempt.number}.jsonl"
        yield f"(it has printed nothing; `status` says how far it is, {metrics} there how it learns)"
    if follow:
        yield from _added(sweep, log, len(shown))


def _added(sweep: Sweep, log: _Log, position: int) -> Iterator[str]:
    """Yield what a log holds from a position on, and the logs of later attempts, as they grow."""
    ledger = Ledger(sweep.root.ledger)
    while True:
        # Asked before the log is read, so that nothing is missed that it was given before its end.
        is_over = _is_over(sweep, ledger)
        newer = _newest(sweep)
        is_left = newer.path != log.path
        text = _block(log.path, position)
        if len(text) < BLOCK and not (is_left or is_over):
            text = _whole_lines(text)
        position += len(text)
        if text:
            yield text.decode(errors="replace").removesuffix("\n")
        elif is_left:
            log, position = newer, 0
            yield log.title
        elif is_over:
            return
        else:
            time.sleep(POLL_S)


def _newest(sweep: Sweep) -> _Log:
    """Return the log of the last attempt that has one: it takes its lease before it opens its log."""
    for folder, held in _leases(sweep):
        for attempt in reversed(held.attempts):
            log = _Log(folder=folder, attempt=attempt)
            if log.path.exists():
                return log
    (run,) = sweep.expansion.runs
    raise UsageError(
        f"{run.run_id} was never started, so it has no log; `status` says what it waits for"
    )


def _is_over(sweep: Sweep, ledger: Ledger) -> bool:
    """Return whether the run's last attempt has ended and, as far as files tell, none follows it."""
    ledger.refresh()
    history, (run,) = ledger.history, sweep.expansion.runs
    attempt = next(held.attempt for _, held in _leases(sweep))
    record = history.submissions.get(attempt.holder.submission)
    if attempt.outcome is None and (record is None or record.state is not SubmissionState.over):
        return False
    segments = read_segments(sweep.root, sweep.expansion.segments.values())
    observed = Observed(where="", history=history, queue=None, segments=segments, scored=frozenset())
    (status,) = statuses_of(sweep, observed, wanted=())
    return status.state in OVER or not history.cancelled.isdisjoint(run.segments)


def _leases(sweep: Sweep) -> Iterator[tuple[Path, Lease]]:
    """Yield folder and lease of each segment of the run that was begun, the last one first."""
    (run,) = sweep.expansion.runs
    for folder in map(sweep.root.segment, reversed(run.segments)):
        if held := lease.newest(folder):
            yield folder, held


def _block(path: Path, position: int) -> bytes:
    with path.open("rb") as file:
        file.seek(position)
        return file.read(BLOCK)


def _whole_lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]
