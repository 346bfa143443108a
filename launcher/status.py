"""What `status` prints: the state of every cell of the grid, as text or JSON."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from launcher import lease
from launcher.lease import Lease
from launcher.state import RunStatus, State
from launcher.wording import plural
from sweeps.folders import Root

COLUMN_AXIS = "samples_seen"
"""The axis that runs along the columns of the table; the others make its rows."""

COLOURS = {
    State.waiting: "dim",
    State.queued: "cyan",
    State.running: "yellow",
    State.trained: "blue",
    State.held: "red",
    State.cancelled: "magenta",
    State.done: "green",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A run that is held, or whose last attempt went wrong, with the last lines of its log."""

    run_id: str
    state: State
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusReport:
    """All that is shown of a sweep."""

    sweep: str
    statuses: list[RunStatus]
    core_hours: float
    gpu_hours: float
    failures: list[Failure]
    note: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Number of runs in each state."""
        return {s.value: sum(status.state is s for status in self.statuses) for s in State}


def make_report(root: Root, sweep: str, statuses: list[RunStatus], note: str = "") -> StatusReport:
    """Gather what was spent and what went wrong from the leases of the runs' segments."""
    leases = {key: _lease(root, key) for status in statuses for key in status.run.segments}
    attempts = [a for known in leases.values() if known for a in known.attempts]
    return StatusReport(
        sweep=sweep,
        statuses=statuses,
        core_hours=sum(attempt.hours * attempt.num_cores for attempt in attempts),
        gpu_hours=sum(attempt.hours * attempt.num_gpus for attempt in attempts),
        failures=[f for s in statuses if (f := _failure(s, leases.get(s.run.segments[-1])))],
        note=note,
    )


def status_json(report: StatusReport) -> dict[str, Any]:
    """Return the report as plain data; `runs` are in the order of the grid."""
    return {
        "sweep": report.sweep,
        "counts": report.counts,
        "core_hours": report.core_hours,
        "gpu_hours": report.gpu_hours,
        "runs": [run_json(status) for status in report.statuses],
        "failures": [{"run_id": f.run_id, "reason": f.reason} for f in report.failures],
        "note": report.note or None,
    }


def run_json(status: RunStatus) -> dict[str, Any]:
    """Return one run as plain data."""
    return {
        "run_id": status.run.run_id,
        "state": status.state.value,
        "model": status.run.model,
        "data": status.run.data,
        "samples_seen": status.run.samples_seen,
        "progress": status.progress,
        "labels": status.run.labels,
    }


def status_text(report: StatusReport, *, is_terminal: bool, width: int | None = None) -> str:
    """Return the report as a table of the grid, the counts, and the failures."""
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=width, highlight=False)
    if report.note:
        console.print(f"note: {report.note}", markup=False)
    console.print(_grid(report.statuses))
    counted = [f"{number} {state}" for state, number in report.counts.items() if number]
    console.print(
        f"{report.sweep}: {plural(len(report.statuses), 'run')}: {', '.join(counted)}", markup=False
    )
    console.print(f"spent: {_hours(report)}", markup=False)
    for failure in report.failures:
        console.print(f"\n{failure.state.value} {failure.run_id}", style="bold", markup=False)
        console.print(failure.reason, markup=False, soft_wrap=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text.rstrip()


def _grid(statuses: Sequence[RunStatus]) -> Table:
    """Return the grid: samples seen along the columns, all other axes along the rows."""
    rows: dict[tuple[str, ...], dict[str, list[RunStatus]]] = {}
    for status in statuses:
        row = tuple(v for a, v in _labels(status) if a != COLUMN_AXIS)
        rows.setdefault(row, {}).setdefault(_column(status), []).append(status)
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    names = [a for a, _ in _labels(statuses[0]) if a != COLUMN_AXIS] if statuses else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row, cells in rows.items():
        padded = [*row, *[""] * (len(names) - len(row))]
        table.add_row(*padded, *(_cell(cells.get(column, [])) for column in columns))
    return table


def _labels(status: RunStatus) -> list[tuple[str, str]]:
    return list(status.run.labels.items())


def _column(status: RunStatus) -> str:
    return status.run.labels.get(COLUMN_AXIS, f"{status.run.samples_seen:,}")


def _cell(statuses: Iterable[RunStatus]) -> str:
    return " ".join(_one(status) for status in statuses)


def _one(status: RunStatus) -> str:
    colour = COLOURS[status.state]
    share = f" {status.progress:.0%}" if status.state is State.running else ""
    return f"[{colour}]{status.state.value}{share}[/{colour}]"


def _hours(report: StatusReport) -> str:
    gpu = f", {report.gpu_hours:,.2f} GPU-hours" if report.gpu_hours else ""
    return f"{report.core_hours:,.2f} core-hours{gpu}"


def _failure(status: RunStatus, known: Lease | None) -> Failure | None:
    reason = status.reason
    if not reason and known is not None and status.state is not State.done:
        ended = [a for a in known.attempts if a.outcome is not None]
        went_wrong = ended and ended[-1].reason and ended[-1].outcome is not lease.Outcome.stopped
        reason = ended[-1].reason if went_wrong else ""
    if not reason:
        return None
    return Failure(run_id=status.run.run_id, state=status.state, reason=reason)


def _lease(root: Root, key: str) -> Lease | None:
    return lease.newest(root.segment(key))
