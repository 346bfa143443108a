"""From a root to the laws and the report of one of its sweeps."""

from pathlib import Path

from analysis.laws import Law, laws_of
from analysis.report import ReportFiles, write_report
from evaluation import results
from sweeps.folders import Root


def report_sweep(root: Path, sweep: str) -> tuple[list[Law], ReportFiles]:
    """Fit the final checkpoints of a sweep and write `law.html` and the rest; return both.

    Raises:
        UsageError: the sweep was never launched under this root.
        NothingToFit: nothing of it is scored.
    """
    laws = laws_of(results.load(root, sweep=sweep, final=True))
    command = f"python -m analysis fit root={root} sweep={sweep}"
    return laws, write_report(Root(root).report(sweep), f"Scaling laws of {sweep}", laws, command)
