"""The results table among processes that are killed: `python -m …results.crash FOLDER SECONDS`.

16 writers, 3 compactors and a reader share a table; at random moments one of them is killed and another
takes its place. A writer says what it is about to report, and then that it did. One report in twenty is
made twice: by the same attempt once more, or by a second one, whose other values are the newest. The
reader compares what it finds with what was said before and after it looked. Prints one JSON object.
"""

import json
import multiprocessing
import os
import random
import sys
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow as pa

from evaluation.results import compaction, inbox, manifest, order, store
from tests.commands import PATIENCE_S
from tests.evaluation.results.rows import row

NUM_WRITERS, NUM_COMPACTORS = 16, 3
EVALS = ("classification", "retrieval", "loss")
DOUBLED = 0.05
WRITER_PAUSE_S, COMPACTOR_PAUSE_S, READER_PAUSE_S, KILL_PAUSE_S = 0.2, 0.2, 0.5, 0.1

ENOUGH, LARGE = 5, compaction.FAN**2
"""So many reads, manifests and double reports, and rows in a part, without which nothing is shown."""

Report = tuple[str, int]
"""A checkpoint, and which attempt reports it."""

Evals = Mapping[Report, Counter[str]]
"""How often each eval of a report was found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """How often each report was begun and done, as the writers say."""

    begun: Counter[Report] = field(default_factory=Counter)
    done: Counter[Report] = field(default_factory=Counter)


def main() -> None:
    """Play for a while; look once more, and again when all is compacted; print what happened."""
    import_module("evaluation.results.scan")  # so that no child reads code, which may change meanwhile
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    for name in ("said", "wrong"):
        (folder / name).mkdir(parents=True)
    (folder / "reads").touch()
    kills = _play(folder, time.monotonic() + seconds)
    for act in (_look, _compact_once, _look):
        process = _started(act, folder, 0)
        process.join()
        assert process.exitcode == 0
    found = {
        **_shown(folder),
        "kills": kills,
        "inbox": len(inbox.names(folder / "results")),
        "wrong": [path.read_text() for path in (folder / "wrong").iterdir()],
    }
    print(json.dumps(found))


def _play(folder: Path, deadline: float) -> int:
    """Keep all processes going and kill one after the other; return how many were killed."""
    chance, kills = random.Random(0), 0
    acts = [_look_often, *[_compact] * NUM_COMPACTORS, *[_write] * NUM_WRITERS]
    processes = [_started(act, folder, number) for number, act in enumerate(acts)]
    while not any((folder / "wrong").iterdir()) and not _is_over(folder, deadline):
        time.sleep(2 * KILL_PAUSE_S * chance.random())
        victim = chance.randrange(len(acts))
        _end(processes[victim])
        kills += 1
        processes[victim] = _started(acts[victim], folder, len(acts) + kills)
    for process in processes:
        _end(process)
    return kills


def _is_over(folder: Path, deadline: float) -> bool:
    """Return whether the time is up, and the machine was not too busy for anything to happen in it."""
    late = time.monotonic() - deadline
    return late > PATIENCE_S or (late > 0 and _is_enough(_shown(folder)))


def _is_enough(shown: Mapping[str, int]) -> bool:
    few = min(shown[what] for what in ("doubled", "reads", "manifests"))
    return few >= ENOUGH and shown["largest_part"] >= LARGE


def _shown(folder: Path) -> dict[str, int]:
    """Return how much of what is to be shown has happened so far."""
    done, parts = _said(folder).done, manifest.newest(folder / "results").parts
    numbers = (int(path.stem) for path in (folder / "results/manifests").glob("*.json"))
    return {
        "reports": done.total(),
        "doubled": sum(count > 1 for count in Counter(c for c, _ in done.elements()).values()),
        "reads": (folder / "reads").stat().st_size,
        "manifests": max(numbers, default=0),
        "largest_part": max((part.num_rows for part in parts), default=0),
    }


def _started(act: Callable[[Path, int], None], folder: Path, number: int) -> BaseProcess:
    # Forked: Arrow is imported once, and has no threads here, as only the children use it.
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=act, args=(folder, number), daemon=True)
    process.start()
    return process


def _end(process: BaseProcess) -> None:
    assert process.exitcode is None, f"it ended by itself: {process.exitcode}"
    process.kill()
    process.join()


def _write(folder: Path, number: int) -> None:
    chance = random.Random(number)
    with (folder / "said" / f"{number}").open("a", buffering=1) as said:
        for count in range(10**9):
            checkpoint = f"{number}-{count}"
            _report(folder, said.write, (checkpoint, 1))
            if chance.random() < DOUBLED:
                _report(folder, said.write, (checkpoint, chance.choice([1, 2])))
            time.sleep(2 * WRITER_PAUSE_S * chance.random())


def _report(folder: Path, say: Callable[[str], object], report: Report) -> None:
    checkpoint, attempt = report
    say(f"begun {checkpoint} {attempt}\n")
    rows = [
        row(
            checkpoint=checkpoint,
            eval=name,
            scored_at=float(attempt),
            metrics={"acc1": _value(name, *report)},
        )
        for name in EVALS
    ]
    inbox.append(folder / "results", f"{checkpoint}.{attempt}", rows)
    say(f"done {checkpoint} {attempt}\n")


def _value(name: str, checkpoint: str, attempt: float) -> float:
    return zlib.crc32(f"{name} {checkpoint} {attempt:g}".encode()) / 2**32


def _compact(folder: Path, _: int) -> None:
    while True:
        compaction.compact(folder / "results")
        time.sleep(COMPACTOR_PAUSE_S)


def _compact_once(folder: Path, _: int) -> None:
    compaction.compact(folder / "results")


def _look_often(folder: Path, number: int) -> None:
    while True:
        _look(folder, number)
        time.sleep(READER_PAUSE_S)


def _look(folder: Path, number: int) -> None:
    if complaints := list(_complaints(folder)):
        (folder / "wrong" / f"{number}").write_text("; ".join(complaints[:5]))
    with (folder / "reads").open("a") as reads:
        reads.write(".")


def _complaints(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the table, if anything is."""
    before = _said(folder)
    keys = store.read_keys(folder / "results")
    table = store.read_table(folder / "results")
    after = _said(folder)
    evals = defaultdict[Report, Counter[str]](Counter)
    for checkpoint, name, attempt, value in _rows(table):
        evals[checkpoint, int(attempt)][name] += 1
        if value != _value(name, checkpoint, attempt):
            yield f"wrong: {name} of {checkpoint} is {value}"
    yield from _miscounted(evals, before, after)
    yield from _not_newest(table, evals)
    wanted = {(checkpoint, name, "shapes", 1) for checkpoint, _ in before.done for name in EVALS}
    yield from (f"lost: the key {key}" for key in wanted if key not in keys)


def _miscounted(evals: Evals, before: Said, after: Said) -> Iterator[str]:
    for report in before.done.keys() - evals.keys():
        yield f"lost: {report}"
    for report, counts in evals.items():
        if set(counts) != set(EVALS):
            yield f"partial: {report} has {dict(counts)}"
        if max(counts.values()) > after.begun[report]:
            yield f"double: {report}, begun {after.begun[report]} times, has {dict(counts)}"


def _not_newest(table: pa.Table, evals: Evals) -> Iterator[str]:
    newest = list(_rows(table.take(order.newest(table))))
    if len(newest) != len({(checkpoint, name) for checkpoint, name, *_ in newest}):
        yield "double: a key stands twice among the newest"
    for checkpoint, name, attempt, _ in newest:
        if attempt == 1 and (checkpoint, 2) in evals:
            yield f"wrong: {name} of {checkpoint} is not the newest"


def _rows(table: pa.Table) -> Iterator[tuple[str, str, float, float]]:
    columns = ("checkpoint", "eval", "scored_at", "acc1") if table.num_rows else ()
    yield from zip(*(table.column(name).to_pylist() for name in columns), strict=True)


def _said(folder: Path) -> Said:
    said = Said()
    for name in os.listdir(folder / "said"):
        for line in (folder / "said" / name).read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                verb, checkpoint, attempt = line.split()
                (said.begun if verb == "begun" else said.done)[checkpoint, int(attempt)] += 1
    return said


if __name__ == "__main__":
    main()
