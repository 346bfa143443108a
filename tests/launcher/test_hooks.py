"""Completion hooks: read, planned, delivered."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.schema import HookMoment
from launcher.reconcile.deliver import (
    MOST_FAILURES,
    checkpoint_events,
    completion_events,
    deliver,
    failed_deliveries,
    last_words,
)
from launcher.reconcile.hooks import read_hooks, wanted_scores
from launcher.reconcile.observe import SegmentEvidence
from launcher.reconcile.state import RunStatus, State
from launcher.records.ledger import Ledger
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.work.events import Event
from tests.configs import EVAL, expansion_of, run_config

TOLD: list[tuple[str, dict[str, Any]]] = []


def listen(event: Event, **more: Any) -> str:
    TOLD.append((event.event_id, more))
    return f"heard {event.event_id}"


def refuse(event: Event) -> None:
    raise RuntimeError("no line")


HERE = __name__
EVENT = Event(event_id="run:a", on=HookMoment.run, root=Path("/r"), sweep="s", run_id="a")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    TOLD.clear()
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("run", "write {on: run"),
        ({"_target_": "a.b"}, r"on=None. Choose from: checkpoint, run, sweep"),
        ({"on": "runs", "argv": ["x"]}, "on='runs'. Did you mean run"),
        ({"on": "run"}, "give either _target_ or argv"),
        ({"on": "run", "argv": ["x"], "_target_": "a.b"}, "give either _target_ or argv"),
        ({"on": "run", "argv": "curl x"}, "argv is a list of words"),
        ({"on": "run", "argv": ["x"], "args": ["y"]}, "argv is a list of words"),
        ({"on": "run", "_target_": "no_such_module.f"}, "'no_such_module.f' cannot be imported"),
        ({"on": "run", "_target_": "evaluation.hooks.scroe"}, "cannot be imported"),
        ({"on": "run", "_target_": "sys.path"}, "cannot be called"),
        ({"on": "run", "_target_": "evaluation.hooks.score"}, "it scores checkpoints"),
    ],
)
def test_a_malformed_entry_is_named(entry: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_hooks([entry])


def test_a_callable_is_given_the_event_and_its_own_arguments(ledger: Ledger) -> None:
    hooks = read_hooks([{"on": "run", "_target_": f"{HERE}.listen", "channel": "x"}])
    deliver([EVENT], hooks, ledger)
    assert TOLD == [("run:a", {"channel": "x"})]


def test_a_hook_is_told_once_even_by_the_next_launcher(ledger: Ledger, tmp_path: Path) -> None:
    hooks = read_hooks([{"on": "run", "_target_": f"{HERE}.listen"}])
    deliver([EVENT], hooks, ledger)
    deliver([EVENT], hooks, ledger)
    deliver([EVENT], hooks, Ledger(tmp_path))
    assert len(TOLD) == 1
    assert last_words(EVENT, Ledger(tmp_path)) == ["heard run:a"]


def test_a_hook_hears_only_of_its_moment(ledger: Ledger) -> None:
    deliver([EVENT], read_hooks([{"on": "sweep", "_target_": f"{HERE}.listen"}]), ledger)
    assert TOLD == []


def test_a_command_gets_the_event_as_json_and_no_shell(ledger: Ledger, tmp_path: Path) -> None:
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    path = tmp_path / "it's; $(here)"
    argv = [sys.executable, "-c", code, str(path)]
    deliver([EVENT], read_hooks([{"on": "run", "argv": argv}]), ledger)
    told = json.loads(path.read_text())
    assert (told["event_id"], told["on"], told["run_id"]) == ("run:a", "run", "a")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"on": "run", "_target_": f"{HERE}.refuse"}, "RuntimeError: no line"),
        ({"on": "run", "argv": [sys.executable, "-c", "raise SystemExit('sorry')"]}, "sorry"),
        ({"on": "run", "argv": ["no such command"]}, "no such command"),
    ],
)
def test_a_hook_that_fails_is_tried_a_few_times_and_then_shown(
    entry: Any, message: str, ledger: Ledger
) -> None:
    hooks = read_hooks([entry])
    for attempt in range(MOST_FAILURES + 2):
        deliver([EVENT], hooks, ledger)
        assert len(*ledger.history.failures.values()) == min(attempt + 1, MOST_FAILURES)
    (shown,) = failed_deliveries(ledger.history)
    assert shown.startswith(f"the hook on run:a failed {MOST_FAILURES} times: ")
    assert message in shown


def test_the_same_thing_has_the_same_event_id(tmp_path: Path) -> None:
    expansion = expansion_of(run_config(), run_config(seed=1))
    evidence = {key: SegmentEvidence(milestones=frozenset({320, 640})) for key in expansion.segments}
    first, again = (checkpoint_events(Root(tmp_path), expansion, evidence) for _ in range(2))
    assert first == again
    assert len({event.event_id for event in first}) == 4


def test_checkpoints_carry_what_their_suites_ask_for(tmp_path: Path) -> None:
    expansion = expansion_of(run_config())
    (key,) = expansion.segments
    evidence = {key: SegmentEvidence(milestones=frozenset({640}))}
    (event,) = checkpoint_events(Root(tmp_path), expansion, evidence)
    hooks = read_hooks([{"on": "checkpoint", "_target_": "evaluation.hooks.score"}])
    (task,) = wanted_scores(hooks, event)
    assert (task.segment, task.samples_seen, task.evals) == (key, 640, EVAL.evals)
    assert event.weights == tmp_path / "segments" / key / "weights-640.safetensors"


def test_a_sweep_is_complete_when_all_runs_are_and_anew_when_it_has_more(tmp_path: Path) -> None:
    def ids(expansion: Any, *states: State) -> list[str]:
        statuses = [
            RunStatus(run=run, state=state, progress=1.0)
            for run, state in zip(expansion.runs, states, strict=True)
        ]
        return [event.event_id for event in completion_events(Root(tmp_path), expansion, statuses)]

    one, two = expansion_of(run_config()), expansion_of(run_config(), run_config(seed=1))
    assert ids(two, State.done, State.trained) == [f"run:{two.runs[0].run_id}"]
    assert len(ids(two, State.done, State.done)) == 3
    assert ids(one, State.done)[-1] != ids(two, State.done, State.done)[-1]
