"""Evidence that nothing ran twice: a census of processes during a test, and the leases after it."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from launcher.records.ledger import read_history
from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.lease import Attempt
from sweeps.work.outcome import Outcome
from tests.launcher.processes import RANK, processes

CENSUS_S = 0.5


def living_copies(root: Path) -> dict[Path, set[str]]:
    """Return, by segment folder, the orders of all attempts whose ranks are alive."""
    copies: dict[Path, set[str]] = defaultdict(set)
    for rank in processes(root, RANK):
        command = rank.info["cmdline"]  # as it was found: it may have ended since
        for order in (Path(word) for word in command if word.startswith(str(root))):
            copies[order.parent].add(order.name)
    return copies


@contextlib.contextmanager
def census(root: Path) -> Iterator[None]:
    """Count living copies again and again; fail at the end if a segment ever had two.

    The processes of a count were all alive when it began: a list of their numbers is taken first.
    """
    doubles: list[tuple[Path, set[str]]] = []
    is_over = threading.Event()

    def count() -> None:
        while not is_over.wait(CENSUS_S):
            doubles.extend(found for found in living_copies(root).items() if len(found[1]) > 1)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    assert doubles == []


def refute_doubles(root: Path) -> None:
    """Check that every segment was completed, once, by attempts that followed on each other."""
    for ends in outcomes(root).values():
        assert ends.count(Outcome.done) == 1
        assert ends[-1] is Outcome.done
    for attempts in _attempts(root).values():
        for before, after in pairwise(attempts):
            assert before.beat_at <= after.started_at


def outcomes(root: Path) -> dict[str, list[Outcome | None]]:
    """Return how the attempts of each segment ended, in order."""
    return {key: [a.outcome for a in attempts] for key, attempts in _attempts(root).items()}


def trainings(root: Path) -> list[str]:
    """Return the segments that became jobs, in order, as often as they did."""
    records = read_history(Root(root).ledger).submissions.values()
    return [i for r in records if r.was_accepted and not r.checkpoints for i in r.items]


def _attempts(root: Path) -> dict[str, tuple[Attempt, ...]]:
    leases = {folder.name: lease.newest(folder) for folder in Root(root).segments.iterdir()}
    return {key: held.attempts if held else () for key, held in leases.items()}
