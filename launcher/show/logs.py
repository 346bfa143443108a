"""What the processes of a run print: the log of its newest attempt, as it grows if that is wanted."""

import time
from collections.abc import Iterator
from pathlib import Path

from launcher.records.orders import OrderPaths
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.runs.expansion import Run
from sweeps.work import lease
from sweeps.work.lease import Lease
from sweeps.work.outcome import Outcome

POLL_S = 0.5
BLOCK = 1 << 16


def log_text(root: Root, run: Run, num_lines: int) -> Iterator[str]:
    """Yield the last lines of a run's newest log, headed by what it is.

    Raises:
        UsageError: no process of the run was ever started.
    """
    folder, held = _newest(root, run)
    lines = _path(folder, held).read_text(errors="replace").splitlines()
    yield _title(folder, held)
    yield from lines[-num_lines:] if num_lines else []
    if not lines:
        metrics = f"metrics-{held.attempt.number}.jsonl"
        yield f"(it has printed nothing; `status` says how far it is, {metrics} there how it learns)"


def follow(root: Root, run: Run) -> Iterator[str]:
    """Yield what is added to a run's newest log, attempt after attempt, until it cannot go on."""
    folder, held = _newest(root, run)
    position = _path(folder, held).stat().st_size
    while True:
        text = _after(_path(folder, held), position)
        position += len(text)
        if text:
            yield text.decode(errors="replace").removesuffix("\n")
        newer = _newest(root, run)
        if _path(*newer) != _path(folder, held):
            folder, held = newer
            position = 0
            yield _title(folder, held)
        elif not text and _is_over(run, folder, newer[1]):
            return
        else:
            time.sleep(POLL_S)


def _newest(root: Root, run: Run) -> tuple[Path, Lease]:
    """Return folder and lease of the last of the run's segments that was ever started."""
    for key in reversed(run.segments):
        held = lease.newest(root.segment(key))
        if held is not None and _path(root.segment(key), held).exists():
            return root.segment(key), held
    raise UsageError(
        f"{run.run_id} was never started, so it has no log; `status` says what it waits for"
    )


def _path(folder: Path, held: Lease) -> Path:
    return OrderPaths.of(folder, held.attempt.number).log


def _title(folder: Path, held: Lease) -> str:
    attempt = held.attempt
    ended = f", {attempt.outcome.value}" if attempt.outcome else ""
    where = f"job {attempt.holder.job_id} on {attempt.holder.host}"
    return f"==> {folder.name}, attempt {attempt.number}, {where}{ended}: {_path(folder, held)}"


def _is_over(run: Run, folder: Path, held: Lease) -> bool:
    outcome = held.attempt.outcome
    if outcome is Outcome.done:
        return folder.name == run.run_id
    return outcome is not None and outcome.is_final


def _after(path: Path, position: int) -> bytes:
    with path.open("rb") as file:
        file.seek(position)
        return file.read(BLOCK)
