"""Ten thousand histories of what may go wrong: nothing runs twice, and everything ends complete."""

import contextlib

import pytest

from launcher.reconcile.actions import Cancel
from tests.launcher.histories import CLUSTERS, Killed, Launcher, World

NUM_HISTORIES = 10_000
NUM_PARTS = 10
NUM_MOMENTS = 40
MOST_QUIET_MOMENTS = 120
STEPS_OF_A_QUIET_MOMENT = 2


def play(seed: int) -> None:
    """Let a world go wrong for a while, then in peace to its end; check it all the time."""
    world = World(seed)
    launchers: dict[str, Launcher] = {}
    for _ in range(NUM_MOMENTS):
        world.now += world.chance.expovariate(1 / 15)
        for cluster in world.chance.sample(CLUSTERS, 2):
            run_some(world, launchers, cluster)
        world.start_some()
        world.step_processes()
        if world.chance.random() < 0.25:
            world.fault()
        if world.chance.random() < 0.05:
            with contextlib.suppress(Killed):
                world.release_held(CLUSTERS[0])
    for me in launchers.values():
        world.die(me)
    world.calm_down()
    end_in_peace(world)


def problem_of(seed: int) -> str:
    """Return what is wrong in a history, or nothing."""
    try:
        play(seed)
    except AssertionError as error:
        return str(error) or "an assertion failed"
    return ""


def run_some(world: World, launchers: dict[str, Launcher], cluster: str) -> None:
    """Go on with a cluster's launcher, or start one; it may be killed at any step."""
    if cluster not in launchers:
        launchers[cluster] = world.launcher_of(cluster)
    me = launchers[cluster]
    try:
        for _ in range(world.chance.randrange(6)):
            if next(me.steps, StopIteration) is StopIteration:
                launchers.pop(cluster)
                return
        if world.chance.random() < 0.1:
            raise Killed
    except Killed:
        world.die(me)
        launchers.pop(cluster)


def end_in_peace(world: World) -> None:
    for _ in range(MOST_QUIET_MOMENTS):
        world.now += 40
        for cluster in CLUSTERS:
            me = world.launcher_of(cluster)
            for _ in me.steps:
                pass
            planned = world.planned(cluster, world.history(), world.squeue(cluster))
            again = [action for action in planned if not isinstance(action, Cancel)]
            assert not (me.is_through and again), f"a second plan has more to do: {again}"
            world.release_held(cluster)
        for _ in range(STEPS_OF_A_QUIET_MOMENT):
            world.start_some()
            world.step_processes()
        if world.is_complete:
            return
    raise AssertionError("it never became complete")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(NUM_PARTS))
def test_no_history_of_faults_runs_anything_twice_or_never_ends(part: int) -> None:
    size = NUM_HISTORIES // NUM_PARTS
    found = {seed: problem_of(seed) for seed in range(part * size, (part + 1) * size)}
    assert {seed: problem for seed, problem in found.items() if problem} == {}
