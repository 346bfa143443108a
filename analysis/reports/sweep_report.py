"""From a root to the laws and the report of one of its sweeps."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.answers.laws import laws_of
from analysis.answers.measures import passed_over
from analysis.questions.arguments import ReportArguments
from analysis.questions.question import REPORT_GROUP, Question
from analysis.questions.tables import Table, sweep_table
from analysis.reports.report import Findings, ReportFiles, write_report
from evaluation.results.select import require_numbers
from sweeps.errors import NothingToFit
from sweeps.folders import Root

HELD_FROM = 2 / 3


def report_sweep(root: Path, sweep: str) -> tuple[Findings, ReportFiles]:
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
) -> tuple[Findings, ReportFiles]:
    """Answer a question of a table and write the report that `words` asked for; return both.

    The usual groups are left where the table does not know them.

    Raises:
        UsageError: a column does not exist, or nothing can be written.
        NothingToFit: nothing is scored.
    """
    if question.group == REPORT_GROUP and REPORT_GROUP not in table.frame.columns:
        question = replace(question, group=None)
    answers = laws_of(table.frame, with_threshold(table.frame, question))
    if not any(len(answer.points) for answer in answers):
        raise NothingToFit(answers[0].sentence())
    findings = Findings(
        title=f"Scaling laws of {table.title}",
        answers=answers,
        checkpoints=table.checkpoints,
        words=words,
        warnings=passed_over(table.frame, question.y),
    )
    return findings, write_report(folder, findings)


def with_threshold(frame: pd.DataFrame, question: Question) -> Question:
    """Return the question with the upper third of the decades of compute held out, if it names none."""
    if question.thresholds or len(question.x) > 1:
        return question
    require_numbers(frame, question.x[0])
    computes = frame[question.x[0]]
    known = np.log(computes[computes > 0])
    if known.empty:
        return question
    above = float(np.exp(known.min() + HELD_FROM * (known.max() - known.min())))
    return replace(question, rolling=(float(f"{above:.3g}"),))
