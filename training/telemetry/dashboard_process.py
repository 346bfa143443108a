"""The process that talks to wandb, fed by `training.telemetry.dashboard`.

Reads lines of JSON from standard input, an `Opening` first, and moments after it, until it ends. Any
error ends this process, which then says in one line why.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any

import msgspec

from sweeps import durable
from training.telemetry.dashboard import Opening

ORPHAN_S = 60.0
"""So long it may take to end once training is gone."""

INIT_S = 60
FLUSH_S = 2.0
"""wandb's default of 15 s loses as much when a job is killed."""

NICENESS = 10


def main() -> None:
    """Show what standard input says."""
    sys.excepthook = partial(_say_why, os.dup(sys.stdout.fileno()))
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.nice(NICENESS)
    threading.Thread(target=_leave_after, args=(os.getppid(),), daemon=True).start()
    lines = sys.stdin.buffer
    run = _opened(durable.decode(lines.readline(), Opening))
    for line in lines:
        run.log(flattened(msgspec.json.decode(line)))
    run.finish()


def flattened(moment: Mapping[str, Any]) -> dict[str, float]:
    """Return a moment's numbers by name, those of a group as `group/name`."""
    found: dict[str, float] = {}
    for name, value in moment.items():
        if isinstance(value, Mapping):
            found |= {f"{name}/{key}": number for key, number in flattened(value).items()}
        elif value is not None:
            found[name] = value
    return found


def _opened(opening: Opening) -> Any:
    """Return the wandb run. Its own step means nothing: a rewound training would go back in it.

    Raises:
        OSError: its folder cannot be written; wandb itself would silently take another one.
    """
    opening.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=opening.folder):
        pass
    import wandb

    run = wandb.init(
        id=opening.id,
        name=opening.id,
        group=opening.group,
        job_type="train",
        resume="allow",
        mode=opening.settings.mode.value,
        project=opening.settings.project,
        entity=opening.settings.entity,
        dir=str(opening.folder),
        config=opening.config,
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            init_timeout=INIT_S,
            x_transaction_log_flush_interval=FLUSH_S,
        ),
    )
    run.define_metric("*", step_metric="samples_seen")
    return run


def _say_why(
    said_to: int, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    del trace
    lines = str(error).strip().splitlines() or [""]
    hint = "; pip install 'isogrid[wandb]'" if isinstance(error, ImportError) else ""
    os.write(said_to, f"{kind.__name__}: {lines[0]}{hint}".encode())


def _leave_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    time.sleep(ORPHAN_S)
    os._exit(1)


if __name__ == "__main__":
    main()
