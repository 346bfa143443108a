"""What Tab offers behind `isogrid`, in a real bash."""

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.show.completion import complete
from sweeps.folders import CHECKOUT
from tests.commands import environment

NAMES = ("plan", "status", "launch")


@pytest.mark.parametrize(
    ("line", "names", "seen_by_hydra"),
    [
        ("isogrid ", ("launch", "plan", "status"), "isogrid "),
        ("isogrid pl", ("plan",), "isogrid pl"),
        ("isogrid plan sweep=", (), "isogrid sweep="),
        ("isogrid plan sweep=x clus", (), "isogrid sweep=x clus"),
        ("isogrid sweep=x clus", (), "isogrid sweep=x clus"),
    ],
)
def test_the_command_is_completed_here_and_the_rest_by_hydra(
    line: str, names: tuple[str, ...], seen_by_hydra: str
) -> None:
    completion = complete(line, len(line), NAMES)
    assert (completion.names, completion.line) == (names, seen_by_hydra)


@pytest.mark.parametrize(
    ("line", "offered"), [("isogrid pl", "plan"), ("isogrid plan sweep=qu", "sweep=quickstart")]
)
def test_bash_offers_what_may_follow(tmp_path: Path, line: str, offered: str) -> None:
    program = tmp_path / "isogrid"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m launcher "$@"\n')
    program.chmod(0o755)
    words = line.split(" ")
    script = f"""
        PATH={tmp_path}:$PATH
        eval "$(isogrid -sc install=bash)"
        export COMP_LINE="{line}" COMP_POINT={len(line)}
        COMP_CWORD={len(words) - 1}
        hydra_bash_completion
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=CHECKOUT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.split() == [offered], done.stderr
