"""Which of two groups is better with scale, over all test sets and contexts. Pure."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scipy.special import bdtr

from analysis.answers.contest import Contest, contest
from analysis.answers.laws import Answer
from sweeps.errors import UsageError
from sweeps.text import plural

MOST_BY_CHANCE = 0.05
"""Of a two-sided sign test over tasks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Which of two groups is better with scale (None: not decided), over all measures and contexts."""

    one: str
    other: str
    winner: str | None
    contests: tuple[Contest, ...]

    @property
    def wins(self) -> dict[str, int]:
        """How many contests each won."""
        return {name: sum(c.winner == name for c in self.contests) for name in (self.one, self.other)}

    def sentence(self) -> str:
        """Return the verdict with its evidence."""
        first, second = self.wins.items()
        open_ones = len(self.contests) - first[1] - second[1]
        score = (
            f"{first[0]} is better in {first[1]} and {second[0]} in {second[1]} of "
            f"{plural(len(self.contests), 'comparison')} at the largest compute of both, "
            f"{open_ones} not decided"
        )
        if self.winner is None:
            chance = ": by a sign test that may be chance" if len(self.contests) > 1 else ""
            return f"{self.one} or {self.other}: not decided. {score}{chance}"
        loser = self.other if self.winner == self.one else self.one
        return f"{self.winner} is better than {loser} with scale. {score}"


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
    return Verdict(one=one, other=other, winner=_overall(one, other, contests), contests=contests)


def _pairs(
    one: str, other: str, answers: Sequence[tuple[str, Answer]]
) -> Iterator[tuple[str, Answer, Answer]]:
    """Yield the answers of two groups to the same question."""
    known = {(context, answer.measure, answer.group): answer for context, answer in answers}
    for (context, measure, group), answer in known.items():
        if group == one and (context, measure, other) in known:
            yield context, answer, known[context, measure, other]


def _overall(one: str, other: str, contests: Sequence[Contest]) -> str | None:
    """Return who won more than chance would give, by a sign test; of a single contest, its winner."""
    if len(contests) == 1:
        return contests[0].winner
    wins = [sum(c.winner == name for c in contests) for name in (one, other)]
    if 2 * bdtr(min(wins), sum(wins), 0.5) > MOST_BY_CHANCE:
        return None
    return one if wins[0] > wins[1] else other
