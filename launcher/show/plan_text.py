"""How `plan` reads: a table of runs, and the totals with their ranges."""

from collections.abc import Iterator

from launcher.reconcile.state import RunStatus, State
from launcher.show.account import budget_lines, hours_text
from launcher.show.preview import Preview
from launcher.show.status import axes_of, state_colour
from launcher.text import duration, number, size, table
from sweeps.costs.cost import NO_HOURS, Hours, Span, total
from sweeps.text import plural

UNKNOWN = "unknown"
NAME_WIDTH = 12


def plan_text(preview: Preview, *, is_terminal: bool) -> str:
    """Return the preview as a table of runs, and lines of totals."""
    axes = axes_of(preview.statuses)
    has_gpus = _has_gpus(preview)
    columns = ["state", *_columns(preview, has_gpus=has_gpus)]
    rows = [
        [*(status.run.labels.get(axis, "") for axis in axes), *(row[name] for name in columns)]
        for status in preview.statuses
        for row in (_row(preview, status, has_gpus=has_gpus),)
    ]
    shown = table(
        [*axes, *columns],
        rows,
        right=len(columns) - 1,
        colour_of=state_colour if is_terminal else None,
    )
    refusal = [f"a launch would be refused: {preview.obstacle}"] if preview.obstacle else []
    return "\n".join([shown, "", _title(preview), *_totals(preview), *refusal])


def _columns(preview: Preview, *, has_gpus: bool) -> list[str]:
    """Return the columns that say something here."""
    charge = "GPU-hours" if has_gpus else "core-hours"
    has_range = any(
        known.low_factor < known.high_factor for known in preview.estimates.values() if known
    )
    optional = [*(["range"] if has_range else []), *(["jobs"] if preview.num_jobs else [])]
    return ["ranks", "batch", charge, *optional, "duration"]


def _row(preview: Preview, status: RunStatus, *, has_gpus: bool) -> dict[str, str]:
    run = status.run
    hours = total(preview.left_of(run), lambda known: known.gpu_hours if has_gpus else known.core_hours)
    wall, jobs = preview.wall_hours_of(run), preview.num_jobs_of(run)
    return {
        "state": status.state.value,
        "ranks": f"{run.config.resources.num_ranks:,}",
        "batch": f"{run.config.global_batch_size:,}",
        "GPU-hours" if has_gpus else "core-hours": number(hours.likely) if hours else UNKNOWN,
        "range": _range(hours),
        "jobs": str(jobs[0]) if jobs else "",
        "duration": duration(wall.likely) if wall else UNKNOWN,
    }


def _title(preview: Preview) -> str:
    to_do = sum(status.state not in (State.done, State.trained) for status in preview.statuses)
    return (
        f"{preview.sweep}: {plural(len(preview.statuses), 'run')} "
        f"in {plural(preview.num_segments, 'segment')}; {plural(to_do, 'run')} "
        f"and {plural(len(preview.estimates), 'segment')} to train on {preview.cluster}"
    )


def _totals(preview: Preview) -> Iterator[str]:
    if preview.estimates:
        yield from _costs(preview)
        yield from _jobs(preview)
        yield _line("storage", _storage(preview))
    if preview.num_unscored:
        yield _line("scores", f"{plural(preview.num_unscored, 'checkpoint')} to be scored")
    if preview.shared_samples:
        saved = f", {hours_text(preview.shared)}" if preview.shared else ""
        yield _line("sharing", f"saves {preview.shared_samples:,} samples{saved}")
    yield from _account(preview)


def _costs(preview: Preview) -> Iterator[str]:
    if preview.core_hours is None:
        unknown = "unknown until each model has trained here once: conf/rates.yaml has not all of them"
        yield _line("cost", unknown)
        return
    if _has_gpus(preview):
        yield _line("GPU-hours", _span(preview.gpu_hours))
    yield _line("core-hours", _span(preview.core_hours))
    if preview.price:
        unit = f"{preview.price.currency} at {preview.price.per_gpu_hour:g} a GPU-hour"
        yield _line("price", f"{_span(preview.money)} {unit}")


def _jobs(preview: Preview) -> Iterator[str]:
    if preview.wall_hours:
        wall = preview.wall_hours
        most = f" (up to {duration(wall.high)})" if wall.high > wall.likely else ""
        hours, cores = preview.core_hours, preview.all_cores
        whole = (
            f"; all of them at least {duration(max(wall.likely, hours.likely / cores))} "
            f"on {plural(cores, 'core')}"
            if hours and cores
            else ""
        )
        yield _line("wall time", f"the longest run trains {duration(wall.likely)}{most}{whole}")
    if preview.num_jobs and preview.longest_chain:
        chain = preview.longest_chain[0]
        in_a_row = f"; the longest run takes {chain:,} in a row" if chain > 1 else ""
        yield _line("jobs", f"{preview.num_jobs[0]:,} (up to {preview.num_jobs[1]:,}){in_a_row}")


def _account(preview: Preview) -> Iterator[str]:
    account = preview.account
    if account.spent != NO_HOURS:
        yield _line("spent", hours_text(account.spent))
    yield from (_line("budget", line) for line in budget_lines(account, preview.statuses))
    if preview.gpu_hours and preview.core_hours:
        left = Hours(core=preview.core_hours.likely, gpu=preview.gpu_hours.likely)
        if account.exceeded_by(left):
            yield _line("", f"not all fits: what is left needs {hours_text(left)}")


def _storage(preview: Preview) -> str:
    storage = preview.storage
    files = f"{storage.files_end:,} files (up to {storage.files_peak:,})"
    if storage.bytes_end is None or storage.bytes_peak is None:
        return f"{files}; bytes unknown: conf/parameters.yaml lacks a model"
    return f"{size(storage.bytes_end)} (up to {size(storage.bytes_peak)} while all train), {files}"


def _line(name: str, text: str) -> str:
    return f"  {name.ljust(NAME_WIDTH)}{text}"


def _span(span: Span | None) -> str:
    if span is None:
        return UNKNOWN
    between = _range(span)
    return f"{number(span.likely)} ({between})" if between else number(span.likely)


def _range(span: Span | None) -> str:
    return f"{number(span.low)} to {number(span.high)}" if span and span.low < span.high else ""


def _has_gpus(preview: Preview) -> bool:
    return any(known.gpu_hours for known in preview.estimates.values() if known)
