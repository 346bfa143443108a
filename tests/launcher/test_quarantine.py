"""Nodes that jobs avoid: who is in, for how long, and what sbatch and `status` are told."""

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.machines.nodes import parse_failing
from launcher.records.quarantine import Entry, excluded, forget_expired, in_force, put

NODES = {f"n{number}" for number in range(1, 9)}
FAILED = Entry(
    where="slurm@here",
    node="n1",
    reason="it failed",
    items=("a",),
    is_certain=True,
    since=100.0,
    until=200.0,
)
SUSPECTED = replace(FAILED, is_certain=False)


def nodes(folder: Path, now: float = 150.0) -> list[str]:
    return [entry.node for entry in in_force(folder, now)]


@pytest.mark.parametrize(("now", "found"), [(150.0, ["n1"]), (200.0, [])])
def test_a_node_that_failed_is_avoided_until_it_expires(
    tmp_path: Path, now: float, found: list[str]
) -> None:
    put(tmp_path, FAILED)
    assert nodes(tmp_path, now) == found


@pytest.mark.parametrize(("items", "found"), [(["a"], []), (["a", "a"], []), (["a", "b"], ["n1"])])
def test_a_suspicion_counts_when_different_items_share_it(
    tmp_path: Path, items: list[str], found: list[str]
) -> None:
    for item in items:
        put(tmp_path, replace(SUSPECTED, items=(item,)))
    assert nodes(tmp_path) == found


def test_an_expired_suspicion_is_forgotten(tmp_path: Path) -> None:
    put(tmp_path, SUSPECTED)
    put(tmp_path, replace(SUSPECTED, items=("b",), since=250.0, until=350.0))
    assert nodes(tmp_path, 300.0) == []


def test_a_later_suspicion_takes_no_certainty_away(tmp_path: Path) -> None:
    put(tmp_path, FAILED)
    put(tmp_path, replace(SUSPECTED, since=120.0))
    assert nodes(tmp_path) == ["n1"]


def test_never_more_than_a_quarter_of_the_nodes_is_avoided_and_the_oldest_give_way(
    tmp_path: Path,
) -> None:
    for number in range(1, 5):
        put(tmp_path, replace(FAILED, node=f"n{number}", since=100.0 + number))
    entries = in_force(tmp_path, 150.0)
    assert excluded(entries, "slurm@here", NODES) == ("n4", "n3")
    assert excluded(entries, "slurm@here", {"n1", "n2", "n3"}) == ()


def test_only_nodes_of_this_cluster_that_it_still_has_are_avoided(tmp_path: Path) -> None:
    put(tmp_path, FAILED)
    put(tmp_path, replace(FAILED, node="dismantled"))
    put(tmp_path, replace(FAILED, where="slurm@elsewhere", node="n2"))
    assert excluded(in_force(tmp_path, 150.0), "slurm@here", NODES) == ("n1",)


def test_expired_files_are_deleted_and_damaged_ones_exclude_nothing(tmp_path: Path) -> None:
    put(tmp_path, FAILED)
    put(tmp_path, replace(FAILED, node="n2", until=300.0))
    (tmp_path / "slurm@here.n3.json").write_text("{")
    forget_expired(tmp_path, 250.0)
    assert nodes(tmp_path, 250.0) == ["n2"]
    assert not (tmp_path / "slurm@here.n1.json").exists()


def test_nothing_is_avoided_where_there_is_no_quarantine(tmp_path: Path) -> None:
    assert in_force(tmp_path / "none", 0.0) == []
    forget_expired(tmp_path / "none", 0.0)


def test_nodes_that_are_down_drained_or_silent_fail() -> None:
    shown = (
        "n1|idle\nn2|down*\nn3|allocated\nn4|draining\nn5|mixed*\nn6|drained\nn7|completing\nn8|inval\n"
    )
    assert list(parse_failing(shown)) == ["n2", "n4", "n5", "n6", "n8"]
