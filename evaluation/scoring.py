"""Score checkpoints one after the other, each loaded once, test sets decoded once for all.

Each checkpoint is claimed first (`evaluation.claims`), so any number of workers may be given the same
ones. Its rows go to the table's inbox in one file when all its evals are through, so a worker that is
killed leaves whole checkpoints or nothing. What fails on one checkpoint is noted in its claim, and
reported after the others are scored.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from conf.schema import EvalSpec, TrainConfig
from evaluation import claims, store
from evaluation.claims import Claim
from evaluation.encoder import Encoder
from evaluation.evaluator import make_evaluator
from evaluation.orders import ScoreOrder
from evaluation.rows import Row
from evaluation.testset import TestSet, load_test_set
from sweeps import durable
from sweeps.errors import NotFinite, ScoringFailed
from sweeps.expansion import Segment
from sweeps.folders import Root
from sweeps.items import CheckpointEvals, eval_id
from training import checkpoint
from training.checkpoint import Position
from training.distributed import World
from training.flops import gflops_per_sample
from training.procedure import Procedure, make_procedure
from training.saved import weights_path

log = logging.getLogger(__name__)


def score_all(order: ScoreOrder) -> bool:
    """Score what is not in the table yet; return False if asked to stop before the end.

    Raises:
        ScoringFailed: some checkpoints could not be scored.
    """
    scorer = _Scorer(order)
    failures: list[str] = []
    followed = {claim.checkpoint: claim for claim in order.followable}
    # What failed before comes last: it may well end this process.
    tasks = sorted(order.item.checkpoints, key=lambda task: task.checkpoint in followed)
    with order.progress.open("a") as progress:
        for task in tasks:
            if order.stop_file.exists():
                return False
            failures += _try(scorer, task, _claim(order, task, followed.get(task.checkpoint)))
            progress.write(f"{task.checkpoint}\n")
            progress.flush()
    if failures:
        raise ScoringFailed(f"{len(failures)} checkpoints not scored; {'; '.join(failures)}")
    return True


def _claim(order: ScoreOrder, task: CheckpointEvals, before: Claim | None) -> Claim:
    return Claim(
        checkpoint=task.checkpoint,
        number=before.number + 1 if before else 1,
        tries=before.tries + 1 if before else 1,
        scorer=order.scorer,
    )


def _try(scorer: "_Scorer", task: CheckpointEvals, claim: Claim) -> list[str]:
    """Score a checkpoint if it is there, lacks rows and is not in other hands; return what failed."""
    results = scorer.results
    if not scorer.is_due(task) or not claims.take(results, claim):
        return []
    try:
        scorer.score(task, claim)
    except Exception as error:
        log.exception("%s cannot be scored", task.checkpoint)
        claims.note_failure(results, claim, repr(error))
        return [f"{task.checkpoint}: {error!r}"]
    claims.release(results, claim)
    return []


class _Scorer:
    """Keeps test sets in memory while checkpoints pass by."""

    def __init__(self, order: ScoreOrder) -> None:
        self._order = order
        self._root = Root(order.root)
        self._table = store.KeyReader(self._root.results)
        self._table.refresh()
        self._sets: dict[tuple[str, int], TestSet] = {}
        self._counted: dict[str, float | None] = {}

    @property
    def results(self) -> Path:
        """The folder of the results table."""
        return self._root.results

    def is_due(self, task: CheckpointEvals) -> bool:
        """Return whether a checkpoint is there and lacks rows, as far as was last known."""
        return bool(self._missing(task)) and self._weights(task).exists()

    def score(self, task: CheckpointEvals, claim: Claim) -> None:
        """Score one checkpoint on those of its evals that have no row now that it is claimed."""
        self._table.refresh()
        rows = list(self._rows(task, self._missing(task)))
        if not rows or not claims.is_held(self.results, claim):
            return
        scorer = self._order.scorer
        name = f"{task.checkpoint}.{scorer.submission}-{scorer.index}-{scorer.attempt}"
        store.append(self.results, name, rows)
        log.info("scored %s", task.checkpoint)

    def _missing(self, task: CheckpointEvals) -> list[EvalSpec]:
        known = self._table.keys
        return [e for e in task.evals if (task.checkpoint, e.name, e.dataset, e.version) not in known]

    def _weights(self, task: CheckpointEvals) -> Path:
        return weights_path(self._root.segment(task.segment), task.samples_seen)

    def _rows(self, task: CheckpointEvals, evals: list[EvalSpec]) -> Iterator[Row]:
        if not evals:
            return
        segment = self._segment(task.segment)
        weights, position = checkpoint.read(self._weights(task))
        procedure = make_procedure(segment.train.procedure, segment.train.model)
        model, encoder = _load(procedure, weights)
        size = _Size(
            gflops=self._gflops(segment.train),
            gflops_total=self._gflops_total(segment, position.samples_seen),
            num_params=sum(parameter.numel() for parameter in model.parameters()),
        )
        for spec in evals:
            data = self._test_set(spec.dataset, procedure.image_size)
            metrics = dict(make_evaluator(spec).run(encoder, data))
            _refuse_not_finite(spec, metrics)
            yield _row(task, spec, segment.train, position, size, metrics, self._order.commit)

    def _gflops(self, train: TrainConfig) -> float | None:
        name = repr((train.procedure, train.model))
        if name not in self._counted:
            self._counted[name] = gflops_per_sample(make_procedure(train.procedure, train.model))
        return self._counted[name]

    def _gflops_total(self, segment: Segment, samples: int) -> float | None:
        """Return what so many samples took, of which earlier stages may have seen smaller images."""
        gflops = self._gflops(segment.train)
        if gflops is None:
            return None
        own, parent = gflops * (samples - segment.start), segment.parent
        if parent is None:
            return own
        before = self._gflops_total(self._segment(parent), segment.start)
        return None if before is None else own + before

    def _segment(self, key: str) -> Segment:
        return durable.decode(self._root.segment_config(key).read_bytes(), Segment)

    def _test_set(self, name: str, side: int) -> TestSet:
        if (name, side) not in self._sets:
            self._sets[name, side] = load_test_set(Path(self._order.item.datasets[name]), side)
        return self._sets[name, side]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Size:
    """What a checkpoint cost: 1e9 forward FLOPs a sample and in all, where they can be counted.

    `num_params`: of its model.
    """

    gflops: float | None
    gflops_total: float | None
    num_params: int


def _load(procedure: Procedure, weights: checkpoint.Tensors) -> tuple[torch.nn.Module, Encoder]:
    device = World().device
    model = procedure.build(0)
    checkpoint.load_weights(model, weights)
    return model, Encoder(model.to(device), procedure.tokenizer(), device)


def _refuse_not_finite(spec: EvalSpec, metrics: dict[str, float]) -> None:
    wrong = [name for name, value in metrics.items() if not math.isfinite(value)]
    if wrong:
        raise NotFinite(f"{eval_id(spec)}: {', '.join(wrong)} is no finite number")


def _row(
    task: CheckpointEvals,
    spec: EvalSpec,
    train: TrainConfig,
    position: Position,
    size: _Size,
    metrics: dict[str, float],
    commit: str,
) -> Row:
    on_gpu = not position.layout.device.startswith("cpu")
    return Row(
        checkpoint=task.checkpoint,
        segment=task.segment,
        eval=spec.name,
        eval_version=spec.version,
        downstream_dataset=spec.dataset,
        model=train.model.name,
        pretrain_dataset=train.data.name,
        samples_seen=position.samples_seen,
        samples_trained=position.samples_trained,
        steps=position.steps,
        global_batch_size=train.global_batch_size,
        lr=train.optim.lr,
        warmup=train.schedule.warmup_steps,
        lr_scheduler=train.schedule.shape,
        seed=train.seed,
        precision=train.precision.value,
        gflops_per_sample=size.gflops,
        gflops_total=size.gflops_total,
        num_params=size.num_params,
        train_s=position.train_s,
        gpu_hours=position.rank_s / 3600 if on_gpu else 0.0,
        commit=commit,
        scored_at=time.time(),
        metrics=metrics,
    )
