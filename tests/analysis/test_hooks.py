"""The hook that reports a sweep once it is complete."""

from pathlib import Path

from analysis.hooks import report
from conf.schema import HookMoment
from evaluation.results import inbox
from sweeps.runs import frozen
from sweeps.work.events import Event
from sweeps.work.items import checkpoint_id
from tests.configs import launched
from tests.evaluation.results.rows import row


def test_a_sweep_without_scores_is_told_to_have_no_report(root: Path) -> None:
    launched(root, "sweep=trunk")
    event = Event(event_id="sweep:trunk", on=HookMoment.sweep, root=root, sweep="trunk")
    assert report(event) == "no report: there is nothing to fit: no row has a metric"
    assert not (root / "reports/trunk").exists()


def test_the_main_metrics_that_a_suite_names_are_fitted(root: Path) -> None:
    here = launched(root, "sweep=trunk", "eval=datacomp38")
    (name,) = frozen.launched(here)
    scored = {
        ("misc/winogavil", "association"): ["jaccard_score_10-12"],
        ("wilds/iwildcam", "macro_f1"): ["F1-macro_all", "acc1"],
        ("wilds/fmow", "own"): ["unknown"],
    }
    sweep = frozen.load(here, name)
    assert sweep is not None
    for key in (run.segments[-1] for run in sweep.expansion.runs):
        seen = sweep.expansion.segments[key].end
        of = {"checkpoint": checkpoint_id(key, seen), "segment": key, "gflops_total": float(seen)}
        value = 1 - 9 * seen**-0.5
        rows = [
            row(**of, eval=own, downstream_dataset=dataset, metrics=dict.fromkeys(names, value))
            for (dataset, own), names in scored.items()
        ]
        inbox.append(here.results, key, rows)
    told = report(Event(event_id="", on=HookMoment.sweep, root=root, sweep=name)).splitlines()
    assert told[0].startswith("1 − jaccard_score_10-12 on misc/winogavil, D: E = 9 · C^-0.500")
    assert told[1].startswith("1 − F1-macro_all on wilds/iwildcam, D: E = 9 · C^-0.500")
    assert told[2] == "no row has a main metric of own on wilds/fmow: say y=COLUMN or y=error:COLUMN"
    assert told[2] in here.report(name).joinpath("law.md").read_text()
