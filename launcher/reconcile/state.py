"""States, derived from evidence and never stored: of segments, of checkpoints' scores, of runs."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from evaluation.claims import Claim
from launcher.reconcile.departed import (
    Departed,
    departed_jobs,
    said_by_scheduler,
    why_never_begun,
    with_told_end,
)
from launcher.reconcile.liveness import Liveness, live_items
from launcher.reconcile.observe import Observed
from launcher.reconcile.told import Told
from launcher.records.budget import why_held
from launcher.records.claims import num_failures
from launcher.records.ledger import (
    NEVER,
    History,
    Resumed,
    SubmissionState,
    segment_of,
)
from launcher.records.orders import log_of_scorer
from sweeps.runs.expansion import Run, Segment
from sweeps.work.items import CheckpointEvals, pairs_of
from sweeps.work.lease import Attempt
from sweeps.work.outcome import ON_REQUEST, Outcome

TOLD_BY_CLAIMS = {
    outcome.value for outcome in Outcome if outcome is Outcome.done or outcome.is_final
} | {outcome.value for outcome in ON_REQUEST}
"""How a scoring item may end that says nothing of its checkpoints: their claims do."""


class State(Enum):
    """State of a run, and of a segment (which is never `trained`: it is done)."""

    waiting = "waiting"
    queued = "queued"
    running = "running"
    trained = "trained"
    held = "held"
    cancelled = "cancelled"
    done = "done"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStatus:
    """What is shown of a run. `progress` is 0 to 1 by samples; `reason` says why it does not go on."""

    run: Run
    state: State
    progress: float
    reason: str = ""

    @property
    def is_held_up(self) -> bool:
        """Whether it waits to be trained, or scored, for something that does not come by itself."""
        return self.state in (State.waiting, State.trained) and bool(self.reason)


def given_up(tasks: Iterable[CheckpointEvals], observed: Observed, most_tries: int) -> set[str]:
    """Return the checkpoints whose missing scores were all tried often enough since they were resumed.

    Their claims tell the tries. Where scorers crash before they claim anything, or never begin, there
    are none, so such an end counts for all checkpoints that the scorer was given.
    """
    crashes: dict[str, int] = {}
    for checkpoint, since in _crashed_scorers(observed.history):
        resumed = observed.history.resumed.get(segment_of(checkpoint), NEVER)
        if since >= resumed.time:
            crashes[checkpoint] = crashes.get(checkpoint, 0) + 1
    spent: dict[str, list[Claim]] = {}
    for claim in observed.claims.values():
        if num_failures(claim, observed.history) >= most_tries:
            spent.setdefault(claim.checkpoint, []).append(claim)
    return {
        task.checkpoint
        for task in tasks
        if crashes.get(task.checkpoint, 0) >= most_tries
        or _is_hopeless(task, spent.get(task.checkpoint, ()), observed)
    }


def _is_hopeless(task: CheckpointEvals, spent: Sequence[Claim], observed: Observed) -> bool:
    """Return whether claims that were tried often enough are on all that a checkpoint lacks."""
    if not spent or any(not claim.suspects for claim in spent):
        return bool(spent)
    suspects = {name for claim in spent for name in claim.suspects}
    return all(pair[1] in suspects or pair in observed.scored for pair in pairs_of([task]))


def _crashed_scorers(history: History) -> Iterator[tuple[str, float]]:
    """Yield (checkpoint, time of submission) of all that scorers were given which crashed."""
    for record in history.submissions.values():
        is_over = record.state is SubmissionState.over and record.was_accepted
        if not (record.checkpoints and is_over):
            continue
        for index, checkpoints in enumerate(record.checkpoints):
            if record.outcomes.get(index) not in TOLD_BY_CLAIMS:
                yield from ((checkpoint, record.since) for checkpoint in checkpoints)


def unscored(wanted: Iterable[CheckpointEvals], observed: Observed) -> list[CheckpointEvals]:
    """Return what is asked for and has no row yet."""
    return [task for task in wanted if not pairs_of([task]) <= observed.scored]


def segment_states(
    segments: Mapping[str, Segment],
    observed: Observed,
    most_fruitless: int,
    told: Told,
    over: Container[str] = (),
) -> dict[str, tuple[State, str]]:
    """Return state and reason of each segment.

    Args:
        segments: by key.
        observed: what is.
        most_fruitless: attempts without new samples that are made of one.
        told: what the scheduler tells of `observed`.
        over: as in `live_items`.
    """
    known = _KnownOfSegments(
        observed=observed,
        live=live_items(observed, over),
        cancelled=observed.history.cancelled | told.cancelled,
        departed=departed_jobs(observed, told),
        most_fruitless=most_fruitless,
    )
    return {key: known.state_of(key) for key in segments}


def run_statuses(
    runs: Iterable[Run],
    segments: Mapping[str, Segment],
    observed: Observed,
    wanted: Iterable[CheckpointEvals],
    most_fruitless: int,
) -> list[RunStatus]:
    """Return the status of each run.

    Args:
        runs: the runs.
        segments: all their segments.
        observed: what is.
        wanted: the scores that hooks ask for, of checkpoints that exist.
        most_fruitless: attempts without new samples (or rows) until an item is held.
    """
    missing: dict[str, list[str]] = {}
    lacking = unscored(wanted, observed)
    for task in lacking:
        missing.setdefault(task.segment, []).append(task.checkpoint)
    told = Told(observed)
    known = _Known(
        segments=segments,
        observed=observed,
        states=segment_states(segments, observed, most_fruitless, told),
        missing=missing,
        given_up=given_up(lacking, observed, most_fruitless),
        cancelled=observed.history.cancelled | told.cancelled,
        most_fruitless=most_fruitless,
    )
    return [known.status_of(run) for run in runs]


@dataclass(frozen=True, kw_only=True, slots=True)
class _KnownOfSegments:
    """What the states of segments follow from."""

    observed: Observed
    live: Mapping[str, Liveness]
    cancelled: Container[str]
    departed: Mapping[str, Sequence[Departed]]
    most_fruitless: int

    def state_of(self, key: str) -> tuple[State, str]:
        """Return state and reason of a segment.

        An item that shares its job may have ended while the job goes on.
        """
        if self.observed.segments[key].is_done:
            return State.done, ""
        liveness, attempt = self.live.get(key), self._attempt(key)
        is_through = liveness is None or (attempt is not None and attempt.outcome is not None)
        is_cancelled = key in self.cancelled or (attempt is not None and attempt.is_cancelled)
        if is_through and is_cancelled:
            return State.cancelled, ""
        if reason := self._why_held(key, is_alive=liveness is not None):
            return State.held, reason
        if liveness is None:
            return State.waiting, ""
        return (State.running if liveness is Liveness.running else State.queued), ""

    def _attempt(self, key: str) -> Attempt | None:
        """Return the last attempt, unless the user has asked for another one after it."""
        held = self.observed.segments[key].lease
        is_new = held is not None and held.attempt.number > self._resumed(key).attempt
        return held.attempt if held is not None and is_new else None

    def _why_held(self, key: str, *, is_alive: bool) -> str | None:
        found, resumed, jobs = self.observed.segments[key].lease, self._resumed(key), self.departed[key]
        held = with_told_end(found, jobs) if found else None
        reason = why_held(held, self.most_fruitless, resumed.attempt) if held else None
        if reason is not None:
            return "\n".join(filter(None, [reason, said_by_scheduler(jobs, held)]))
        if is_alive:
            return None
        return why_never_begun(jobs, held, self.most_fruitless, resumed.time)

    def _resumed(self, key: str) -> Resumed:
        return self.observed.history.resumed.get(key, NEVER)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What statuses follow from. `missing`: by segment, its checkpoints that lack a score."""

    segments: Mapping[str, Segment]
    observed: Observed
    states: Mapping[str, tuple[State, str]]
    missing: Mapping[str, list[str]]
    given_up: Container[str]
    cancelled: Container[str]
    most_fruitless: int

    def status_of(self, run: Run) -> RunStatus:
        state, reason = _worst([self.states[key] for key in run.segments])
        if state is State.done:
            state, reason = self._scored_state(run)
        return RunStatus(run=run, state=state, progress=self._progress(run), reason=reason)

    def _scored_state(self, run: Run) -> tuple[State, str]:
        """Return the state of a run that is trained: it is done when all its scores are there."""
        missing = [checkpoint for key in run.segments for checkpoint in self.missing.get(key, [])]
        failed = [checkpoint for checkpoint in missing if checkpoint in self.given_up]
        if failed:
            why = _why_not_scored(failed[0], self.observed)
            return State.held, f"scoring failed {self.most_fruitless} times: {failed[0]}{why}"
        if any(c in self.cancelled or segment_of(c) in self.cancelled for c in missing):
            return State.cancelled, "its scoring was cancelled"
        return (State.trained if missing else State.done), ""

    def _progress(self, run: Run) -> float:
        trained = 0
        for key in run.segments:
            end = self.segments[key].end
            if self.states[key][0] is not State.done:
                return max(trained, min(self.observed.segments[key].samples, end)) / run.samples_seen
            trained = end
        return 1.0


def _why_not_scored(checkpoint: str, observed: Observed) -> str:
    """Return what was said last by a process that tried to score a checkpoint, and where its log is."""
    tried = [claim for claim in observed.claims.values() if claim.checkpoint == checkpoint]
    claim = next((one for one in tried if one.error), tried[-1] if tried else None)
    said = [
        record.reasons.get(index, "")
        for record in observed.history.submissions.values()
        for index, checkpoints in enumerate(record.checkpoints)
        if checkpoint in checkpoints
    ]
    words = claim.error if claim and claim.error else next(filter(None, reversed(said)), "")
    log = f"what it printed: {log_of_scorer(claim.scorer)}" if claim else ""
    return "".join(f"\n{line}" for line in (words, log) if line)


def _worst(states: list[tuple[State, str]]) -> tuple[State, str]:
    """Return the state that a run takes from its segments: the first of these that occurs."""
    for wanted in (State.held, State.cancelled, State.running, State.queued, State.waiting):
        for state, reason in states:
            if state is wanted:
                return state, reason
    return State.done, ""
