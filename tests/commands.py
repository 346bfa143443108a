"""Run the command line as a user would, and wait for things with a deadline."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parent.parent
OWN_CONF = f"hydra.searchpath=[file://{CHECKOUT}/tests/conf]"
"""Lets a command find the sweeps of the tests."""

PATIENCE_S = 300.0
"""A test waits so long for another process; only a hang takes longer, however busy the machine is."""

WAITED_FOR_EACH_S = 8
"""Seconds of rest after a condition that took one second to ask."""

TINY = (OWN_CONF, "sweep=tiny")
"""The sweep of two runs that most tests of whole sweeps play."""

ROOM = "cluster.cores_per_node=64"
"""Leaves room on this machine beside what other tests run at the time."""

HERE = (*TINY, ROOM)
"""The tiny sweep on this machine."""


def environment(root: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which `root` is the root."""
    return {**os.environ, "ISOGRID_ROOT": str(root), "COLUMNS": "200", **(extra or {})}


def run(
    module: str,
    *arguments: str,
    root: Path,
    env: Mapping[str, str] | None = None,
    checkout: Path = CHECKOUT,
) -> Any:
    """Run `python -m module …` to its end; return the completed process."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=checkout,
        env=environment(root, env),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )


def start(
    module: str,
    *arguments: str,
    root: Path,
    env: Mapping[str, str] | None = None,
    checkout: Path = CHECKOUT,
) -> "subprocess.Popen[bytes]":
    """Start `python -m module …`; its output is thrown away."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=checkout,
        env=environment(root, env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for(condition: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
    """Return what `condition` returns soon after it is true.

    A condition that is costly to ask is asked less often: what it waits for needs the machine, too.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        asked = time.monotonic()
        if found := condition():
            return found
        answered = time.monotonic()
        if answered > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        time.sleep(max(0.02, WAITED_FOR_EACH_S * (answered - asked)))


def gated_by(gate: Path) -> tuple[str, str]:
    """Return the overrides that make runs wait, after a few steps, until the file `gate` exists."""
    return ("procedure._target_=tests.launcher.gated.Gated", f"+procedure.options.gate={gate}")


def gated_with_states_by(gate: Path) -> tuple[str, ...]:
    """Return those, and one more: that a state is saved as soon as the one before is durable."""
    return (*gated_by(gate), "checkpoints.save_every_s=0")
