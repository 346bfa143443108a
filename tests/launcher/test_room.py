"""How a plan keeps to the jobs that limits leave room for, array tasks being one each."""

import pytest

from launcher.reconcile.actions import Action, Submit
from tests.launcher.worlds import observed, planned, runs, work

FOUR = runs(4)


def sizes(actions: list[Action]) -> list[tuple[int, int]]:
    """Return of each submission the number of its items, and of the scorers that follow them."""
    return [(len(one.items), len(one.scores)) for one in actions if isinstance(one, Submit)]


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (None, [(3, 2), (1, 1)]),
        (9, [(3, 2), (1, 1)]),
        (6, [(3, 2), (1, 0)]),
        (5, [(3, 2)]),
        (4, [(3, 1)]),
        (2, [(2, 0)]),
        (0, []),
    ],
)
def test_no_more_jobs_are_submitted_than_there_is_room_for(
    room: int | None, expected: list[tuple[int, int]]
) -> None:
    world = observed(FOUR, room=room)
    assert sizes(planned(work(FOUR, has_scorers=True), world, max_array_size=3)) == expected


def test_scorers_go_with_the_trainings_that_had_room() -> None:
    (submit,) = planned(work(FOUR, has_scorers=True), observed(FOUR, room=2), max_array_size=1)[:1]
    assert isinstance(submit, Submit)
    trained = {item.key for item in submit.items}
    assert {task.segment for item in submit.scores for task in item.checkpoints} == trained
