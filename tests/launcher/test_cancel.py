"""What a cancel takes from runs, by sweep, axis or name, and what a resume gives back."""

import json
from pathlib import Path

import pytest

from launcher import commands
from launcher.records.ledger import read_history
from sweeps.folders import Root
from sweeps.runs import frozen
from tests.commands import OWN_CONF
from tests.configs import launched as a_launched_sweep
from training.checkpoints.done import done_path
from training.checkpoints.saved import weights_path

TRUNK = (OWN_CONF, "sweep=trunk")


@pytest.fixture
def launched(root: Path) -> Root:
    """A root under which the sweep of three horizons was launched, and nothing has begun."""
    return a_launched_sweep(root, "sweep=trunk")


def ids(root: Root) -> dict[int, str]:
    """Return the id of each run, by its samples."""
    known = frozen.load(root, "trunk")
    assert known is not None
    return {run.samples_seen: run.run_id for run in known.expansion.runs}


def cancelled_ends(root: Root, sweep: str = "trunk") -> list[int]:
    """Return the ends of the cancelled segments, in samples."""
    known = frozen.load(root, sweep)
    assert known is not None
    keys = read_history(root.ledger).cancelled
    return sorted(known.expansion.segments[key].end for key in keys)


def train(root: Root) -> None:
    """Leave what training leaves: weights that nobody has scored, and the marker."""
    known = frozen.load(root, "trunk")
    assert known is not None
    for key, segment in known.expansion.segments.items():
        root.segment(key).mkdir()
        for path in (weights_path(root.segment(key), segment.end), done_path(root.segment(key))):
            path.touch()


def test_what_another_run_needs_goes_on(launched: Root) -> None:
    assert commands.run(["cancel", *TRUNK, "samples_seen=2560", f"root={launched.path}"]) == 0
    assert cancelled_ends(launched) == [2048, 2560]


def test_a_trunk_goes_with_the_last_run_that_needs_it(launched: Root) -> None:
    for samples in (2560, 1280, 640):
        words = [*TRUNK, f"samples_seen={samples}", f"root={launched.path}"]
        assert commands.run(["cancel", *words]) == 0
    assert cancelled_ends(launched) == [512, 640, 1024, 1280, 2048, 2560]


def test_what_a_run_of_another_sweep_needs_goes_on(
    launched: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    a_launched_sweep(launched.path, "sweep=horizons")
    assert commands.run(["cancel", *TRUNK, f"root={launched.path}"]) == 0
    assert cancelled_ends(launched) == [640, 1280, 2560]
    (line, *_) = capsys.readouterr().out.splitlines()
    assert line.endswith("it is not submitted; what other runs of horizons need goes on")
    commands.run(["cancel", OWN_CONF, "sweep=horizons", f"root={launched.path}"])
    every = [512, 640, 1024, 1280, 2048, 2560, 4096, 5120]
    assert cancelled_ends(launched, "horizons") == every


def test_what_is_cancelled_already_is_not_cancelled_again(
    launched: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        commands.run(["cancel", *TRUNK, f"root={launched.path}"])
    assert capsys.readouterr().out.splitlines()[-1] == "nothing is to be cancelled"


def test_a_run_is_cancelled_and_resumed_by_the_beginning_of_its_id(
    launched: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = ids(launched)[2560]
    for command in ("cancel", "resume"):
        assert commands.run([command, run_id[:-2], f"root={launched.path}"]) == 0
        assert cancelled_ends(launched) == {"cancel": [2048, 2560], "resume": []}[command]
    assert capsys.readouterr().out.splitlines() == [
        f"cancelled {run_id}, which was waiting: it is not submitted; "
        "what other runs of trunk need goes on",
        f"released {run_id}, which was cancelled: the next launch starts it",
    ]


def test_several_runs_are_cancelled_together(
    launched: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    several = [ids(launched)[samples] for samples in (640, 2560)]
    assert commands.run(["cancel", *several, f"root={launched.path}", "format=json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cancelled": several}
    assert cancelled_ends(launched) == [640, 2048, 2560]


def test_the_scoring_of_a_run_that_is_trained_is_cancelled_and_resumed(
    launched: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    train(launched)
    for command in ("cancel", "resume"):
        assert commands.run([command, *TRUNK, "samples_seen=640", f"root={launched.path}"]) == 0
    run_id = ids(launched)[640]
    assert capsys.readouterr().out.splitlines() == [
        f"cancelled {run_id}, which was trained: it is not scored on",
        f"released {run_id}, which was cancelled (its scoring was cancelled): "
        "the next launch scores it again",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ViT-w32"], "3 runs begin with 'ViT-w32'. Choose from: ViT-w32_tiny_1280"),
        (["nothing"], "no run was launched that begins with 'nothing'"),
        (["ViT-w32", "sweep=trunk"], "there is no argument 'sweep'"),
    ],
)
@pytest.mark.parametrize("command", ["cancel", "resume"])
def test_a_name_that_means_no_single_run_changes_nothing(
    launched: Root, capsys: pytest.CaptureFixture[str], command: str, words: list[str], message: str
) -> None:
    assert commands.run([command, *words, f"root={launched.path}"]) == 2
    assert message in capsys.readouterr().err
    assert list(launched.ledger.iterdir()) == []
