"""How little is loaded by a job before its ranks start, beside which it runs, and by `status`."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.grids import expansion_of, finish, write_grid
from launcher.reconcile.standing import current_standing
from launcher.reconcile.sweep import sweep_of
from launcher.show.status import make_report, status_json
from sweeps.composing.compose import compose_launch, compose_request
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.frozen import FrozenSweep
from tests.commands import CHECKOUT

HEAVY = (
    "torch", "pyarrow", "pandas", "omegaconf", "hydra", "submitit", "numpy", "scipy", "matplotlib",
    "wandb",
)  # fmt: skip


def printed(code: str) -> list[str]:
    """Return the lines that Python prints, the last one being the names of all loaded modules."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def heavy_among(modules: str) -> list[str]:
    return [name for name in HEAVY if name in modules.split()]


@pytest.mark.parametrize("module", ["launcher.jobs.supervisor"])
def test_a_supervisor_loads_nothing_heavy(module: str) -> None:
    (modules,) = printed(f"import {module}")
    assert module in modules.split()
    assert heavy_among(modules) == []


def test_status_loads_nothing_heavy_and_tells_what_composing_all_anew_tells(root: Path) -> None:
    grid = write_grid(root / "conf", num_runs=100)
    _launch_and_finish_every_other_run(Root(root), grid)
    words = [*grid, "model=ViT-w32,ViT-B-16", f"root={root}", "format=json"]
    told, modules = printed(f"from launcher import commands; commands.run(['status', *{words}])")
    composed = sweep_of(compose_request(words))
    report = make_report(Root(root), current_standing(composed))
    assert json.loads(told) == json.loads(msgspec.json.encode(status_json(report)))
    assert (report.counts["done"], report.counts["waiting"]) == (20, 20)
    assert heavy_among(modules) == []


def _launch_and_finish_every_other_run(root: Root, words: list[str]) -> None:
    expansion, launch, digest = expansion_of(words), compose_launch(words), frozen.conf_digest()
    finish(root, expansion, expansion.runs[::2])
    sweep = FrozenSweep(expansion=expansion, overrides=(), launch=launch, conf_digest=digest)
    frozen.freeze(root, sweep)
