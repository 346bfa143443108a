"""How little a job loads before its ranks start: a supervisor shares the node with them."""

import subprocess
import sys

import pytest

from tests.commands import CHECKOUT

HEAVY = ("torch", "pyarrow", "pandas", "omegaconf", "hydra", "submitit", "numpy", "matplotlib")


@pytest.mark.parametrize("module", ["launcher.jobs.supervisor"])
def test_a_supervisor_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert module in shown
    assert [name for name in HEAVY if name in shown] == []
