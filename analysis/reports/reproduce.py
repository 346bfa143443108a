"""The commands that reproduce what a report shows. Pure."""

import shlex
from collections.abc import Sequence

from analysis.answers.laws import Answer

OF_THE_REPORT = ("y", "group", "out", "format", "by")
"""Arguments that each fit of a report says for itself."""


def fit_command(answer: Answer, words: Sequence[str]) -> str:
    """Return the command that prints one answer of a report that `words` asked for."""
    question, measure = answer.question, answer.measure
    of = {"downstream_dataset": measure.downstream_dataset, "eval": measure.eval}
    own = [f"y={measure.y}", *(f"where.{column}={name}" for column, name in of.items() if name)]
    if question.shared:
        own.append(f"group={question.group}")
    elif answer.group is not None:
        own.append(f"where.{question.group}={answer.group}")
    keys = {word.partition("=")[0] for word in own}
    kept = [word for word in _kept(answer, words) if word.partition("=")[0] not in keys]
    return command("fit", [*kept, *own])


def compare_command(answers: Sequence[Answer], words: Sequence[str]) -> str:
    """Return the command that prints the verdicts of a report."""
    question = answers[0].question
    own = [f"y={question.y}"] if question.y is not None else []
    return command("compare", [*_kept(answers[0], words), *own, f"group={question.group}"])


def command(name: str, words: Sequence[str]) -> str:
    """Return a command line."""
    return shlex.join(["python", "-m", "analysis", name, *words])


def _kept(answer: Answer, words: Sequence[str]) -> list[str]:
    """Return the words that also hold for a single fit, and what a report says without being told."""
    kept = [word for word in words if word.partition("=")[0] not in OF_THE_REPORT]
    question = answer.question
    said = {
        "bootstrap": str(question.recipe.num_resamples),
        "rolling": ",".join(f"{above:g}" for above in question.rolling),
    }
    known = {word.partition("=")[0] for word in kept}
    return [*kept, *(f"{key}={value}" for key, value in said.items() if value and key not in known)]
