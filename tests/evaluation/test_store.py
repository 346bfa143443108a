"""The results table under many writers, compactors and kills."""

import multiprocessing
import os
import random
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation import store
from evaluation.rows import KEY, Key
from tests.evaluation.rows import row


def checkpoints(results: Path) -> list[str]:
    found: list[str] = store.read_table(results).column("checkpoint").to_pylist()
    return sorted(found)


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    table = store.read_table(tmp_path)
    assert table.num_rows == 0
    assert table.schema.names[:3] == ["checkpoint", "segment", "eval"]


def test_rows_are_read_from_inbox_and_parts_alike(tmp_path: Path) -> None:
    store.append(tmp_path, "a", [row(checkpoint="a"), row(checkpoint="a2")])
    assert checkpoints(tmp_path) == ["a", "a2"]
    assert store.compact(tmp_path) == 1
    store.append(tmp_path, "b", [row(checkpoint="b", metrics={"loss": 2.0})])
    table = store.read_table(tmp_path)
    assert table.column("acc1").to_pylist() == [0.5, 0.5, None]
    assert table.column("loss").to_pylist() == [None, None, 2.0]


def test_the_keys_of_parts_and_inbox_are_those_of_the_rows(tmp_path: Path) -> None:
    for number, evals in enumerate((["a"], ["a", "b"], ["b"], ["a", "b"])):
        store.append(tmp_path, f"{number}", [row(checkpoint=f"{number}", eval=name) for name in evals])
        if number < 3:
            store.compact(tmp_path)
    assert store.read_keys(tmp_path) == _keys_of_rows(tmp_path)
    assert len(store.read_keys(tmp_path)) == 6


def _keys_of_rows(results: Path) -> set[Key]:
    table = store.read_table(results)
    return set(zip(*(table.column(name).to_pylist() for name in KEY), strict=True))


def test_what_a_manifest_contains_is_read_once_and_deleted_later(tmp_path: Path) -> None:
    store.append(tmp_path, "a", [row(checkpoint="a")])
    store.compact(tmp_path)
    assert store.num_inbox_files(tmp_path) == 1
    assert checkpoints(tmp_path) == ["a"]
    assert store.compact(tmp_path) == 0
    assert store.num_inbox_files(tmp_path) == 0
    assert checkpoints(tmp_path) == ["a"]


def test_the_same_report_twice_is_one_report(tmp_path: Path) -> None:
    for _ in range(2):
        store.append(tmp_path, "a", [row(checkpoint="a")])
    assert checkpoints(tmp_path) == ["a"]


def test_old_manifests_and_garbage_are_cleared(tmp_path: Path) -> None:
    for number in range(store.KEPT_MANIFESTS + 5):
        store.append(tmp_path, f"{number}", [row(checkpoint=f"{number:02d}")])
        store.compact(tmp_path)
    orphans = [tmp_path / "parts" / f"orphan.{kind}" for kind in ("parquet", "keys.json")]
    for path in [*orphans, *(tmp_path / "parts").iterdir()]:
        path.touch()
        os.utime(path, (1, 1))
    store.append(tmp_path, "last", [row(checkpoint="99")])
    store.compact(tmp_path)
    assert not any(path.exists() for path in orphans)
    assert store.read_keys(tmp_path) == _keys_of_rows(tmp_path)
    assert len(list((tmp_path / "manifests").iterdir())) == store.KEPT_MANIFESTS
    assert len(checkpoints(tmp_path)) == store.KEPT_MANIFESTS + 6


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(["append", "compact", "again"]), max_size=25))
def test_any_order_of_acts_keeps_every_row_once(tmp_path_factory: "object", acts: list[str]) -> None:
    results = tmp_path_factory.mktemp("results")  # type: ignore[attr-defined]
    written: list[str] = []
    for act in acts:
        if act == "compact":
            store.compact(results)
        else:
            name = written[-1] if act == "again" and written else f"c{len(written)}"
            written = [*dict.fromkeys([*written, name])]
            store.append(results, name, [row(checkpoint=name)])
    assert sorted(set(checkpoints(results))) == sorted(written)
    assert store.read_keys(results) == _keys_of_rows(results)


def _write(results: Path, writer: int, acknowledged: Path) -> None:
    for number in range(10**9):
        name = f"{writer}-{os.getpid()}-{number}"
        store.append(results, name, [row(checkpoint=name), row(checkpoint=name, eval="retrieval")])
        (acknowledged / name).touch()
        time.sleep(0.005)


def _compact(results: Path) -> None:
    while True:
        store.compact(results)


def test_writers_and_compactors_that_are_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    results, acknowledged = tmp_path / "results", tmp_path / "acknowledged"
    acknowledged.mkdir()
    chance = random.Random(0)

    def started(number: int) -> multiprocessing.Process:
        target, more = (_compact, ()) if number < 2 else (_write, (number, acknowledged))
        process = multiprocessing.Process(target=target, args=(results, *more))
        process.start()
        return process

    processes = [started(number) for number in range(5)]
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        time.sleep(0.15)
        _check(results, set(os.listdir(acknowledged)))
        victim = chance.randrange(5)
        processes[victim].kill()
        processes[victim].join()
        processes[victim] = started(victim)
    for process in processes:
        process.kill()
        process.join()
    _check(results, set(os.listdir(acknowledged)))
    assert len(os.listdir(acknowledged)) > 50


def _check(results: Path, known: set[str]) -> None:
    """Every acknowledged report is there, with both of its rows, once."""
    found = checkpoints(results)
    assert known <= set(found)
    assert len(found) == 2 * len(set(found))
    assert known <= {checkpoint for checkpoint, *_ in store.read_keys(results)}
