"""The hook that reports a sweep once it is complete."""

from pathlib import Path

from analysis.hooks import report
from conf.schema import HookMoment
from sweeps.work.events import Event
from tests.configs import launched


def test_a_sweep_without_scores_is_told_to_have_no_report(root: Path) -> None:
    launched(root, "sweep=trunk")
    event = Event(event_id="sweep:trunk", on=HookMoment.sweep, root=root, sweep="trunk")
    assert report(event) == "no report: there is nothing to fit: no row has a metric"
    assert not (root / "reports/trunk").exists()
