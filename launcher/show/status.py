"""What `status` prints: the state of every cell of the grid, as text or JSON."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from launcher.reconcile.state import RunStatus, State
from launcher.records import lease, quarantine
from launcher.records.lease import Lease
from launcher.records.outcome import ON_REQUEST
from launcher.records.quarantine import Entry
from launcher.text import Colour, coloured, plural, table
from sweeps.cost import NO_HOURS
from sweeps.folders import Root

COLUMN_AXIS = "samples_seen"
"""The axis that runs along the columns of the table; the others make its rows."""

COLOURS = {
    State.waiting.value: Colour.dim,
    State.queued.value: Colour.cyan,
    State.running.value: Colour.yellow,
    State.trained.value: Colour.blue,
    State.held.value: Colour.red,
    State.cancelled.value: Colour.magenta,
    State.done.value: Colour.green,
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
    quarantine: list[Entry]
    note: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Number of runs in each state."""
        return {s.value: sum(status.state is s for status in self.statuses) for s in State}


def make_report(root: Root, sweep: str, statuses: list[RunStatus], note: str = "") -> StatusReport:
    """Gather what was spent and what went wrong from the leases of the runs' segments."""
    keys = dict.fromkeys(key for status in statuses for key in status.run.segments)
    leases = {key: lease.newest(root.segment(key)) for key in keys}
    attempts = [a for known in leases.values() if known for a in known.attempts]
    charged = sum((attempt.charged for attempt in attempts), start=NO_HOURS)
    return StatusReport(
        sweep=sweep,
        statuses=statuses,
        core_hours=charged.core,
        gpu_hours=charged.gpu,
        failures=[f for s in statuses if (f := _failure(s, leases.get(s.run.segments[-1])))],
        quarantine=quarantine.in_force(root.quarantine, time.time()),
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
        "quarantine": [
            {"cluster": e.where, "node": e.node, "reason": e.reason, "since": e.since, "until": e.until}
            for e in report.quarantine
        ],
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


def status_text(report: StatusReport, *, is_terminal: bool) -> str:
    """Return the report as a table of the grid, the counts, and the failures."""
    counted = [f"{number} {state}" for state, number in report.counts.items() if number]
    lines = [
        *([f"note: {report.note}"] if report.note else []),
        _grid(report.statuses, state_colour if is_terminal else None),
        f"{report.sweep}: {plural(len(report.statuses), 'run')}: {', '.join(counted)}",
        f"spent: {_hours(report)}",
    ]
    lines += [_avoided(entry) for entry in report.quarantine]
    for failure in report.failures:
        title = f"{failure.state.value} {failure.run_id}"
        lines += ["", coloured(title, Colour.bold if is_terminal else None), failure.reason]
    return "\n".join(lines)


def axes_of(statuses: Iterable[RunStatus]) -> list[str]:
    """Return the axes of the grid that runs make, in order."""
    return list(dict.fromkeys(axis for status in statuses for axis in status.run.labels))


def state_colour(cell: str) -> Colour | None:
    """Return the colour of a cell that begins with a state."""
    return COLOURS.get(cell.partition(" ")[0])


def _grid(statuses: Sequence[RunStatus], colour_of: Callable[[str], Colour | None] | None) -> str:
    """Return the grid: samples seen along the columns, all other axes along the rows."""
    axes = [axis for axis in axes_of(statuses) if axis != COLUMN_AXIS]
    rows: dict[tuple[str, ...], dict[str, list[RunStatus]]] = {}
    for status in statuses:
        row = tuple(status.run.labels.get(axis, "") for axis in axes)
        rows.setdefault(row, {}).setdefault(_column(status), []).append(status)
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    shown = [
        [*row, *(" ".join(map(_cell, cells.get(column, []))) for column in columns)]
        for row, cells in rows.items()
    ]
    return table([*axes, *columns], shown, right=len(columns), colour_of=colour_of)


def _column(status: RunStatus) -> str:
    return status.run.labels.get(COLUMN_AXIS, f"{status.run.samples_seen:,}")


def _cell(status: RunStatus) -> str:
    share = f" {status.progress:.0%}" if status.state is State.running else ""
    return f"{status.state.value}{share}"


def _avoided(entry: Entry) -> str:
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.until))
    return f"avoided until {until}: {entry.node} of {entry.where}: {entry.reason}"


def _hours(report: StatusReport) -> str:
    gpu = f", {report.gpu_hours:,.2f} GPU-hours" if report.gpu_hours else ""
    return f"{report.core_hours:,.2f} core-hours{gpu}"


def _failure(status: RunStatus, known: Lease | None) -> Failure | None:
    reason = status.reason
    if not reason and known is not None and status.state is not State.done:
        ended = [a for a in known.attempts if a.outcome is not None]
        went_wrong = ended and ended[-1].reason and ended[-1].outcome not in ON_REQUEST
        reason = ended[-1].reason if went_wrong else ""
    if not reason:
        return None
    return Failure(run_id=status.run.run_id, state=status.state, reason=reason)
