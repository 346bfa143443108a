"""The index of shards: one file, made once, resumable, shared."""

import logging
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sweeps import hidden
from sweeps.errors import DataError
from sweeps.host import this_host
from sweeps.runs.sources import SourceFiles
from tests.commands import CHECKOUT, PATIENCE_S, wait_for
from tests.training.data.shards import write_shard
from training.data import parts
from training.data.index import HEAD_BYTES, RECORD, SAMPLE_BYTES, Head, fingerprint_of, open_index
from training.data.indexing import Origin, make_index, up_to_date
from training.data.sources import FEW_SHARDS, opened, ready
from training.data.uids import UidList


def shards(folder: Path, count: int, samples: int = 3) -> Origin:
    folder.mkdir(exist_ok=True)
    for n in range(count):
        members = {
            f"{n}-{s}.{kind}": content
            for s in range(samples + n % 2)
            for kind, content in (
                ("txt", f"{n} {s}".encode()),
                ("json", f'{{"uid": "{1000 * n + s:032x}"}}'.encode()),
            )
        }
        write_shard(folder / f"{n}.tar", members)
    return Origin(paths=tuple(str(folder / f"{n}.tar") for n in range(count)))


def num_walked(file: Path, origin: Origin) -> int:
    """Bring an index up to date; return how many shards were walked for it."""
    told: list[int] = []
    make_index(file, origin, progress=lambda done, total: told.append(done))
    return len(told)


def test_one_file_of_eight_bytes_a_sample_is_made_once(tmp_path: Path) -> None:
    origin, file = shards(tmp_path, 4, samples=1000), tmp_path / "d.index"
    assert [num_walked(file, origin) for _ in range(2)] == [4, 0]
    again = make_index(file, origin)
    assert again.starts.tolist() == [0, 1000, 2001, 3001, 4002]
    assert [str(again.path(n)) for n in range(4)] == list(origin.paths)
    assert again.nbytes == file.stat().st_size < 8 * 4002 + HEAD_BYTES + 4 * 250 + 100
    assert [p.name for p in tmp_path.glob("*index*")] == ["d.index"]


def test_only_a_shard_that_changed_is_walked_again(tmp_path: Path) -> None:
    origin, file = shards(tmp_path, 3), tmp_path / "d.index"
    make_index(file, origin)
    write_shard(tmp_path / "1.tar", {f"{n}.txt": b"" for n in range(7)})
    assert num_walked(file, origin) == 1
    more = Origin(paths=(*shards(tmp_path / "more", 1).paths, *origin.paths))
    assert num_walked(file, more) == 1
    assert make_index(file, more).sizes.tolist() == [3, 3, 7, 3]


def test_a_bad_shard_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    origin, file = shards(tmp_path, 4), tmp_path / "d.index"
    whole = {n: (tmp_path / f"{n}.tar").read_bytes() for n in (1, 2)}
    for n in (1, 2):
        (tmp_path / f"{n}.tar").write_bytes(whole[n][:700])
    with pytest.raises(DataError, match=r"2 of 4 shards are bad: .*1.tar is truncated"):
        make_index(file, origin)
    assert open_index(file) is None
    for n, content in whole.items():
        (tmp_path / f"{n}.tar").write_bytes(content)
    assert num_walked(file, origin) == 2
    assert make_index(file, origin).num_samples == 14


def test_a_missing_shard_is_found_before_anything_is_read(tmp_path: Path) -> None:
    origin, file = shards(tmp_path, 3), tmp_path / "d.index"
    make_index(file, origin)
    (tmp_path / "1.tar").unlink()
    with pytest.raises(DataError, match=r"1 of 3 shards are missing, the first is .*1.tar"):
        make_index(file, origin)


def test_a_shard_that_was_cut_after_indexing_is_found_when_a_run_starts(tmp_path: Path) -> None:
    origin, file = shards(tmp_path, 3), tmp_path / "d.index"
    make_index(file, origin)
    os.truncate(tmp_path / "2.tar", 1024)
    assert up_to_date(file, origin) is None
    with pytest.raises(DataError, match=r"2.tar is truncated"):
        make_index(file, origin)


def index_command(origin: Origin, folder: Path, workers: int) -> "subprocess.Popen[bytes]":
    words = [f"shards={'::'.join(origin.paths)}", "name=d", f"folder={folder}", f"workers={workers}"]
    return subprocess.Popen(
        [sys.executable, "-m", "training", "index", *words], cwd=CHECKOUT, stderr=subprocess.PIPE
    )


def test_what_a_killed_process_walked_is_not_walked_again(tmp_path: Path) -> None:
    origin = shards(tmp_path, 12, samples=20)
    os.mkfifo(tmp_path / "blocked")  # whoever opens it waits, for ever
    last = Path(origin.paths[-1])
    whole = last.rename(tmp_path / "whole")
    last.symlink_to(tmp_path / "blocked")
    command = index_command(origin, tmp_path, workers=1)
    part = tmp_path / "d.index.part.1"
    walked = HEAD_BYTES + sum(20 * SAMPLE_BYTES + RECORD.size + len(path) for path in origin.paths[:-1])
    wait_for(lambda: part.exists() and part.stat().st_size >= walked, "eleven shards to be walked")
    command.send_signal(signal.SIGKILL)
    command.communicate()
    last.unlink()
    whole.rename(last)
    with part.open("ab") as torn:
        torn.write(b"torn")
    assert num_walked(tmp_path / "d.index", origin) == 1
    assert make_index(tmp_path / "d.index", origin).num_samples == 246
    assert [p.name for p in tmp_path.glob("*index*")] == ["d.index"]


def test_processes_that_start_together_share_the_work(tmp_path: Path) -> None:
    origin = shards(tmp_path, 8, samples=200)
    commands = [index_command(origin, tmp_path, workers=n) for n in (1, 2, 1)]
    assert [command.communicate()[1] is not None and command.returncode for command in commands] == [
        0
    ] * 3
    index = up_to_date(tmp_path / "d.index", origin)
    assert index is not None
    alone = make_index(tmp_path / "alone.index", origin)
    for shard in range(8):
        assert np.array_equal(index.blocks(shard), alone.blocks(shard))
    assert not list(tmp_path.glob("*.part.*"))


def test_a_part_that_was_taken_away_is_not_made_again_by_who_held_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BEAT_S", 0.01)
    num_threads, part = threading.active_count(), parts.claim(tmp_path / "d.index", None)
    assert part is not None
    with parts.beating(part):
        part.unlink()
        wait_for(lambda: threading.active_count() <= num_threads, "the heart to stand still")
    assert list(tmp_path.iterdir()) == []


def test_a_part_stays_in_hand_though_the_file_system_fails_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(parts, "BEAT_S", 0.01)
    part = parts.claim(tmp_path / "d.index", None)
    assert part is not None
    with parts.beating(part):
        aside, loop = tmp_path / "aside", tmp_path / "loop"
        loop.symlink_to(part)
        os.link(part, aside)
        loop.replace(part)  # never is there nothing of this name
        wait_for(lambda: "no sign of life" in caplog.text, "a beat that fails")
        os.utime(aside, (0, 0))
        aside.replace(part)
        wait_for(lambda: part.stat().st_mtime > 0, "a beat that does not fail")


def test_a_part_is_not_taken_for_that_of_a_later_process_with_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(parts, "STALE_S", 0.0)
    caplog.set_level(logging.INFO)
    before = Head(host=this_host(), pid=os.getppid(), pid_start=1, uids=None)
    (tmp_path / "d.index.part.1").write_bytes(before.encode())
    assert parts.claim(tmp_path / "d.index", None) == tmp_path / "d.index.part.2"
    assert "waiting for it" not in caplog.text


def test_a_run_brings_the_index_of_many_shards_up_to_date(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shards(tmp_path, FEW_SHARDS + 1, samples=2)
    source = SourceFiles(name="d", shards=f"{tmp_path}/{{0..{FEW_SHARDS}}}.tar")
    (index,) = ready([source], tmp_path)
    assert index.num_shards == FEW_SHARDS + 1
    assert f"d: indexed {FEW_SHARDS + 1} of {FEW_SHARDS + 1} shards" in capfd.readouterr().err
    os.truncate(tmp_path / "7.tar", 1024)
    with pytest.raises(DataError, match=r"/7.tar is truncated"):
        ready([source], tmp_path)


def test_another_host_sees_an_index_that_was_just_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hidden, "POLL_S", 0.01)
    monkeypatch.setattr(hidden, "HIDDEN_S", PATIENCE_S)
    shards(tmp_path, 2)
    source = SourceFiles(name="d", shards=f"{tmp_path}/{{0..1}}.tar")
    made = ready([source], tmp_path / "new")
    ready([replace(source, shards=f"{tmp_path}/0.tar")], tmp_path / "old")
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(opened, [source], tmp_path / "old", fingerprint_of(made))
        wait_for(lambda: "does not see the indexes that the first rank sees" in caplog.text, "a look")
        (tmp_path / "new" / "d.index").replace(tmp_path / "old" / "d.index")
        assert [index.num_shards for index in seen.result(PATIENCE_S)] == [2]
    monkeypatch.setattr(hidden, "HIDDEN_S", 0.0)
    with pytest.raises(DataError, match="put the root where all nodes see the same"):
        opened([source], tmp_path / "new", fingerprint_of(made))


def write_uids(path: Path, uids: list[int]) -> Path:
    pairs = [(uid >> 64, uid & (1 << 64) - 1) for uid in sorted(uids)]
    np.save(path, np.array(pairs, dtype="u8,u8"))
    return path


big = st.integers(0, 2**128 - 1) | st.integers(0, 20)


@given(st.lists(big), st.lists(big, max_size=30))
def test_a_list_of_uids_contains_what_stands_in_it(
    tmp_path_factory: pytest.TempPathFactory, listed: list[int], asked: list[int]
) -> None:
    uids = UidList(write_uids(tmp_path_factory.getbasetemp() / "listed.npy", listed))
    assert uids.contain(asked).tolist() == [uid in listed for uid in asked]


def test_a_subset_holds_the_samples_whose_uid_is_listed(tmp_path: Path) -> None:
    whole, file = shards(tmp_path, 3), tmp_path / "d.some.index"
    uids = write_uids(tmp_path / "u.npy", [1, 2, 1003, 99, 2**127])
    some = Origin(paths=whole.paths, uids=uids)
    index = make_index(file, some)
    assert index.sizes.tolist() == [2, 1, 0]
    full = make_index(tmp_path / "d.index", whole)
    assert index.place(1, 0) == full.place(1, 3)
    assert num_walked(file, some) == 0
    write_uids(uids, [2000])
    assert make_index(file, some).sizes.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no list of uids"), (np.arange(3), "holds int64, not uids: u8,u8 pairs")],
)
def test_what_is_no_list_of_uids(
    tmp_path: Path, content: NDArray[np.int64] | None, message: str
) -> None:
    if content is not None:
        np.save(tmp_path / "u.npy", content)
    some = Origin(paths=shards(tmp_path, 1).paths, uids=tmp_path / "u.npy")
    with pytest.raises(DataError, match=message):
        make_index(tmp_path / "d.index", some)


def test_samples_without_uid_cannot_be_chosen(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "0.tar", {"a.txt": b""})
    some = Origin(paths=(str(path),), uids=write_uids(tmp_path / "u.npy", [1]))
    with pytest.raises(DataError, match="0.tar, sample a: no json with a uid"):
        make_index(tmp_path / "d.index", some)
