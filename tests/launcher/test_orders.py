"""What a supervisor is handed, and tells a scoring process."""

from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import ClusterConfig, ClusterKind, EvalSpec, PolicyConfig, ResourceConfig
from evaluation import orders
from launcher.records import submission as submissions
from launcher.records.ledger import Act, Ledger, Line
from launcher.records.orders import OrderPaths, write_order
from launcher.records.submission import Submission
from sweeps import durable
from sweeps.errors import DamagedFile
from sweeps.folders import Root
from sweeps.work.items import CheckpointEvals, ScoreItem

CANCELLED = "f"
EVAL = EvalSpec(_target_="a.b.C", name="zeroshot", dataset="cars")


def item(segment: str, dataset: str) -> ScoreItem:
    return ScoreItem(
        checkpoints=(CheckpointEvals(segment=segment, samples_seen=1, evals=(EVAL,)),),
        datasets={dataset: f"/{dataset}"},
        resources=ResourceConfig(),
    )


def submission(root: Path) -> Submission:
    """Return scorers of six checkpoints, two of them sharing each job."""
    return Submission(
        id="scorers",
        where="local@x",
        root=root,
        cluster=ClusterConfig(name="here", kind=ClusterKind.local),
        policy=PolicyConfig(),
        code=root,
        checkout=root,
        commit="",
        score=tuple(item(segment, f"set-{segment}") for segment in "abcdef"),
        pack=2,
    )


def test_a_scorer_helps_first_in_its_own_job_then_in_others_and_leaves_out_what_is_cancelled(
    tmp_path: Path,
) -> None:
    Root(tmp_path).ledger.mkdir()
    ledger = Ledger(Root(tmp_path).ledger)
    ledger.append(Line(time=1.0, act=Act.cancelled, items=(CANCELLED,)))
    ledger.close()
    paths = OrderPaths.of(tmp_path, 1)
    assert write_order(submission(tmp_path), 3, paths) == "evaluation.worker"
    order = orders.read(paths.order)
    assert [task.segment for task in order.item.checkpoints] == ["d", "c", "e", "a", "b"]
    assert {f"set-{one}" for one in "abcde"} <= set(order.item.datasets)
    assert all(task.evals == (EVAL,) for task in order.item.checkpoints)
    assert paths.order.read_text().count("zeroshot") == 1, "that is said once for all checkpoints"


def test_a_submission_says_once_what_its_checkpoints_are_scored_on_and_older_ones_are_read(
    tmp_path: Path,
) -> None:
    given = replace(submission(tmp_path), score=(item("a", "cars"), item("b", "cars")))
    submissions.write(given)
    path = given.folder / "submission.json"
    assert path.read_text().count("zeroshot") == path.read_text().count("/cars") == 1
    assert submissions.read(given.folder) == given
    durable.replace(path, durable.encode(given))
    assert submissions.read(given.folder) == given
    path.write_text('{"id": "scorers"}')
    with pytest.raises(DamagedFile, match=r"submission\.json is damaged, or of another version: "):
        submissions.read(given.folder)
