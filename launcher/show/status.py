"""What `status` prints: the state of every cell of the grid, as text or JSON."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launcher.reconcile.account import Account
from launcher.reconcile.departed import departed_jobs, said_by_scheduler
from launcher.reconcile.standing import Standing, estimates_left
from launcher.reconcile.state import RunStatus, State
from launcher.reconcile.told import Told
from launcher.reconcile.waits import Wait, waits_of
from launcher.records import quarantine
from launcher.records.quarantine import Entry
from launcher.show.account import account_json, budget_lines, hours_text
from launcher.text import Colour, coloured, duration, table
from sweeps.costs.cost import Estimate, Hours, total
from sweeps.folders import Root
from sweeps.runs.expansion import Run
from sweeps.text import plural
from sweeps.work.lease import Lease
from sweeps.work.outcome import ON_REQUEST

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
    """All that is shown of a sweep; `account`: of all of it, though only a part may be shown.

    `left`: core-hours and GPU-hours that the shown runs have yet to train; `longest_h`: how long the
    longest of them still trains. None where no throughput was ever measured.
    """

    sweep: str
    statuses: list[RunStatus]
    account: Account
    left: Hours | None
    longest_h: float | None
    failures: list[Failure]
    quarantine: list[Entry]
    waits: list[Wait]
    note: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Number of runs in each state."""
        return {s.value: sum(status.state is s for status in self.statuses) for s in State}


def make_report(root: Root, standing: Standing, note: str = "") -> StatusReport:
    """Gather what is shown of a sweep."""
    estimates = estimates_left(standing)
    core = total(estimates.values(), lambda known: known.core_hours)
    gpu = total(estimates.values(), lambda known: known.gpu_hours)
    walls = [_wall_hours(status.run, estimates) for status in standing.statuses]
    known = [wall for wall in walls if wall is not None]
    return StatusReport(
        sweep=standing.costs.sweep,
        statuses=standing.statuses,
        account=standing.account,
        left=Hours(core=core.likely, gpu=gpu.likely) if core and gpu else None,
        longest_h=max(known, default=0.0) if len(known) == len(walls) else None,
        failures=list(_failures(standing)),
        quarantine=quarantine.in_force(root.quarantine, time.time()),
        waits=waits_of(standing.observed),
        note=note,
    )


def status_json(report: StatusReport) -> dict[str, Any]:
    """Return the report as plain data; `runs` are in the order of the grid.

    `core_hours`, `gpu_hours`: what was charged under the sweep's name; `_left`: what the runs that are
    shown have yet to train, `wall_hours_left`: the longest of them. `queued`: why jobs wait, in
    the scheduler's words, and where time alone does not help, what to do. The rest: `account_json`.
    """
    return {
        "sweep": report.sweep,
        "counts": report.counts,
        "queued": [
            {
                "reason": wait.reason or None,
                "num_jobs": wait.num_jobs,
                "job_ids": list(wait.job_ids),
                "advice": wait.advice or None,
            }
            for wait in report.waits
        ],
        "core_hours": report.account.spent.core,
        "gpu_hours": report.account.spent.gpu,
        "core_hours_left": report.left.core if report.left else None,
        "gpu_hours_left": report.left.gpu if report.left else None,
        "wall_hours_left": report.longest_h,
        **account_json(report.account, report.statuses),
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
        "reason": status.reason or None,
        "labels": status.run.labels,
    }


def status_text(report: StatusReport, *, is_terminal: bool) -> str:
    """Return the report as a table of the grid, the counts, and the failures."""
    counted = [f"{number} {state}" for state, number in report.counts.items() if number]
    lines = [
        *([f"note: {report.note}"] if report.note else []),
        _grid(report.statuses, state_colour if is_terminal else None),
        f"{report.sweep}: {plural(len(report.statuses), 'run')}: {', '.join(counted)}",
        *(str(wait) for wait in report.waits if wait.reason),
        f"spent: {hours_text(report.account.spent)}",
        *budget_lines(report.account, report.statuses),
        *_left_lines(report),
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


def _left_lines(report: StatusReport) -> list[str]:
    if not report.left or not report.longest_h:
        return []
    longest = duration(report.longest_h)
    return [f"left: about {hours_text(report.left)}; the longest run trains {longest} more"]


def _wall_hours(run: Run, estimates: Mapping[str, Estimate | None]) -> float | None:
    left = total((estimates[key] for key in run.segments if key in estimates), lambda e: e.wall_hours)
    return left.likely if left else None


def _failures(standing: Standing) -> Iterator[Failure]:
    observed = standing.observed
    departed = departed_jobs(observed, Told(observed))
    for status in standing.statuses:
        reason = "" if status.is_held_up else status.reason
        unfinished = [key for key in status.run.segments if key in departed]
        if not reason and unfinished:
            held, jobs = observed.segments[unfinished[0]].lease, departed[unfinished[0]]
            reason = said_by_scheduler(jobs, held) or _last_trouble(held)
        if reason:
            yield Failure(run_id=status.run.run_id, state=status.state, reason=reason)


def _last_trouble(held: Lease | None) -> str:
    """Return why the last attempt that has ended went wrong, if it did."""
    ended = [attempt for attempt in held.attempts if attempt.outcome is not None] if held else []
    return ended[-1].reason if ended and ended[-1].outcome not in ON_REQUEST else ""
