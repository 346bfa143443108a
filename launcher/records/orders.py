"""Orders: what a supervisor tells the ranks of an attempt, and how it sees how far they are."""

from dataclasses import dataclass
from pathlib import Path

from evaluation import claims, orders
from evaluation.claims import Claim, Scorer
from evaluation.orders import ScoreOrder
from launcher.records.claims import followable
from launcher.records.ledger import History, read_history
from launcher.records.submission import Submission, scoring_folder
from sweeps import durable
from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.items import ScoreItem, TrainItem, WorkItem
from training.orders import TrainOrder
from training.telemetry.metrics import last_moment, metrics_path

KEPT_ATTEMPTS = 5

MOST_OTHERS = 512
"""So many checkpoints of others one order names: each scorer of a large submission has an order."""


@dataclass(frozen=True, slots=True)
class OrderPaths:
    """The files of one attempt in its item's folder."""

    order: Path
    log: Path
    stop: Path
    verdict: Path
    metrics: Path

    @classmethod
    def of(cls, folder: Path, attempt: int) -> "OrderPaths":
        """Return the files of attempt number `attempt`."""
        return cls(
            order=folder / f"order-{attempt}.json",
            log=folder / f"log-{attempt}.txt",
            stop=folder / f"stop-{attempt}",
            verdict=folder / f"verdict-{attempt}",
            metrics=metrics_path(folder, attempt),
        )


def log_of_scorer(scorer: Scorer) -> Path:
    """Return what a scoring process printed, relative to the root."""
    folder = scoring_folder(Root(Path()).submission(scorer.submission), scorer.index)
    return OrderPaths.of(folder, scorer.attempt).log


def forget_old_attempts(folder: Path, attempt: int) -> None:
    """Delete logs, orders and leases of all but the last attempts: inodes are rationed."""
    for old in range(max(1, attempt - 2 * KEPT_ATTEMPTS), attempt - KEPT_ATTEMPTS + 1):
        paths = OrderPaths.of(folder, old)
        for path in (paths.log, paths.order, folder / f"{lease.NAME}.{old}"):
            path.unlink(missing_ok=True)


def write_order(given: Submission, index: int, paths: OrderPaths) -> str:
    """Write the order of an attempt; return the module that carries it out."""
    item, root = given.items[index], Root(given.root)
    attempt = int(paths.log.stem.rpartition("-")[2])
    if isinstance(item, TrainItem):
        parent = item.segment.parent
        train = TrainOrder(
            item=item,
            folder=root.segment(item.key),
            parent_folder=root.segment(parent) if parent else None,
            index_folder=root.data,
            attempt=attempt,
            stop_file=paths.stop,
            verdict_file=paths.verdict,
        )
        durable.replace(paths.order, durable.encode(train))
        return "training.rank"
    scorer, history = (
        Scorer(submission=given.id, index=index, attempt=attempt),
        read_history(root.ledger),
    )
    item = _with_others(given, index, history)
    score = ScoreOrder(
        item=item,
        root=root.path,
        scorer=scorer,
        followable=_followable(given, item, scorer, history),
        progress=paths.metrics,
        commit=given.commit,
        stop_file=paths.stop,
        verdict_file=paths.verdict,
    )
    orders.write(paths.order, score)
    return "evaluation.worker"


def _with_others(given: Submission, index: int, history: History) -> ScoreItem:
    """Return a scoring item, and after it what shares its job, and then what other jobs are to do.

    Whoever is through helps the others until its time is over: these may wait in the queue for long.
    """
    shared, count = given.indices(index // given.pack), len(given.score)
    around = [*range(index, count), *range(index)]
    items = [given.score[n] for n in sorted(around, key=lambda n: n not in shared)]
    others = [task for item in items[1:] for task in item.checkpoints]
    cancelled = history.cancelled
    wanted = [t for t in others if not {t.segment, t.checkpoint} & cancelled]
    return ScoreItem(
        resources=items[0].resources,
        checkpoints=(*items[0].checkpoints, *wanted[:MOST_OTHERS]),
        datasets={name: path for item in items for name, path in item.datasets.items()},
    )


def _followable(
    given: Submission, item: ScoreItem, scorer: Scorer, history: History
) -> tuple[Claim, ...]:
    known, wanted = claims.newest(Root(given.root).results), {c.checkpoint for c in item.checkpoints}
    theirs = [claim for claim in known.values() if claim.checkpoint in wanted]
    most = given.policy.fruitless_attempts
    return tuple(followable(theirs, scorer, history, most_tries=most))


def num_done(item: WorkItem, paths: OrderPaths) -> int:
    """Return the samples trained, or the checkpoints scored, as far as the attempt has written."""
    if isinstance(item, TrainItem):
        moment = last_moment(paths.metrics)
        return moment.samples_seen if moment else 0
    return paths.metrics.read_bytes().count(b"\n") if paths.metrics.exists() else 0
