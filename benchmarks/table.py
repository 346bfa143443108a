"""The results table at the size of a study: `python -m benchmarks.table`. Prints one JSON object.

73,768 checkpoints with 38 scores each are 2.8 million rows. 16 writers put those of the first 20,000
checkpoints into the inbox, a file each; a compactor makes parts of them while one writer goes on; the
others are made parts of directly. Then what people and the launcher ask is asked, each by a process of
its own, with its peak memory: `wall_s` is the time of the call, after all imports, and what limits are
for; `process_s` is that of the process, from Python's start to its end. For comparison pandas reads the
same rows from a single Parquet file. `bars` says which limits are met. The table lies in TMPDIR, which
should be on a disk.
"""

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.asked import DATASETS, MODELS, WHERE
from benchmarks.bars import Bar
from evaluation import results
from evaluation.results import compaction, inbox, manifest
from evaluation.results.manifest import Manifest, Part
from evaluation.results.rows import Row
from sweeps.folders import CHECKOUT, Root

NUM_CHECKPOINTS, NUM_REPORTED, NUM_WRITERS = 73_768, 20_000, 16
NUM_ALONE = 300
NEVER_BEFORE = 1_000_000
"""From this number on, checkpoints that are reported beside a compaction."""

PER_RUN, PER_PART = 8, 1000
FILTERED = [what for what in WHERE if what != "all"]
QUESTIONS = (*WHERE, "scored_pairs", "pandas_one_file")
DATA = ["DataComp-1.4B", "Re-LAION-1.4B", "DFN-1.4B"]
SAMPLES = [int(scale * 10**power) for power in (6, 7, 8, 9) for scale in (1.28, 3.0, 6.4)]


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=int, default=NUM_CHECKPOINTS)
    parser.add_argument("--reported", type=int, default=NUM_REPORTED)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name:
        root = Root(Path(name) / "root")
        appends = _appends(root.results, given.reported)
        compacted = _compaction(root.results)
        filled = _fill(root.results, range(given.reported, given.checkpoints))
        results.load(root.path).to_parquet(root.path / "table.parquet")
        asked = {what: _median(what, root.path, given.repeat) for what in QUESTIONS}
        files = [path for path in root.results.rglob("*") if path.is_file()]
        size = {"files": len(files), "mb": round(sum(path.stat().st_size for path in files) / 1e6, 1)}
    print(
        json.dumps(
            {
                "machine": {"cores": os.cpu_count(), "load": [load_before, os.getloadavg()[0]]},
                "versions": {n: version(n) for n in ("pyarrow", "pandas", "msgspec")},
                "rows": given.checkpoints * len(DATASETS),
                "appends": appends,
                "compaction": compacted,
                "filled": filled,
                "size": size,
                "asked": asked,
                "bars": [bar.shown() for bar in bars(appends, compacted, size, asked)],
            }
        )
    )


def bars(
    appends: dict[str, Any], compacted: dict[str, Any], size: dict[str, Any], asked: dict[str, Any]
) -> list[Bar]:
    """Return the limits that are promised."""
    return [
        Bar(name="append, 16 writers, ms for each of all", value=appends["ms_for_each"], limit=2),
        Bar(
            name="append beside a compaction, median, times that of one alone",
            value=compacted["append_ms"]["median"] / compacted["append_alone_ms"]["median"],
            limit=3,
        ),
        Bar(name="files", value=size["files"], limit=300),
        Bar(name="size, MB", value=size["mb"], limit=100),
        Bar(name="whole load, s", value=asked["all"]["wall_s"], limit=2),
        *(Bar(name=f"load of {w}, s", value=asked[w]["wall_s"], limit=0.5) for w in FILTERED),
        Bar(name="what is scored, s", value=asked["scored_pairs"]["wall_s"], limit=0.25),
    ]


def _rows(number: int) -> list[Row]:
    """Return all rows of one checkpoint of the study."""
    chance, run = random.Random(number), number // PER_RUN
    model, data = MODELS[run % len(MODELS)], DATA[run % len(DATA)]
    end = SAMPLES[run % len(SAMPLES)]
    samples, gflops = end * (number % PER_RUN + 1) // PER_RUN, 14.8 * (1 + run % len(MODELS))
    segment = f"{model}_{data}_{end}-{random.Random(run).getrandbits(48):012x}"
    first = Row(
        checkpoint=f"{segment}@{samples}", segment=segment, eval="", eval_version=1,
        downstream_dataset="", model=model, pretrain_dataset=data, samples_seen=samples,
        samples_trained=samples + number % 4096, steps=samples // 4096 + 1, global_batch_size=4096,
        lr=1e-3 / (1 + run % 5), warmup=2000, lr_scheduler="cosine", seed=run % 3, precision="bf16",
        gflops_per_sample=gflops, gflops_total=gflops * samples, num_params=int(1e7 * gflops),
        train_s=samples / chance.uniform(1e3, 2e3), gpu_hours=samples / chance.uniform(1e6, 2e6),
        commit="0123456789abcdef0123456789abcdef01234567", scored_at=1.7e9 + chance.uniform(0, 1e7),
        metrics={},
    )  # fmt: skip
    return [
        replace(first, eval=_eval_of(n), downstream_dataset=name, metrics=dict(_metrics(n, chance)),
                scored_at=first.scored_at + n)
        for n, name in enumerate(DATASETS)
    ]  # fmt: skip


def _eval_of(dataset: int) -> str:
    return "zeroshot_classification" if dataset < 35 else "retrieval" if dataset < 37 else "winogavil"


def _metrics(dataset: int, chance: random.Random) -> Iterator[tuple[str, float]]:
    """Yield metrics as hits among test images, and means over classes."""
    num_images = 1000 * (dataset + 1)
    match _eval_of(dataset):
        case "zeroshot_classification":
            yield from ((name, chance.randrange(num_images) / num_images) for name in ("acc1", "acc5"))
            yield "mean_per_class_recall", chance.random()
        case "retrieval":
            for kind in ("image", "text"):
                for k in (1, 5, 10):
                    yield f"{kind}_retrieval_recall@{k}", chance.randrange(num_images) / num_images
        case _:
            yield "jaccard_score", chance.random()


def _appends(table: Path, num_reports: int) -> dict[str, float]:
    """Let 16 writers report at once, each on its share of the checkpoints."""
    writers = [
        multiprocessing.Process(target=_write, args=(table, range(number, num_reports, NUM_WRITERS)))
        for number in range(NUM_WRITERS)
    ]
    began = time.perf_counter()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    taken = time.perf_counter() - began
    return {
        "reports": num_reports,
        "rows": num_reports * len(DATASETS),
        "per_s": round(num_reports / taken, 1),
        "ms_for_each": round(1e3 * taken / num_reports, 3),
    }


def _write(table: Path, numbers: range) -> None:
    for number in numbers:
        _append(table, number)


def _append(table: Path, number: int) -> float:
    """Report on a checkpoint; return the milliseconds that the writer waited."""
    rows = _rows(number)
    began = time.perf_counter()
    inbox.append(table, rows[0].checkpoint, rows)
    return 1e3 * (time.perf_counter() - began)


def _compaction(table: Path) -> dict[str, Any]:
    """Compact what was reported while one writer goes on."""
    alone = [_append(table, NEVER_BEFORE + number) for number in range(NUM_ALONE)]
    beside: list[float] = []
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        compactor = subprocess.Popen(
            _command("compact", table.parent, report.name), cwd=CHECKOUT, stdout=subprocess.PIPE
        )
        while compactor.poll() is None:
            beside.append(_append(table, NEVER_BEFORE + NUM_ALONE + len(beside)))
            time.sleep(0.01)
        found = _found(compactor, report.name)
    return {
        **found,
        "files_per_s": round(found["size"] / found["wall_s"], 1),
        "append_alone_ms": _spread(alone),
        "append_ms": _spread(beside),
    }


def _fill(table: Path, numbers: range) -> dict[str, float]:
    """Make parts of the other checkpoints, as compactors do; then compact all."""
    began = time.perf_counter()
    shares = [numbers[first : first + PER_PART] for first in range(0, len(numbers), PER_PART)]
    with multiprocessing.Pool() as processes:
        for part in processes.imap(partial(_part, table), shares):
            manifest.publish(table, _with_part(part))
    filled = time.perf_counter() - began
    compaction.compact(table)
    return {"parts_s": round(filled, 1), "merges_s": round(time.perf_counter() - began - filled, 1)}


def _part(table: Path, numbers: range) -> Part:
    return compaction.part_of(table, [row for number in numbers for row in _rows(number)])


def _with_part(part: Part) -> Callable[[Manifest], Manifest]:
    return lambda known: replace(known, parts=(*known.parts, part))


def _median(what: str, root: Path, repeat: int) -> dict[str, Any]:
    """Ask some times; return the answer of median time."""
    return sorted((_asked(what, root) for _ in range(repeat)), key=lambda a: a["wall_s"])[repeat // 2]


def _asked(what: str, root: Path) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        began, command = time.perf_counter(), _command(what, root, report.name)
        process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE)
        found = _found(process, report.name)
        return {**found, "process_s": round(time.perf_counter() - began, 3)}


def _command(what: str, root: Path, report: str) -> list[str]:
    watched = [sys.executable, "-m", "benchmarks.watched", report]
    return [*watched, "-m", "benchmarks.asked", what, str(root)]


def _found(process: "subprocess.Popen[bytes]", report: str) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args!r} failed")
    memory = json.loads(Path(report).read_text())["memory_kib"] // 1024
    return {**json.loads(output), "memory_mib": memory}


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "count": len(values),
        "median": round(statistics.median(values), 2),
        "p99": round(statistics.quantiles(values, n=100)[-1], 2),
        "most": round(max(values), 2),
    }


if __name__ == "__main__":
    main()
