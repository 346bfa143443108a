"""What the ledger keeps of items that have ended."""

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.records.ledger import read_history
from sweeps.costs.cost import NO_HOURS, Hours
from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.lease import Lease, charged_by
from sweeps.work.outcome import Outcome
from tests.launcher.worlds import lease as lease_of
from training.checkpoints.done import read_done


def test_a_submission_is_charged_for_its_own_attempts() -> None:
    known = lease_of(Outcome.crashed, Outcome.crashed, None)
    first = replace(known.history[0], holder=replace(known.attempt.holder, submission="before"))
    held = Lease(attempt=known.attempt, history=(first, known.history[1]))
    half_a_second = Hours(core=0.5 / 3600)
    assert charged_by("before", held) == half_a_second
    assert charged_by("s", held) == half_a_second * 2
    assert charged_by("s", None) == NO_HOURS


@pytest.mark.slow
def test_a_finished_segment_leaves_its_charge_and_its_speed(undisturbed: Path) -> None:
    root, history = Root(undisturbed), read_history(Root(undisturbed).ledger)
    charged = {
        record.items[index]: hours
        for record in history.submissions.values()
        for index, hours in record.charged.items()
    }
    for folder in root.segments.iterdir():
        done, held, rate = read_done(folder), lease.newest(folder), history.rates[folder.name]
        assert done is not None
        assert held is not None
        assert charged[folder.name] == held.attempt.charged
        assert charged[folder.name].core > 0
        assert rate.samples_per_s == pytest.approx(done.samples_trained / done.train_s)
        assert (rate.of.model, rate.of.data, rate.of.gpu) == ("ViT-w32", "tiny", None)
    assert [key for key in charged if key.startswith("score-") and charged[key].core > 0]
