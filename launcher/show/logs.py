"""What the processes of a run print: the log of its newest attempt, as it grows if that is wanted."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.records.orders import OrderPaths
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.runs.expansion import Run
from sweeps.work import lease
from sweeps.work.lease import Attempt
from sweeps.work.outcome import Outcome

POLL_S = 0.5
BLOCK = 1 << 16


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


def log_text(root: Root, run: Run, num_lines: int, *, follow: bool = False) -> Iterator[str]:
    """Yield the last lines of a run's newest log, headed by what it is.

    With `follow` also what is added to it, attempt after attempt, until the run cannot go on.

    Raises:
        UsageError: no process of the run was ever started.
    """
    log = _newest(root, run)
    text = log.path.read_bytes()
    shown = _whole_lines(text) if follow else text
    lines = shown.decode(errors="replace").splitlines()
    yield log.title
    yield from lines[-num_lines:] if num_lines else []
    if not text:
        metrics = f"metrics-{log.attempt.number}.jsonl"
        yield f"(it has printed nothing; `status` says how far it is, {metrics} there how it learns)"
    if follow:
        yield from _added(root, run, log, len(shown))


def _added(root: Root, run: Run, log: _Log, position: int) -> Iterator[str]:
    """Yield what a log holds from a position on, and the logs of later attempts, as they grow."""
    while True:
        # Asked before the log is read, so that nothing is missed that it was given before its end.
        is_over = _is_over(root, run)
        newer = _newest(root, run)
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


def _newest(root: Root, run: Run) -> _Log:
    """Return the log of the last attempt that has one: it takes its lease before it opens its log."""
    for folder in map(root.segment, reversed(run.segments)):
        held = lease.newest(folder)
        for attempt in reversed(held.attempts if held else ()):
            log = _Log(folder=folder, attempt=attempt)
            if log.path.exists():
                return log
    raise UsageError(
        f"{run.run_id} was never started, so it has no log; `status` says what it waits for"
    )


def _is_over(root: Root, run: Run) -> bool:
    """Return whether the run's last attempt ended so that none follows it."""
    for key in reversed(run.segments):
        held = lease.newest(root.segment(key))
        if held is not None:
            outcome = held.attempt.outcome
            is_done = outcome is Outcome.done and key == run.run_id
            return is_done or (outcome is not None and outcome.is_final)
    return False


def _block(path: Path, position: int) -> bytes:
    with path.open("rb") as file:
        file.seek(position)
        return file.read(BLOCK)


def _whole_lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]
