"""What a supervisor tells a scoring process."""

from pathlib import Path

from conf.schema import ClusterConfig, ClusterKind, PolicyConfig, ResourceConfig
from evaluation.orders import ScoreOrder
from launcher.records.ledger import Act, Ledger, Line
from launcher.records.orders import OrderPaths, write_order
from launcher.records.submission import Submission
from sweeps import durable
from sweeps.folders import Root
from sweeps.items import CheckpointEvals, ScoreItem

CANCELLED = "f"


def item(segment: str, dataset: str) -> ScoreItem:
    return ScoreItem(
        checkpoints=(CheckpointEvals(segment=segment, samples_seen=1, evals=()),),
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
    order = durable.decode(paths.order.read_bytes(), ScoreOrder)
    assert [task.segment for task in order.item.checkpoints] == ["d", "c", "e", "a", "b"]
    assert {f"set-{one}" for one in "abcde"} <= set(order.item.datasets)
