"""Commands end quietly, however they end."""

import errno
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from sweeps.commands import INTERRUPTED, run_command
from sweeps.folders import CHECKOUT


def interrupted(words: Sequence[str]) -> int:
    raise KeyboardInterrupt


def test_a_command_that_is_interrupted_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command({"go": interrupted}, ["go"], "") == INTERRUPTED
    assert capsys.readouterr().err == "isogrid: interrupted, nothing is lost; type it again to go on\n"


def full(words: Sequence[str]) -> int:
    raise OSError(errno.EDQUOT, "Disk quota exceeded", "table.csv")


def test_a_command_that_finds_no_room_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command({"go": full}, ["go"], "") == 1
    said = capsys.readouterr().err
    assert "Disk quota exceeded: 'table.csv'; make room, and type it again" in said


def test_nobody_has_to_read_all_that_is_printed() -> None:
    read, write = os.pipe()
    os.close(read)
    go = "run_command({'go': lambda words: print(words) or 0}, ['go'], '')"
    code = f"from sweeps.commands import run_command; raise SystemExit({go})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
