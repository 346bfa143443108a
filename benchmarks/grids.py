"""Grids of any size, and a root in which most of a grid's runs are finished, as evidence goes."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.results import compaction, inbox
from evaluation.results.rows import Row
from launcher.reconcile.prepare import generated_data
from launcher.records.ledger import Act, Ledger, Line
from sweeps import durable
from sweeps.composing.compose import compose_request
from sweeps.costs.cost import Hours
from sweeps.folders import Root, make_folders
from sweeps.runs.expansion import Expansion, Run, Segment, expand
from sweeps.work.items import checkpoint_id
from sweeps.work.lease import Attempt, Holder, Lease
from sweeps.work.outcome import Outcome
from training.checkpoints.done import DoneMarker, done_path
from training.checkpoints.saved import weights_path
from training.data.generate import MADE_WITH

WHERE = "slurm@lab"
SUBMISSION_SIZE = 1000
HOUR_S = 3600.0


def expansion_of(words: Sequence[str]) -> Expansion:
    """Return the sweep that a command line names."""
    request = compose_request(words)
    return expand(request.sweep, request.cells, request.configs)


def write_grid(conf: Path, num_runs: int) -> list[str]:
    """Write a sweep of so many hundred runs; return the words that name it."""
    name = f"grid{num_runs}"
    path = conf / "sweep" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"name: {name}\nset: {{eval: quickstart, data: shapes-clean}}\nblocks:\n- axes:\n"
        f"    model: [ViT-w32, ViT-w64, ViT-w96, ViT-B-32, ViT-B-16]\n"
        f"    samples_seen: [10240, 20480, 40960, 81920]\n"
        f"    optim.lr: [1e-4, 2e-4, 5e-4, 1e-3, 2e-3]\n"
        f"    seed: {list(range(num_runs // 100))}\n"
    )
    return [f"hydra.searchpath=[file://{conf}]", f"sweep={name}"]


def claim_data(root: Root, expansion: Expansion) -> None:
    """Leave what says that the data sets are there; no job of these sweeps opens them."""
    for folder, generator in generated_data(root, expansion.runs).items():
        folder.mkdir(parents=True)
        (folder / MADE_WITH).write_bytes(durable.encode(generator))


def finish(root: Root, expansion: Expansion, runs: Sequence[Run]) -> None:
    """Leave behind what runs leave that were trained and scored: folders, table, ledger."""
    make_folders(root)
    for run in runs:
        for key in run.segments:
            _finish_segment(root, expansion.segments[key])
    with contextlib.closing(Ledger(root.ledger)) as ledger:
        for first in range(0, len(runs), SUBMISSION_SIZE):
            some = runs[first : first + SUBMISSION_SIZE]
            inbox.append(root.results, f"rows-{first}", [row for run in some for row in _rows(run)])
            for line in _submission(f"finished-{first}", [run.run_id for run in some]):
                ledger.append(line)
    compaction.compact(root.results)


def leave_markers(root: Root, expansion: Expansion) -> None:
    """Leave nothing of a sweep behind but the markers that say that its segments are trained."""
    for segment in expansion.segments.values():
        done_path(root.segment(segment.key)).write_bytes(durable.encode(_marker(segment)))


def _finish_segment(root: Root, segment: Segment) -> None:
    folder, now = root.segment(segment.key), time.time()
    folder.mkdir()
    attempt = Attempt(
        number=1, holder=_holder(), started_at=now - HOUR_S, beat_at=now, samples=segment.end,
        num_cores=1, num_gpus=0, outcome=Outcome.done,
    )  # fmt: skip
    for name, value in (("config.json", segment), ("lease.1", Lease(attempt=attempt))):
        (folder / name).write_bytes(durable.encode(value))
    for name in ("order-1.json", "log-1.txt", "metrics-1.jsonl"):
        (folder / name).touch()
    for samples in segment.milestones:
        weights_path(folder, samples).touch()
    done_path(folder).write_bytes(durable.encode(_marker(segment)))


def _marker(segment: Segment) -> DoneMarker:
    return DoneMarker(
        key=segment.key, samples_seen=segment.end, samples_trained=segment.end, steps=1,
        weights_sha256="", train_s=HOUR_S, rank_s=HOUR_S, attempt=1, finished_at=time.time(),
    )  # fmt: skip


def _rows(run: Run) -> Iterator[Row]:
    for spec in run.config.eval.evals:
        yield Row(
            checkpoint=checkpoint_id(run.run_id, run.samples_seen), segment=run.run_id,
            eval=spec.name, eval_version=spec.version, downstream_dataset=spec.dataset,
            model=run.model, pretrain_dataset=run.data, samples_seen=run.samples_seen,
            samples_trained=run.samples_seen, steps=1, global_batch_size=64, lr=1e-3, warmup=0,
            lr_scheduler="cosine", seed=run.config.seed, precision="fp32", gflops_per_sample=1.0,
            gflops_total=1.0, num_params=1, train_s=HOUR_S, gpu_hours=0.0, commit="",
            scored_at=time.time(), metrics={"acc1": 0.5},
        )  # fmt: skip


def _submission(name: str, keys: Sequence[str]) -> Iterator[Line]:
    now = time.time()
    yield Line(time=now, act=Act.submitting, submission=name, where=WHERE, items=tuple(keys))
    yield Line(time=now, act=Act.submitted, submission=name, job_id="1")
    yield Line(
        time=now,
        act=Act.ended,
        submission=name,
        outcomes=(Outcome.done.value,) * len(keys),
        reasons=("",) * len(keys),
        hours=(Hours(core=1.0, gpu=0.0),) * len(keys),
    )


def _holder() -> Holder:
    return Holder(
        where=WHERE,
        submission="finished",
        index=0,
        job_id="1",
        restart=0,
        host="n1",
        pid=1,
        pid_start=1,
    )
