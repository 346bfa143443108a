"""From a root to the laws and the report of one of its sweeps."""

from collections.abc import Sequence
from pathlib import Path

from analysis.arguments import ReportArguments
from analysis.laws import Answer, laws_of
from analysis.question import Question
from analysis.report import Findings, ReportFiles, write_report
from analysis.tables import Table, sweep_table
from sweeps.folders import Root


def report_sweep(root: Path, sweep: str) -> tuple[list[Answer], ReportFiles]:
    """Fit the final checkpoints of a sweep and write `law.html` and the rest; return both.

    Raises:
        UsageError: the sweep was never launched under this root.
        NothingToFit: nothing of it is scored.
    """
    table = sweep_table(Root(root), sweep)
    words = [f"root={root}", f"sweep={sweep}"]
    return report_table(table, ReportArguments().question(), words, Root(root).report(sweep))


def report_table(
    table: Table, question: Question, words: Sequence[str], folder: Path
) -> tuple[list[Answer], ReportFiles]:
    """Answer a question of a table and write the report that `words` asked for; return both.

    Raises:
        UsageError: a column does not exist, or nothing can be written.
        NothingToFit: nothing is scored.
    """
    answers = laws_of(table.frame, question)
    findings = Findings(
        title=f"Scaling laws of {table.title}",
        answers=answers,
        checkpoints=table.checkpoints,
        words=words,
    )
    return answers, write_report(folder, findings)
