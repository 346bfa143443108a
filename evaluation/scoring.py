"""Score checkpoints one after the other, and then what takes long on each.

Each is claimed first (`evaluation.claims`), so any number of workers may be given the same ones. Its
rows go to the table's inbox in one file, when all its evals are through or this process is to leave:
what is missing then is left to another one. What fails keeps nothing else from being scored; it is
noted in the claim, and reported at the end.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from evaluation import claims
from evaluation.claims import Claim
from evaluation.due import Due
from evaluation.evaluator import is_resumable
from evaluation.measure import Failed
from evaluation.orders import ScoreOrder
from evaluation.pulse import Pulse
from evaluation.results import inbox
from evaluation.results.rows import Row
from evaluation.scorer import Scorer
from sweeps.errors import ScoringFailed, StopAsked
from sweeps.folders import Root
from sweeps.text import plural
from sweeps.work.items import CheckpointEvals, eval_id

log = logging.getLogger(__name__)


def score_all(order: ScoreOrder) -> bool:
    """Score what is not in the table yet; return False if asked to stop before the end.

    Raises:
        ScoringFailed: some checkpoints could not be scored.
    """
    try:
        failures = list(_failures(order, Pulse(order.progress, order.stop_file)))
    except StopAsked:
        return False
    if failures:
        raise ScoringFailed(f"{plural(len(failures), 'checkpoint')} not scored; {'; '.join(failures)}")
    return True


def _failures(order: ScoreOrder, pulse: Pulse) -> Iterator[str]:
    """Score what is not in the table yet; yield what failed."""
    followed = {claim.name: claim for claim in order.followable}
    parts = [part for task in order.item.checkpoints for part in _parts(task)]
    # What failed before comes last: it may well end this process.
    parts.sort(key=lambda part: (part.claim in followed, bool(part.apart)))
    work = _Work(order, pulse)
    for number, part in enumerate(parts, start=1):
        pulse.look()
        later = [one.task for one in parts[number:]]
        if failed := work.try_to_score(part, followed.get(part.claim), later):
            yield f"{part.task.checkpoint}: {failed}"
        pulse.note(part.claim)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """Evals of a checkpoint that are claimed at once. `apart`: the eval, if it is a long one."""

    task: CheckpointEvals
    apart: str = ""

    @property
    def claim(self) -> str:
        """The name of its claims."""
        return claims.name_of(self.task.checkpoint, self.apart)


def _parts(task: CheckpointEvals) -> Iterator[_Part]:
    """Yield the short evals of a checkpoint together, and each long one."""
    long = [spec for spec in task.evals if is_resumable(spec)]
    if short := tuple(spec for spec in task.evals if spec not in long):
        yield _Part(task=replace(task, evals=short))
    for spec in long:
        yield _Part(task=replace(task, evals=(spec,)), apart=eval_id(spec))


class _Work:
    """Takes what is due, and puts its rows into the table."""

    def __init__(self, order: ScoreOrder, pulse: Pulse) -> None:
        root = Root(order.root)
        self._order, self._results = order, root.results
        self._due = Due(root)
        self._scorer = Scorer(root, order.item.datasets, pulse)

    def try_to_score(self, part: _Part, before: Claim | None, later: Sequence[CheckpointEvals]) -> str:
        """Score a checkpoint if it is there, lacks rows and is not in other hands; return what failed.

        Args:
            part: the checkpoint, and on what.
            before: a claim that may be followed.
            later: what comes after it, of which the first one that is due is read meanwhile.

        Raises:
            StopAsked: this process is to leave; what was scored is in the table.
            torch.AcceleratorError: a GPU failed; this process can compute nothing on it any more.
        """
        task, claim = part.task, _claim(self._order, part, before)
        if not any(self._due.among([task])) or not claims.take(self._results, claim):
            return ""
        try:
            failed = self._score(task, claim, later)
        except StopAsked:
            claims.give_back(self._results, claim, before)
            raise
        except torch.AcceleratorError as error:
            claims.note_failure(self._results, claim, repr(error))
            raise
        except Exception as error:
            log.exception("%s cannot be scored", task.checkpoint)
            claims.note_failure(self._results, claim, repr(error))
            return repr(error)
        if not failed:
            claims.release(self._results, claim)
            return ""
        said = "; ".join(map(str, failed))
        claims.note_failure(self._results, claim, said, (eval_id(one.spec) for one in failed))
        return said

    def _score(
        self, task: CheckpointEvals, claim: Claim, later: Sequence[CheckpointEvals]
    ) -> list[Failed]:
        """Score a checkpoint on those of its evals that have no row now; return which failed."""
        self._due.refresh()
        evals = self._due.missing(task)
        if not evals:
            return []
        following = next(map(self._due.weights, self._due.among(later)), None)
        rows, failed = list[Row](), list[Failed]()
        try:
            for found in self._scorer.rows(self._due.weights(task), evals, following):
                if isinstance(found, Failed):
                    failed.append(found)
                else:
                    rows.append(found)
        finally:
            self._hand_in(task, claim, rows)
        return failed

    def _hand_in(self, task: CheckpointEvals, claim: Claim, rows: Sequence[Row]) -> None:
        """Put rows into the table, also where the claim is in other hands by now: they may fail."""
        if not rows:
            return
        scorer, commit = self._order.scorer, self._order.commit
        name = f"{claim.name}.{scorer.submission}-{scorer.index}-{scorer.attempt}"
        named = [replace(row, checkpoint=task.checkpoint, commit=commit) for row in rows]
        inbox.append(self._results, name, named)
        log.info("scored %s on %s", task.checkpoint, plural(len(rows), "eval"))


def _claim(order: ScoreOrder, part: _Part, before: Claim | None) -> Claim:
    return Claim(
        checkpoint=part.task.checkpoint,
        part=part.apart,
        number=before.number + 1 if before else 1,
        tries=before.tries + 1 if before else 1,
        scorer=order.scorer,
    )
