"""Work items that share a job: their parts of the node, and what is planned and ended of them."""

from dataclasses import replace

import pytest

from conf.schema import ClusterConfig, ClusterKind
from launcher.jobs.pack import cores_of, devices_of
from launcher.machines.queue import Queue
from launcher.reconcile.actions import Cancel, Submit
from launcher.reconcile.liveness import live_items
from launcher.reconcile.observe import SegmentEvidence
from launcher.reconcile.told import Told
from launcher.reconcile.unwanted import Unwanted, unwanted_jobs
from launcher.records.ledger import Act, History
from sweeps.work.outcome import Outcome
from tests.launcher.worlds import (
    asked_of,
    ended,
    history,
    job,
    keys_of,
    lease,
    observed,
    planned,
    runs,
    submitted,
    submitting,
    work,
)

WHOLE = ClusterConfig(name="whole", kind=ClusterKind.slurm, gpus_per_node=4, charged_cores_per_node=48)
SIX = runs(6)
KEYS = list(SIX.segments)
PACKED = [{**submitting("s", *KEYS), "pack": 4}, submitted("s")]


def test_an_array_of_full_jobs_carries_more_items_than_it_has_tasks() -> None:
    actions = planned(work(SIX, cluster=WHOLE), observed(SIX), max_array_size=1)
    sizes = [len(action.items) for action in actions if isinstance(action, Submit)]
    assert sizes == [4, 2]


def test_a_whole_node_scores_with_all_its_gpus() -> None:
    done = {key: SegmentEvidence(is_done=True, milestones=frozenset({640})) for key in KEYS}
    tasks = [task for key in KEYS for task in asked_of(key, 640)]
    (action,) = planned(work(SIX, tasks, cluster=WHOLE), observed(SIX, evidence=done))
    assert isinstance(action, Submit)
    assert len(action.items) == 3
    few = work(SIX, tasks, cluster=WHOLE)
    few = replace(few, scoring=replace(few.scoring, per_item=32))
    (action,) = planned(few, observed(SIX, evidence=done))
    assert isinstance(action, Submit)
    assert [len(item.checkpoints) for item in action.items] == [2, 2, 2]  # type: ignore[union-attr]


def test_the_items_of_a_job_live_as_long_as_it_does() -> None:
    world = observed(SIX, job("s", 1), known=history(*PACKED))
    assert list(live_items(world)) == KEYS[4:]


@pytest.mark.parametrize(
    ("outcome", "resumed_at", "is_submitted"),
    [
        (Outcome.cancelled, 2.0, True),
        (Outcome.bad_data, 2.0, True),
        (Outcome.crashed, 1.0, False),
        (Outcome.time_limit, 2.0, False),
        (None, 2.0, False),
    ],
)
def test_an_item_that_is_resumed_does_not_wait_for_those_that_share_its_old_job(
    outcome: Outcome | None, resumed_at: float, is_submitted: bool
) -> None:
    again = {"act": Act.resumed, "items": KEYS[:1], "attempts": (1,), "time": resumed_at}
    evidence = {KEYS[0]: SegmentEvidence(lease=lease(outcome))}
    world = observed(SIX, job("s", 0, 1), evidence=evidence, known=history(*PACKED, again))
    assert keys_of(planned(work(SIX, cluster=WHOLE), world)) == [KEYS[:1]] * is_submitted


def test_its_new_job_may_be_cancelled_in_the_queue() -> None:
    again = {"act": Act.resumed, "items": KEYS[:1], "attempts": (1,), "time": 2.0}
    known = history(*PACKED, again, submitting("t", KEYS[0], at=3.0), submitted("t", "2"))
    evidence = {KEYS[0]: SegmentEvidence(lease=lease(Outcome.cancelled))}
    world = observed(SIX, job("s", 0, 1), evidence=evidence, known=known, ended=(ended("t"),))
    assert Told(world).cancelled == {KEYS[0]}


def unwanted(known: History, *keys: str, done: str = "") -> list[Unwanted]:
    queue = Queue(asked_at=9.0, jobs=(job("s", 0, 1),))
    return list(unwanted_jobs(keys, known, queue, lambda key: key == done))


def test_a_job_is_ended_only_if_no_item_of_it_is_wanted() -> None:
    known = history(*PACKED)
    assert unwanted(known) == []
    assert unwanted(known, KEYS[1]) == [Unwanted(job_id="1_0", submission="s", items=(1,))]
    assert unwanted(known, *KEYS[4:]) == [Unwanted(job_id="1_1", submission="s")]
    assert unwanted(known, KEYS[4], done=KEYS[5]) == [Unwanted(job_id="1_1", submission="s")]


def test_a_plan_ends_single_items() -> None:
    known = history(*PACKED, {"act": Act.cancelled, "items": (KEYS[0],)})
    world = observed(SIX, job("s", 0, 1), known=known)
    expected = Unwanted(job_id="1_0", submission="s", items=(0,))
    assert planned(work(SIX, cluster=WHOLE), world) == [Cancel(unwanted=(expected,))]


@pytest.mark.parametrize(
    ("slot", "num_gpus", "given", "left"),
    [
        (0, 1, {}, {}),
        (2, 0, {"CUDA_VISIBLE_DEVICES": "0,1"}, {}),
        (2, 1, {"CUDA_VISIBLE_DEVICES": "4,5,6,7"}, {"CUDA_VISIBLE_DEVICES": "6"}),
        (
            1,
            2,
            {"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b,GPU-c,GPU-d"},
            {"CUDA_VISIBLE_DEVICES": "GPU-c,GPU-d"},
        ),
        (
            1,
            2,
            {"ROCR_VISIBLE_DEVICES": "0,1,2,3", "HIP_VISIBLE_DEVICES": "0,1,2,3"},
            {"HIP_VISIBLE_DEVICES": "2,3"},
        ),
        (3, 1, {"ROCR_VISIBLE_DEVICES": "0,1,2,3"}, {"ROCR_VISIBLE_DEVICES": "3"}),
    ],
)
def test_each_item_sees_its_own_gpus(
    slot: int, num_gpus: int, given: dict[str, str], left: dict[str, str]
) -> None:
    assert devices_of(slot, num_gpus, given) == left


def test_cores_are_divided_where_there_are_enough() -> None:
    assert [cores_of(slot, 3, range(7)) for slot in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert cores_of(2, 3, [5, 6]) == [5, 6]
