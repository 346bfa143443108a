"""Files that several processes write on a shared file system."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from sweeps import durable
from tests.commands import PATIENCE_S, wait_for


def test_publish_never_overwrites(tmp_path: Path) -> None:
    assert durable.publish(tmp_path / "a", b"1")
    assert not durable.publish(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert os.listdir(tmp_path) == ["a"]


def _race(folder: Path, number: int, start: float, wins: "multiprocessing.Queue[int]") -> None:
    time.sleep(max(0.0, start - time.time()))
    for generation in range(50):
        if durable.publish(folder / f"x.{generation}", str(number).encode()):
            wins.put(generation)
    wins.put(-1)


def test_of_rivals_exactly_one_publishes_each_generation(tmp_path: Path) -> None:
    wins: multiprocessing.Queue[int] = multiprocessing.Queue()
    rivals = [
        multiprocessing.Process(target=_race, args=(tmp_path, n, time.time() + 0.3, wins))
        for n in range(4)
    ]
    for rival in rivals:
        rival.start()
    won, ended = [], 0
    while ended < len(rivals):
        found = wins.get(timeout=PATIENCE_S)
        ended += found == -1
        won += [found] if found >= 0 else []
    for rival in rivals:
        rival.join()
    assert sorted(won) == list(range(50))
    assert durable.newest_generation(tmp_path, "x") == 49


def _rewrite(path: Path) -> None:
    for number in range(10**9):
        durable.replace(path, str(number % 10).encode() * 100_000)


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for _ in range(5):
        writer = multiprocessing.Process(target=_rewrite, args=(path,))
        writer.start()
        wait_for(path.exists, "a file")
        time.sleep(0.1)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        content = path.read_bytes()
        assert len(content) == 100_000
        assert len(set(content)) == 1


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        durable.replace(tmp_path / "no folder" / "a", b"1")
    assert os.listdir(tmp_path) == []


def test_generations_are_numbers_and_nothing_else(tmp_path: Path) -> None:
    for name in ("x.1", "x.10", "x.9", "x.11.tmp", "y.12", ".x.13"):
        (tmp_path / name).touch()
    assert durable.newest_generation(tmp_path, "x") == 10
    assert durable.newest_generation(tmp_path / "absent", "x") == 0


def test_reading_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert durable.read(tmp_path / "a", dict[str, int]) is None
    durable.replace(tmp_path / "a", durable.encode({"n": 1}))
    assert durable.read(tmp_path / "a", dict[str, int]) == {"n": 1}
