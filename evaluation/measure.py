"""Run an eval on a checkpoint, and say in a row what it found and of what."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from conf.schema import EvalSpec
from evaluation import unfinished
from evaluation.encoding.encoder import Encoder
from evaluation.encoding.kinds import Kinds
from evaluation.evaluator import Resumable, make_evaluator, refuse_lacking
from evaluation.results.rows import Row, refuse_taken
from evaluation.sets.testset import TestSet
from sweeps import durable
from sweeps.errors import DamagedFile, DataError, IsogridError, NotFinite, StopAsked, UsageError
from sweeps.folders import Root
from sweeps.runs.expansion import Segment
from sweeps.work.items import checkpoint_id, eval_id
from training.checkpoints.checkpoint import Position
from training.checkpoints.state import Tensors
from training.procedure import make_procedure

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failed:
    """An eval that could not be run, and why."""

    spec: EvalSpec
    error: Exception

    def __str__(self) -> str:
        """Return both in one line."""
        is_ours = isinstance(self.error, IsogridError)
        return f"{eval_id(self.spec)}: {self.error if is_ours else repr(self.error)}"


def sifted(
    evals: Iterable[EvalSpec], folders: Mapping[str, Path]
) -> tuple[list[EvalSpec], list[Failed]]:
    """Return the evals whose sets have the files that they need, and the others; nothing is decoded.

    Args:
        evals: some.
        folders: of their sets, by name.
    """
    fit, unfit = list[EvalSpec](), list[Failed]()
    for spec in evals:
        try:
            refuse_lacking(spec, folders[spec.dataset])
        except DataError as error:
            unfit.append(Failed(spec, error))
        else:
            fit.append(spec)
    return fit, unfit


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A checkpoint that is scored.

    `image_size`: side of its images in pixels. `row`: makes a row of it, given its name and all that is
    the eval's. `unfinished`: a folder for what evals that take long need to go on after a kill.
    """

    checkpoint: str
    model: Encoder
    image_size: int
    row: Callable[..., Row]
    unfinished: Path | None = None

    def score(self, spec: EvalSpec, data: TestSet) -> Row:
        """Return the row of one eval.

        Raises:
            NotFinite: a metric is no finite number.
            DataError: the test set lacks what the eval needs.
            UsageError: there is no metric, or one is called like another column of the table.
        """
        evaluator = make_evaluator(spec)
        if isinstance(evaluator, Resumable):
            found = evaluator.run_from(self.model, data, self._state_of(spec))
        else:
            found = evaluator.run(self.model, data)
        metrics = {name: float(value) for name, value in found}  # of numpy's or torch's numbers, too
        refuse_taken(metrics, eval_id(spec))
        if not metrics:
            raise UsageError(f"{eval_id(spec)}: {spec._target_} yields no metric")
        wrong = [name for name, value in metrics.items() if not math.isfinite(value)]
        if wrong:
            raise NotFinite(f"{eval_id(spec)}: {', '.join(wrong)} is no finite number")
        return self.row(
            checkpoint=self.checkpoint,
            eval=spec.name,
            eval_version=spec.version,
            downstream_dataset=spec.dataset,
            scored_at=time.time(),
            metrics=metrics,
        )

    def attempt(self, spec: EvalSpec, data: TestSet) -> Row | Failed:
        """Return the row of one eval, or why there is none: the others do not depend on it.

        Raises:
            StopAsked: this process is to leave.
            torch.AcceleratorError: a GPU failed; this process can compute nothing on it any more.
        """
        try:
            return self.score(spec, data)
        except (StopAsked, torch.AcceleratorError):
            raise
        except IsogridError as error:
            return Failed(spec, error)
        except Exception as error:
            log.exception("%s cannot be scored on %s", self.checkpoint, eval_id(spec))
            return Failed(spec, error)

    def _state_of(self, spec: EvalSpec) -> Path | None:
        if self.unfinished is None:
            return None
        return self.unfinished / unfinished.file_name(self.checkpoint, eval_id(spec))


def trained_subject(
    root: Root, segment: Segment, weights: Tensors, position: Position, kinds: Kinds
) -> Subject:
    """Return a checkpoint of a segment under a root, with all that its rows say of it."""
    train, on_gpu = segment.train, not position.layout.device.startswith("cpu")
    model = kinds.encoder(train, weights)
    row = partial(
        Row,
        segment=segment.key,
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
        gflops_per_sample=position.gflops_per_sample,
        gflops_total=position.gflops,
        num_params=model.num_params,
        train_s=position.train_s,
        gpu_hours=position.rank_s / 3600 if on_gpu else 0.0,
    )
    return Subject(
        checkpoint=checkpoint_id(segment.key, position.samples_seen),
        model=model,
        image_size=make_procedure(train.procedure, train.model).image_size,
        row=row,
        unfinished=unfinished.folder(root),
    )


def read_segment(root: Root, key: str) -> Segment:
    """Return what was trained in a segment's folder.

    Raises:
        DamagedFile: that is not said there.
    """
    path = root.segment_config(key)
    if (found := durable.read(path, Segment)) is None:
        raise DamagedFile(f"{path} is missing: nothing else says what was trained there")
    return found
