"""From a root to the laws and the report of one of its sweeps."""

from pathlib import Path

from analysis.laws import Answer, laws_of
from analysis.question import REPORT_GROUP, REPORT_RESAMPLES, Question
from analysis.recipe import Recipe
from analysis.report import ReportFiles, write_report
from evaluation import results
from sweeps.folders import Root


def report_sweep(root: Path, sweep: str) -> tuple[list[Answer], ReportFiles]:
    """Fit the final checkpoints of a sweep and write `law.html` and the rest; return both.

    Raises:
        UsageError: the sweep was never launched under this root.
        NothingToFit: nothing of it is scored.
    """
    question = Question(group=REPORT_GROUP, recipe=Recipe(num_resamples=REPORT_RESAMPLES))
    answers = laws_of(results.load(root, sweep=sweep, final=True), question)
    command = f"python -m analysis report root={root} sweep={sweep}"
    return answers, write_report(Root(root).report(sweep), f"Scaling laws of {sweep}", answers, command)
