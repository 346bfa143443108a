"""The command line: `python -m analysis COMMAND [key=value …]`."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.answers.compare import verdicts
from analysis.answers.laws import Answer, laws_of
from analysis.answers.measures import passed_over
from analysis.answers.optimal import NoOptimal, Optimal, best_splits
from analysis.answers.predict import Prediction, places, predictions
from analysis.arrays import Floats
from analysis.questions.arguments import (
    ARGUMENTS,
    CompareArguments,
    FitArguments,
    OptimalArguments,
    PredictArguments,
    ReportArguments,
    numbers,
)
from analysis.reports.plain import answer_json, encoded, prediction_json, splits_json, verdict_json
from analysis.reports.text import paragraph, splits_paragraph, verdict_paragraph
from conf.schema import OutputFormat
from sweeps.commands import read_arguments, run_command
from sweeps.errors import NothingToFit
from sweeps.logs import configure_logging

USAGE = f"""usage: python -m analysis COMMAND [key=value ...]

  fit        fit a law and print it
  predict    the same, and its value at=C (at=N,D for chinchilla)
  compare    which group is better with scale; by=COLUMN compares within each value of that column
  optimal    the best model size and number of samples at=C,C,... by form=chinchilla, where one
             parameter costs flops=K on one sample, or a power of N that fits compute=gflops_total
  report     fit the laws of a sweep and write law.html, law.md, law.json and figures

{ARGUMENTS}"""


def main() -> int:
    """Run one command; return its exit status."""
    configure_logging()
    return run_command(COMMANDS, sys.argv[1:], USAGE)


def fit(words: Sequence[str]) -> int:
    """Fit and print the laws of a table."""
    arguments = read_arguments(words, FitArguments)
    question, frame = arguments.question(), arguments.read().frame
    answers = _some_law(laws_of(frame, question))
    _show(arguments, [(answer, []) for answer in answers], passed_over(frame, question.y))
    return 0


def predict(words: Sequence[str]) -> int:
    """Fit, and print the laws with their values at some places."""
    arguments = read_arguments(words, PredictArguments)
    question = arguments.question()
    where = places(numbers("at", arguments.at), question.recipe.shape)
    frame = arguments.read().frame
    found = [(one, predictions(one.fit, where)) for one in _some_law(laws_of(frame, question))]
    _show(arguments, found, passed_over(frame, question.y))
    return 0


def compare(words: Sequence[str]) -> int:
    """Fit the laws of groups, and say which is better with scale."""
    arguments = read_arguments(words, CompareArguments)
    question, frame = arguments.question(), arguments.read().frame
    contexts = arguments.contexts(frame)
    answers = [(name, answer) for name, rows in contexts for answer in laws_of(rows, question)]
    _some_law([answer for _, answer in answers])
    found = verdicts(answers, question.recipe.level)
    warnings = [*passed_over(frame, question.y), *arguments.without_context(frame)]
    if arguments.format is OutputFormat.json:
        fits = [{"context": name or None, **answer_json(answer)} for name, answer in answers]
        data = {
            "group": question.group, "verdicts": [verdict_json(one) for one in found], "fits": fits,
            "warnings": warnings,
        }  # fmt: skip
        sys.stdout.write(encoded(data))
        return 0
    print("\n\n".join([*(verdict_paragraph(one) for one in found), *warnings, *_left_out(answers)]))
    return 0


def optimal(words: Sequence[str]) -> int:
    """Fit L(N, D), and say how computes are best split between N and D."""
    arguments = read_arguments(words, OptimalArguments)
    question, frame = arguments.question(), arguments.read().frame
    computes = np.array(numbers("at", arguments.at))
    found = [(one, _split(one, computes, arguments)) for one in laws_of(frame, question)]
    if all(isinstance(best, NoOptimal) for _, best in found):
        raise NothingToFit(splits_paragraph(*found[0]))
    warnings = passed_over(frame, question.y)
    if arguments.format is OutputFormat.json:
        data = [{**answer_json(one), "optimal": splits_json(best)} for one, best in found]
        sys.stdout.write(encoded(_joined(data, warnings, is_one=len(data) == 1)))
        return 0
    print("\n\n".join([*(splits_paragraph(*one) for one in found), *warnings]))
    return 0


def report(words: Sequence[str]) -> int:
    """Fit, and write the report; print where it lies."""
    from analysis.reports.sweep_report import report_table  # matplotlib, which nothing else needs

    arguments = read_arguments(words, ReportArguments)
    question, table = arguments.question(), arguments.read()
    findings, files = report_table(table, question, words, arguments.folder(table))
    if arguments.format is OutputFormat.json:
        sys.stdout.write(files.json.read_text())
        return 0
    print("\n".join([*findings.lines(), f"report: {files.html}"]))
    return 0


def _some_law(answers: list[Answer]) -> list[Answer]:
    """Return the answers, of which one at least has to have a law.

    Raises:
        NothingToFit: none has.
    """
    if all(answer.fit.law is None for answer in answers):
        raise NothingToFit(answers[0].sentence())
    return answers


def _split(answer: Answer, computes: Floats, arguments: OptimalArguments) -> Optimal | NoOptimal:
    if answer.fit.law is None:
        return NoOptimal(why_not="; ".join(answer.warnings))
    return best_splits(answer.fit, computes, arguments.flops_of(answer.points))


def _show(
    arguments: FitArguments,
    found: Sequence[tuple[Answer, Sequence[Prediction]]],
    warnings: Sequence[str],
) -> None:
    if arguments.format is OutputFormat.text:
        print("\n\n".join([*(paragraph(*one) for one in found), *warnings]))
        return
    data = [_json(*one) for one in found]
    is_one = arguments.group is None and len(data) == 1
    sys.stdout.write(encoded(_joined(data, warnings, is_one=is_one)))


def _left_out(answers: Sequence[tuple[str, Answer]]) -> list[str]:
    """Return of each answer with its context which rows it does not rest on."""
    return [
        f"{answer.name}{name and f', {name}'}: {'; '.join(answer.left_out)}"
        for name, answer in answers
        if answer.left_out
    ]


def _joined(data: Sequence[dict[str, Any]], warnings: Sequence[str], *, is_one: bool) -> dict[str, Any]:
    """Return answers as one object, with what is to be said of the whole table."""
    if is_one:
        return {**data[0], "warnings": [*data[0]["warnings"], *warnings]}
    return {"fits": data, "warnings": warnings}


def _json(answer: Answer, found: Sequence[Prediction]) -> dict[str, Any]:
    predicted = {"predictions": [prediction_json(one) for one in found]} if found else {}
    return {**answer_json(answer), **predicted}


COMMANDS = {"fit": fit, "predict": predict, "compare": compare, "optimal": optimal, "report": report}

if __name__ == "__main__":
    sys.exit(main())
