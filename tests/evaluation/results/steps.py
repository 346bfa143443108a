"""The results table where one is stopped at any step: `python -m …results.steps FOLDER`.

A step is a call that changes files of the table, or looks at them, as Python's audit hooks tell. A
compactor is killed before its first change, another before its second, and so on; then readers wait
before a look while others report and compact. Each time every row has to be found once, and the next
compactor has to finish what is left. Prints how many steps there were, as JSON.
"""

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from evaluation.results import compaction, inbox, store
from tests.commands import PATIENCE_S
from tests.evaluation.results.rows import row

CHANGES = {"os.link", "os.rename", "os.remove"}
LOOKS = {"open", "os.listdir", "os.scandir"}
LATE = ("late-1", "late-2")

FORK = multiprocessing.get_context("fork")
"""Arrow is imported once, and has no threads here, as only the children use it."""

Act = Callable[[Path], None]


def main() -> None:
    """Stop each at every step."""
    import_module("evaluation.results.frames")
    folder = Path(sys.argv[1])
    few, many = folder / "few", folder / "many"
    _done(_prepare, few, 2)
    _done(_prepare, many, compaction.FAN - 1)
    found = {
        "killed": _each_step(_killed, many),
        "overtaken": _each_step(_overtaken, few),
    }
    print(json.dumps(found))


def _prepare(table: Path, num_parts: int) -> None:
    """Make parts of a row each, and reports that lie in the inbox."""
    names = [*(f"part-{number}" for number in range(num_parts)), "lying-1", "lying-2"]
    for number, name in enumerate(names):
        _report(table, name)
        if number < num_parts:
            compaction.compact(table)
    (table / "names").write_text(" ".join(names))


def _report(table: Path, name: str) -> None:
    inbox.append(table, name, [row(checkpoint=name)])


def _each_step(stopped: Callable[[int, Path], bool], prepared: Path) -> int:
    """Stop someone at each of his steps, on a copy of a table; return how many these are."""
    for step in itertools.count(1):
        table = Path(shutil.copytree(prepared, prepared.parent / "table"))
        was_stopped = stopped(step, table)
        _done(_finish, table)
        shutil.rmtree(table)
        if not was_stopped:
            return step - 1
    raise AssertionError


def _killed(step: int, table: Path) -> bool:
    """Kill a compactor before a change; return False if it makes fewer."""
    process = FORK.Process(target=_act, args=(compaction.compact, table, CHANGES, step, _die))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _overtaken(step: int, table: Path) -> bool:
    """Let a reader wait before a look while others go on; return False if it takes fewer."""
    reached, passed = FORK.Event(), FORK.Event()
    others = FORK.Process(target=_go_on, args=(table, reached, passed))
    others.start()

    def wait() -> None:
        reached.set()
        assert passed.wait(PATIENCE_S)

    _done(_act, _look, table, LOOKS, step, wait)
    was_reached = reached.is_set()
    others.kill()
    others.join()
    return was_reached


def _go_on(table: Path, reached: Event, passed: Event) -> None:
    """Report and compact until no manifest names what was there before."""
    reached.wait()
    for name in LATE:
        _report(table, name)
        compaction.compact(table)
    passed.set()


def _act(act: Act, table: Path, kinds: set[str], step: int, stop: Callable[[], None]) -> None:
    steps = itertools.count(1)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in kinds and str(arguments[0]).startswith(str(table)) and next(steps) == step:
            stop()

    sys.addaudithook(hook)
    act(table)


def _finish(table: Path) -> None:
    _look(table)
    compaction.compact(table)
    assert inbox.names(table) == []
    _look(table)


def _look(table: Path) -> None:
    """Check that each row is there once."""
    names = set((table / "names").read_text().split())
    rows = store.read_table(table).column("checkpoint").to_pylist()
    for found in (Counter(rows), Counter(key[0] for key in store.read_keys(table))):
        assert names <= set(found) <= names.union(LATE), found
        assert max(found.values()) == 1, found


def _done(act: Callable[..., object], *arguments: object) -> None:
    process = FORK.Process(target=act, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{act.__name__} failed")


if __name__ == "__main__":
    main()
