"""Who executes a work item, and who may take over."""

import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import ClusterKind, PolicyConfig
from launcher.jobs.acquire import HolderState, acquire, holder_state
from sweeps.errors import Superseded
from sweeps.host import own_start, this_host
from sweeps.work import lease
from sweeps.work.lease import Holder, Lease
from sweeps.work.outcome import Outcome
from tests.commands import PATIENCE_S
from tests.launcher.worlds import HOLDER


def next_lease(before: Lease | None, holder: Holder = HOLDER) -> Lease:
    return lease.successor(before, holder, now=10.0, cores=2, gpus=0)


def taken(folder: Path) -> Lease:
    """Take the next lease of a folder, as if its holder were gone."""
    mine = next_lease(lease.newest(folder))
    assert lease.take(folder, mine)
    return mine


def ended(folder: Path, mine: Lease, outcome: Outcome) -> None:
    lease.renew(folder, replace(mine, attempt=replace(mine.attempt, outcome=outcome)))


def test_attempts_are_numbered_and_carry_their_history(tmp_path: Path) -> None:
    first = taken(tmp_path)
    ended(tmp_path, first, Outcome.crashed)
    taken(tmp_path)
    found = lease.newest(tmp_path)
    assert found is not None
    assert [(a.number, a.outcome) for a in found.attempts] == [(1, Outcome.crashed), (2, None)]


def test_an_attempt_that_was_left_open_is_closed_as_vanished(tmp_path: Path) -> None:
    taken(tmp_path)
    assert taken(tmp_path).history[0].outcome is Outcome.vanished


def test_only_one_of_two_takes_the_same_lease(tmp_path: Path) -> None:
    mine = next_lease(None)
    assert [lease.take(tmp_path, mine), lease.take(tmp_path, mine)] == [True, False]


def test_a_holder_with_a_successor_may_not_renew(tmp_path: Path) -> None:
    mine = taken(tmp_path)
    lease.renew(tmp_path, mine)
    taken(tmp_path)
    with pytest.raises(Superseded, match="attempt 1 .* has a successor"):
        lease.renew(tmp_path, mine)


def test_a_free_item_is_taken_at_once(tmp_path: Path) -> None:
    found = acquire(tmp_path, next_lease, lambda holder: HolderState.unknown, stale_s=60)
    assert found is not None
    assert found.attempt.number == 1


@pytest.mark.parametrize(
    ("state", "number"), [(HolderState.gone, 2), (HolderState.alive, None), (HolderState.unknown, None)]
)
def test_a_held_item_is_taken_only_from_a_holder_that_is_gone(
    tmp_path: Path, state: HolderState, number: int | None
) -> None:
    taken(tmp_path)
    found = acquire(tmp_path, next_lease, lambda holder: state, stale_s=0.0)
    assert (found.attempt.number if found else None) == number


def test_an_item_whose_last_attempt_ended_is_free(tmp_path: Path) -> None:
    ended(tmp_path, taken(tmp_path), Outcome.crashed)
    found = acquire(tmp_path, next_lease, lambda holder: HolderState.alive, stale_s=60)
    assert found is not None
    assert found.attempt.number == 2


def test_a_silent_holder_must_stay_silent_before_it_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.jobs.acquire.POLL_S", 0.1)
    mine, beats = taken(tmp_path), [0.0]

    def beating(_: Holder) -> HolderState:
        if len(beats) < 4:
            lease.renew(tmp_path, replace(mine, attempt=replace(mine.attempt, samples=len(beats))))
            beats.append(time.monotonic())
        return HolderState.silent

    found = acquire(tmp_path, next_lease, beating, stale_s=0.5)
    assert found is not None
    assert found.history[0].samples == 3
    assert time.monotonic() - beats[-1] >= 0.5


def test_what_a_holder_wrote_at_last_stays_in_the_history(tmp_path: Path) -> None:
    mine = taken(tmp_path)

    def ending(_: Holder) -> HolderState:
        ended(tmp_path, mine, Outcome.crashed)
        return HolderState.gone

    found = acquire(tmp_path, next_lease, ending, stale_s=60)
    assert found is not None
    assert found.history[0].outcome is Outcome.crashed


def _rival(folder: Path, results: Path, number: int) -> None:
    me = replace(HOLDER, pid=number)
    found = acquire(
        folder,
        lambda before: next_lease(before, me),
        lambda holder: HolderState.silent if holder == HOLDER else HolderState.alive,
        stale_s=0.5,
    )
    (results / f"{number}-{found is not None}").touch()


def test_of_rivals_for_a_stale_lease_one_wins_and_the_others_leave(tmp_path: Path) -> None:
    (tmp_path / "item").mkdir()
    (tmp_path / "results").mkdir()
    taken(tmp_path / "item")
    args = (tmp_path / "item", tmp_path / "results")
    rivals = [multiprocessing.Process(target=_rival, args=(*args, pid)) for pid in range(10, 16)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join(PATIENCE_S)
    won = [name.endswith("True") for name in os.listdir(tmp_path / "results")]
    assert sorted(won) == [False] * 5 + [True]


POLICY = PolicyConfig(client_timeout_s=1.0, lost_machines=("slurm@burnt",))
ME = replace(HOLDER, where="local@x", host=this_host(), pid=os.getpid(), pid_start=own_start())


@pytest.mark.parametrize(
    ("holder", "state"),
    [
        (replace(ME, where="slurm@x"), HolderState.unknown),
        (replace(ME, where="slurm@burnt"), HolderState.silent),
        (replace(ME, where="slurm@x", submission="ended"), HolderState.silent),
        (replace(ME, host="elsewhere"), HolderState.unknown),
        (replace(ME, pid=2**22), HolderState.gone),
        (replace(ME, pid_start=1), HolderState.gone),
        (ME, HolderState.alive),
    ],
)
def test_what_is_known_of_a_holder_on_this_machine(holder: Holder, state: HolderState) -> None:
    found = holder_state(
        holder, ME, kind=ClusterKind.local, policy=POLICY, is_over=lambda name: name == "ended"
    )
    assert found is state


@pytest.mark.parametrize(("restart", "state"), [(0, HolderState.silent), (1, HolderState.alive)])
def test_an_earlier_start_of_ones_own_job_is_never_asked_about(
    restart: int, state: HolderState
) -> None:
    me = replace(HOLDER, restart=1)
    found = holder_state(
        replace(HOLDER, restart=restart),
        me,
        kind=ClusterKind.slurm,
        policy=POLICY,
        is_over=lambda name: False,
    )
    assert found is state
