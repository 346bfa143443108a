"""An eval whose protocol changes needs another version."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.results import inbox
from launcher.reconcile.protocols import refuse_mixed_protocols
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.runs.expansion import Run
from tests.configs import EVAL, expansion_of, launched, run_config
from tests.evaluation.results.rows import row


def runs_scored_on(*changes: dict[str, Any]) -> tuple[Run, ...]:
    """Return a run for each change of the eval that the others have."""
    (spec,) = EVAL.evals
    suites = [replace(EVAL, evals=(replace(spec, **changed),)) for changed in changes]
    configs = (run_config(seed=n, eval=suite) for n, suite in enumerate(suites))
    return expansion_of(*configs).runs


def test_what_has_rows_keeps_its_protocol(root: Path) -> None:
    loss = {"name": "contrastive_loss", "_target_": "evaluation.evaluators.losses.HeldOutLoss"}
    same, other = runs_scored_on(loss, {**loss, "options": {"batch": 32}})
    under = launched(root, "sweep=tiny")
    refuse_mixed_protocols(under, [other])  # nothing was scored yet
    inbox.append(under.results, "own", [row(eval="contrastive_loss")])
    refuse_mixed_protocols(under, [same])
    with pytest.raises(UsageError, match="contrastive_loss/shapes/v1 was launched with other options"):
        refuse_mixed_protocols(under, [other])
    (next_version,) = runs_scored_on({**loss, "options": {"batch": 32}, "version": 2})
    refuse_mixed_protocols(under, [next_version])


def test_two_evals_of_one_name_are_told_apart(root: Path) -> None:
    with pytest.raises(UsageError, match="two evals are called retrieval/shapes/v1: give one of them"):
        refuse_mixed_protocols(Root(root), runs_scored_on({}, {"options": {"k": 1}}))
