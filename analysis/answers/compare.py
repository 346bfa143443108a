"""Which of two groups is better with scale, over all test sets and contexts. Pure."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.answers.contest import Contest, Ends, Estimate, contest
from analysis.answers.laws import Answer
from analysis.arrays import Floats
from sweeps.errors import UsageError
from sweeps.text import plural


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Which of two groups is better with scale (None: not decided), over all measures and contexts.

    `ratio`: of y of `one` to y of `other` at the largest compute of both, the geometric mean over
    contests; None where none has runs enough.
    """

    one: str
    other: str
    ratio: Estimate | None
    contests: tuple[Contest, ...]

    @property
    def winner(self) -> str | None:
        """Whose y is surely lower on average."""
        if self.ratio is None or self.ratio.low is None or self.ratio.high is None:
            return None
        if self.ratio.high < 1:
            return self.one
        return self.other if self.ratio.low > 1 else None

    @property
    def num_averaged(self) -> int:
        """How many contests the ratio is a mean of."""
        return sum(one.ends is not None for one in self.contests)

    @property
    def wins(self) -> dict[str, int]:
        """How many contests each won."""
        return {name: sum(c.winner == name for c in self.contests) for name in (self.one, self.other)}

    def sentence(self) -> str:
        """Return the verdict with its evidence."""
        loser = self.other if self.winner == self.one else self.one
        lead = (
            f"{self.winner} is better than {loser} with scale"
            if self.winner
            else f"{self.one} or {self.other}: not decided"
        )
        return ". ".join([lead, *self._mean(), self._score()])

    def _mean(self) -> Iterator[str]:
        if self.ratio is None:
            return
        value, low, high = (f"{end:.3g}" for end in (self.ratio.value, self.ratio.low, self.ratio.high))
        what = plural(self.num_averaged, "comparison")
        over = f" in geometric mean over {what}" if self.num_averaged > 1 else ""
        yield (
            f"At the largest compute of both {self.one} has {value} [{low}, {high}] times the value of "
            f"{self.other}{over}"
        )

    def _score(self) -> str:
        first, second = self.wins.items()
        open_ones = len(self.contests) - first[1] - second[1]
        return (
            f"{first[0]} is better in {first[1]} and {second[0]} in {second[1]} of "
            f"{plural(len(self.contests), 'comparison')}, {open_ones} not decided"
        )


def verdicts(answers: Sequence[tuple[str, Answer]], level: float) -> list[Verdict]:
    """Return the verdict on each pair of groups, of answers with their context.

    Raises:
        UsageError: there are not two groups.
    """
    names = sorted({answer.group for _, answer in answers if answer.group is not None})
    if len(names) < 2:
        raise UsageError(f"nothing to compare: the only group is {names[0] if names else None!r}")
    return [_verdict(*pair, answers, level) for pair in itertools.combinations(names, 2)]


def _verdict(one: str, other: str, answers: Sequence[tuple[str, Answer]], level: float) -> Verdict:
    contests = tuple(
        contest(context, first, second, level) for context, first, second in _pairs(one, other, answers)
    )
    return Verdict(one=one, other=other, ratio=_mean_ratio(contests), contests=contests)


def _pairs(
    one: str, other: str, answers: Sequence[tuple[str, Answer]]
) -> Iterator[tuple[str, Answer, Answer]]:
    """Yield the answers of two groups to the same question."""
    known = {(context, answer.measure, answer.group): answer for context, answer in answers}
    for (context, measure, group), answer in known.items():
        if group == one and (context, measure, other) in known:
            yield context, answer, known[context, measure, other]


def _mean_ratio(contests: Sequence[Contest]) -> Estimate | None:
    """Return the geometric mean of the ratios of y, and its interval.

    Contests of the same runs err together, so one resample of the runs is one of all of them. How the
    errors of others go together is not known: their intervals are averaged, as if they were one.
    """
    found: dict[object, list[Ends]] = {}
    for one in contests:
        if one.ends is not None:
            found.setdefault(_runs(one), []).append(one.ends)
    if not found:
        return None
    each = [np.percentile(_means(ends), (50, *ends[0].tails)) for ends in found.values()]
    mean = np.average(each, axis=0, weights=[len(ends) for ends in found.values()])
    value, low, high = np.exp(mean).tolist()
    return Estimate(value=value, low=low, high=high)


def _runs(contest: Contest) -> tuple[object, ...]:
    """Return what contests have in common whose resamples are of the same runs."""
    known = [
        answer.points[column].to_numpy().tolist()
        for answer in (contest.one, contest.other)
        for column in ("checkpoint", *answer.question.x)
        if column in answer.points.columns
    ]
    return contest.context, *map(tuple, known)


def _means(ends: Sequence[Ends]) -> Floats:
    """Return the mean log ratio in each resample, over the contests that could be fitted in it."""
    rows = np.full((len(ends), 1 + max(int(one.places.max()) for one in ends)), np.nan)
    for row, one in zip(rows, ends, strict=True):
        row[one.places] = one.log_ratios
    means: Floats = np.nanmean(rows[:, np.isfinite(rows).any(axis=0)], axis=0)
    return means
