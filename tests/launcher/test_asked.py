"""A launch that is typed again is composed again if anything changed on which it depends, else not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.reconcile.asked import Asked, asked_by, keep
from launcher.reconcile.reuse import is_cut_as_standing
from sweeps.composing.basis import basis_of
from sweeps.folders import Root, make_folders
from sweeps.runs import frozen
from tests.commands import OWN_CONF
from tests.launcher.checkouts import copy_of_this, printed

SWEEP = """
name: mine
set: {eval: quickstart, samples_seen: 640, "optim.lr": "${oc.env:RATE,1e-3}"}
blocks: [{axes: {seed: [0, 1], model: [ViT-w32, ViT-w64]}}]
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A folder with a sweep beside `conf/`."""
    (tmp_path / "conf/sweep").mkdir(parents=True)
    (tmp_path / "conf/sweep/mine.yaml").write_text(SWEEP)
    return tmp_path / "conf"


@pytest.fixture
def words(conf: Path, root: Path) -> list[str]:
    """The command line."""
    return [f"hydra.searchpath=[file://{conf}]", "sweep=mine", f"root={root}"]


def kept(words: list[str]) -> Asked:
    asked = asked_by(words)
    make_folders(asked.sweep.root)
    keep(asked)
    return asked


def test_what_is_remembered_equals_what_was_composed(words: list[str]) -> None:
    first, again = kept(words), asked_by(words)
    assert (first.is_remembered, again.is_remembered) == (False, True)
    assert again.whole == again.sweep.expansion == first.whole
    assert again.sweep.launch == first.sweep.launch
    assert [hook.name for hook in again.sweep.hooks] == [hook.name for hook in first.sweep.hooks]


def test_what_is_remembered_is_not_written_again(words: list[str], root: Path) -> None:
    kept(words)
    before = Root(root).frozen("mine").stat().st_ino
    keep(asked_by(words))
    assert Root(root).frozen("mine").stat().st_ino == before


def edit_the_sweep(conf: Path) -> None:
    path = conf / "sweep/mine.yaml"
    path.write_text(path.read_text().replace("[0, 1]", "[0, 1, 2]"))


def add_a_choice(conf: Path) -> None:
    (conf / "model").mkdir()
    (conf / "model/ViT-w64.yaml").write_text("name: other\n")


@pytest.mark.parametrize("change", [edit_the_sweep, add_a_choice])
def test_an_edited_configuration_is_composed(
    words: list[str], conf: Path, change: Callable[[Path], None]
) -> None:
    kept(words)
    change(conf)
    assert not asked_by(words).is_remembered


def test_a_variable_that_is_referred_to_counts_and_no_other_does(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(words)
    monkeypatch.setenv("OTHER", "1")
    assert asked_by(words).is_remembered
    monkeypatch.setenv("RATE", "0.5")
    changed = asked_by(words)
    assert not changed.is_remembered
    assert {run.config.optim.lr for run in changed.whole.runs} == {0.5}


def test_another_launch_of_the_sweep_is_not_mistaken_for_this_one(words: list[str]) -> None:
    kept(words)
    kept([*words, "policy.poll_s=3"])
    again = asked_by(words)
    assert not again.is_remembered
    assert again.sweep.launch.policy.poll_s == 60


def test_edited_code_is_another_basis(tmp_path: Path) -> None:
    folder = copy_of_this(tmp_path / "checkout")
    asked = "from sweeps.composing.basis import basis_of; print(basis_of(['sweep=quickstart']))"
    before = printed(folder, asked)
    with (folder / "sweeps/runs/stages.py").open("a") as code:
        code.write("# edited\n")
    assert len({before, printed(folder, asked), "None"}) == 3


def test_a_selection_is_composed(words: list[str]) -> None:
    kept([*words, "seed=1"])
    assert not asked_by([*words, "seed=1"]).is_remembered


@pytest.mark.parametrize(
    "argument",
    [
        "root=${now:%Y}",
        "root=${oc.env:${seed}}",
        "+hydra.x=1",
        "hydra.searchpath=[pkg://mine]",
        "seed=${oc.decode:1}",
    ],
)
def test_what_may_come_out_differently_has_no_basis(argument: str) -> None:
    assert basis_of(["sweep=quickstart"]) is not None
    assert basis_of(["sweep=quickstart", argument]) is None


def test_a_state_left_by_another_sweep_cuts_a_trunk_anew(root: Path) -> None:
    words = [OWN_CONF, "sweep=trunk", f"root={root}"]
    shorter = kept([*words, "samples_seen=640"])
    longer = asked_by([*words, "samples_seen=1280,2560"])
    assert is_cut_as_standing(longer.sweep.expansion, Root(root))
    (cut,) = frozen.load_cuts(Root(root), "trunk")[:1]
    Root(root).segment(cut.key).mkdir()
    assert not is_cut_as_standing(longer.sweep.expansion, Root(root))
    anew = asked_by([*words, "samples_seen=1280,2560"])
    assert cut.key in anew.sweep.expansion.segments
    assert is_cut_as_standing(anew.sweep.expansion, Root(root))
    assert is_cut_as_standing(shorter.whole, Root(root))
