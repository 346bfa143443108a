"""Which checkpoints are handed over to be scored, and after which trainings."""

from dataclasses import replace
from typing import Any

import pytest

from evaluation.claims import Claim, Scorer
from launcher.machines.queue import Job
from launcher.reconcile.actions import (
    Action,
    Cancel,
    NoteEnded,
    Submit,
)
from launcher.reconcile.observe import SegmentEvidence
from launcher.reconcile.unwanted import Unwanted
from launcher.records.ledger import Act
from sweeps.work.items import ScoreItem, eval_id
from tests.configs import EVAL
from tests.launcher.worlds import (
    DONE,
    TWO,
    A,
    B,
    asked_of,
    history,
    job,
    observed,
    planned,
    submitted,
    submitting,
    work,
)


def scored(actions: list[Action]) -> list[list[str]]:
    items = [i for a in actions if isinstance(a, Submit) for i in a.items if isinstance(i, ScoreItem)]
    return [[c.checkpoint for c in item.checkpoints] for item in items]


def test_checkpoints_of_a_finished_segment_are_scored() -> None:
    world = observed(TWO, evidence={A: DONE, B: DONE})
    the_work = work(TWO, asked_of(A, 640))
    assert scored(planned(the_work, world)) == [[f"{A}@640"]]


def test_checkpoints_of_a_running_segment_wait_until_there_are_enough() -> None:
    known = history(submitting("s", A, B), submitted("s"))
    world = observed(TWO, job("s", 0, 1), known=known)
    assert scored(planned(work(TWO, asked_of(A, 64)), world)) == []
    assert scored(planned(work(TWO, asked_of(A, 64, 128, 256)), world)) == [
        [f"{A}@64", f"{A}@128"],
        [f"{A}@256"],
    ]


TRAINED_ALONE = history(submitting("s", A), submitted("s"))
SCORED_AFTER = history(
    submitting("s", A),
    submitted("s"),
    {**submitting("t", "score-x"), "checkpoints": ((f"{A}@640",),), "after": "s"},
    submitted("t", "2"),
)


def scorers(actions: list[Action]) -> list[tuple[str, list[str]]]:
    """Return what is handed over to score after something, and after what."""
    found = [
        (a.after or a.items[0].key, item)
        for a in actions
        if isinstance(a, Submit)
        for item in (a.items if a.after else a.scores)
    ]
    return [(w, [c.checkpoint for c in i.checkpoints]) for w, i in found if isinstance(i, ScoreItem)]


def test_trainings_bring_their_scorers() -> None:
    the_work = work(TWO, has_scorers=True)
    assert scorers(planned(the_work, observed(TWO))) == [(A, [f"{A}@640", f"{B}@640"])]
    assert scorers(planned(work(TWO), observed(TWO))) == []


def test_trainings_whose_launcher_died_get_their_scorers_late() -> None:
    world = observed(TWO, job("s"), evidence={B: DONE}, known=TRAINED_ALONE)
    assert scorers(planned(work(TWO, has_scorers=True), world)) == [("s", [f"{A}@640"])]


@pytest.mark.parametrize("is_running", [True, False])
def test_trainings_get_no_scorers_twice(is_running: bool) -> None:
    jobs = [job("s", is_running=is_running), job("t", is_running=False, job_id="2")]
    world = observed(TWO, *jobs, evidence={B: DONE}, known=SCORED_AFTER)
    assert planned(work(TWO, has_scorers=True), world) == []


@pytest.mark.parametrize(
    ("jobs", "is_scored_now"),
    [
        ([job("s"), job("t", is_running=False, job_id="2")], False),
        ([job("t", is_running=False, job_id="2")], False),
        ([job("t", job_id="2")], False),
        ([], True),
    ],
    ids=["its scorer waits", "its scorer may start", "its scorer runs", "its scorer is over"],
)
def test_a_checkpoint_is_left_to_the_scorer_that_comes_after_it(
    jobs: list[Job], is_scored_now: bool
) -> None:
    world = observed(TWO, *jobs, evidence={A: DONE, B: DONE}, known=SCORED_AFTER)
    found = scored(planned(work(TWO, asked_of(A, 640), has_scorers=True), world))
    assert found == ([[f"{A}@640"]] if is_scored_now else [])


PAIR_SCORED_AFTER = (
    submitting("s", A, B),
    submitted("s"),
    {**submitting("t", "score-x"), "checkpoints": ((f"{A}@640", f"{B}@640"),), "after": "s"},
    submitted("t", "2"),
)
EARLY = ({**submitting("u", "score-y"), "checkpoints": ((f"{A}@64",),)}, submitted("u", "3"))


@pytest.mark.parametrize(
    ("evidence", "early", "expected"),
    [
        ({A: DONE}, [], [[f"{A}@640"]]),
        ({A: DONE}, [job("u", job_id="3")], []),
        ({A: DONE, B: DONE}, [], []),
        ({}, [], []),
    ],
    ids=["one of two has ended", "an earlier lot is being scored", "both have ended", "none has"],
)
def test_a_run_that_has_ended_is_scored_while_its_scorer_waits_for_another(
    evidence: dict[str, SegmentEvidence], early: list[Job], expected: list[list[str]]
) -> None:
    jobs = [job("s", 0, 1), job("t", is_running=False, job_id="2"), *early]
    known = history(*PAIR_SCORED_AFTER, *(EARLY if early else ()))
    world = observed(TWO, *jobs, evidence=evidence, known=known)
    asked = asked_of(A, 640, *([64] if early else []))
    assert scored(planned(work(TWO, asked, has_scorers=True), world)) == expected


def test_enough_checkpoints_are_scored_before_the_scorer_that_waits_for_the_end() -> None:
    jobs = [job("s"), job("t", is_running=False, job_id="2")]
    world = observed(TWO, *jobs, evidence={B: DONE}, known=SCORED_AFTER)
    the_work = work(TWO, [*asked_of(A, 640), *asked_of(B, 640)], has_scorers=True)
    assert scored(planned(the_work, world)) == [[f"{A}@640", f"{B}@640"]]


def test_what_has_its_rows_is_not_scored_again() -> None:
    pairs = frozenset({(f"{A}@640", eval_id(EVAL.evals[0]))})
    world = observed(TWO, evidence={A: DONE, B: DONE}, scored=pairs)
    assert planned(work(TWO, asked_of(A, 640)), world) == []


def scoring(name: str, *checkpoints: str) -> dict[str, Any]:
    return {**submitting(name, "score-x"), "checkpoints": (checkpoints,)}


def test_what_is_being_scored_is_left_alone() -> None:
    known = history(scoring("s", f"{A}@640"), submitted("s"))
    world = observed(TWO, job("s"), evidence={A: DONE, B: DONE}, known=known)
    assert planned(work(TWO, asked_of(A, 640)), world) == []


def test_scoring_of_what_the_user_cancels_ends_and_does_not_begin() -> None:
    known = history(scoring("s", f"{A}@640"), submitted("s"), {"act": Act.cancelled, "items": (A,)})
    evidence, the_work = {A: DONE, B: DONE}, work(TWO, asked_of(A, 640))
    ending = Cancel(unwanted=(Unwanted(job_id="1", submission="s"),))
    assert planned(the_work, observed(TWO, job("s"), evidence=evidence, known=known)) == [ending]
    again = planned(the_work, observed(TWO, evidence=evidence, known=known))
    assert again == [NoteEnded(submission="s")]


def test_scoring_that_keeps_failing_is_given_up() -> None:
    over = {"act": Act.ended}
    lines = [
        line
        for name in "abc"
        for line in (scoring(name, f"{A}@640"), submitted(name), {**over, "submission": name})
    ]
    world = observed(TWO, evidence={A: DONE, B: DONE}, known=history(*lines[:-3]))
    assert scored(planned(work(TWO, asked_of(A, 640)), world)) == [[f"{A}@640"]]
    world = observed(TWO, evidence={A: DONE, B: DONE}, known=history(*lines))
    assert planned(work(TWO, asked_of(A, 640)), world) == []


RETRIEVAL = eval_id(EVAL.evals[0])
CLAIM = Claim(
    checkpoint=f"{A}@640", number=3, tries=3, scorer=Scorer(submission="s", index=0, attempt=1)
)


@pytest.mark.parametrize(
    ("claim", "lines", "is_tried_again"),
    [
        (replace(CLAIM, error="torn"), [], False),
        (replace(CLAIM, error="torn", tries=2), [], True),
        (CLAIM, [{"act": Act.ended, "submission": "s"}], False),
        (CLAIM, [{"act": Act.ended, "submission": "s", "outcomes": ("stopped",)}], True),
        (
            replace(CLAIM, error="torn"),
            [{"act": Act.resumed, "items": (A,), "attempts": (1,), "time": 9}],
            True,
        ),
        (replace(CLAIM, error="torn", failed=(RETRIEVAL,)), [], False),
        (replace(CLAIM, error="torn", failed=("other/cars/v1",)), [], True),
        (replace(CLAIM, part=RETRIEVAL), [{"act": Act.ended, "submission": "s"}], False),
        (replace(CLAIM, part="long/cars/v1"), [{"act": Act.ended, "submission": "s"}], True),
    ],
    ids=[
        "failed",
        "failed less often",
        "killed",
        "stopped",
        "resumed",
        "all that is missing failed",
        "something else failed",
        "all that is missing killed its process",
        "something else killed its process",
    ],
)
def test_a_checkpoint_is_given_up_after_a_few_tries(
    claim: Claim, lines: list[dict[str, Any]], is_tried_again: bool
) -> None:
    over = {"act": Act.ended, "submission": "s", "outcomes": ("bad_data",)}
    known = history(submitting("s", "score-x"), submitted("s"), *(lines or [over]))
    evidence = {A: DONE, B: DONE}
    world = observed(TWO, evidence=evidence, known=known, claims={claim.name: claim})
    assert bool(scored(planned(work(TWO, asked_of(A, 640)), world))) == is_tried_again
