"""How long a log is followed."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.records.ledger import Act, Ledger, Line
from launcher.records.orders import OrderPaths
from launcher.show.logs import log_text
from launcher.show.named import sweeps_of_runs
from sweeps.work import lease
from sweeps.work.lease import Lease
from sweeps.work.outcome import Outcome
from tests.configs import launched
from tests.launcher.worlds import lease as lease_of
from tests.launcher.worlds import submitted, submitting

KEY = "SEGMENT"
IN_A_JOB = (submitting("s", KEY), submitted("s"))


def cancelled_by_slurm() -> Lease:
    """Return the lease of a supervisor that was killed before it could say how it ended."""
    held = lease_of(None)
    return replace(held, attempt=replace(held.attempt, is_cancelled=True))


@pytest.mark.parametrize(
    ("held", "lines"),
    [
        (lease_of(*[Outcome.crashed] * 4), IN_A_JOB),
        (lease_of(*[Outcome.out_of_memory] * 2), IN_A_JOB),
        (lease_of(Outcome.stopped), (*IN_A_JOB, {"act": Act.cancelled, "items": (KEY,)})),
        (cancelled_by_slurm(), (*IN_A_JOB, {"act": Act.ended, "submission": "s"})),
    ],
    ids=["crashed often", "twice out of memory", "cancelled", "killed by scancel"],
)
def test_the_log_of_a_run_that_cannot_go_on_is_followed_to_its_end(
    root: Path, held: Lease, lines: tuple[dict[str, Any], ...]
) -> None:
    where = launched(root, "sweep=tiny", "samples_seen=1280")
    (sweep,) = sweeps_of_runs(where, ["ViT-w32_tiny_1280"])
    (key,) = sweep.expansion.segments
    with contextlib.closing(Ledger(where.ledger)) as ledger:
        for line in lines:
            items = {"items": (key,)} if "items" in line else {}
            ledger.append(Line(**{**line, **items, "time": 1.0}))
    folder = where.segment(key)
    folder.mkdir()
    assert lease.take(folder, held)
    OrderPaths.of(folder, held.attempt.number).log.write_text("all that was said\n")
    title, *shown = log_text(sweep, 40, follow=True)
    assert f"attempt {held.attempt.number}, " in title
    assert shown == ["all that was said"]
