"""The same numbers on wandb: a projection of the metrics files, which stay the record.

wandb is left to a process of its own (`dashboard_process`), fed through a pipe that is never waited
for: what does not fit is dropped. So whatever becomes of wandb, its service or its server, a training
loses a line in its log and nothing else.
"""

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from conf.schema import WandbConfig, WandbMode
from sweeps import durable
from sweeps.folders import CHECKOUT
from training.orders import TrainOrder
from training.telemetry.metrics import Moment

log = logging.getLogger(__name__)

FINISH_S = 15.0
"""wandb may take so long to end, after all that matters is on disk."""

WORDS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What a wandb run is: one for each segment, the same in all attempts. `folder`: for its files."""

    id: str
    group: str
    settings: WandbConfig
    folder: Path
    config: dict[str, Any]


class Dashboard:
    """Feeds the wandb run of a segment."""

    def __init__(self, opening: Opening) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "training.telemetry.dashboard_process"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._lines, self._words = process, process.stdin, process.stdout
        self._is_on = True
        for stream in (self._lines, self._words):
            os.set_blocking(stream.fileno(), False)
        self._feed(durable.encode(opening))

    def write(self, moment: Moment) -> None:
        """Show a moment, or drop it."""
        self._feed(msgspec.json.encode(moment) + b"\n")

    def close(self) -> None:
        """Let wandb end, for a while."""
        self._lines.close()
        try:
            if self._process.wait(FINISH_S) and self._is_on:
                self._give_up(self._last_words())
        except subprocess.TimeoutExpired:
            self._give_up(f"it did not end in {FINISH_S:g} s")
        self._words.close()

    def _feed(self, line: bytes) -> None:
        if not self._is_on:
            return
        try:
            # A line is shorter than PIPE_BUF, or the pipe's first: it is taken whole or not at all.
            os.write(self._lines.fileno(), line)
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._give_up(self._last_words())

    def _give_up(self, reason: str) -> None:
        log.warning("nothing more is shown on wandb: %s", reason)
        self._is_on = False
        self._process.kill()
        self._process.wait()

    def _last_words(self) -> str:
        try:
            words = os.read(self._words.fileno(), WORDS).decode(errors="replace").strip()
        except BlockingIOError:
            words = ""
        return words or "its process ended"


def dashboard_of(order: TrainOrder) -> Dashboard | None:
    """Return what feeds the wandb run of an order's segment, or None where wandb is not wanted."""
    item, root = order.item, order.folder.parent.parent
    if item.wandb.mode is WandbMode.disabled:
        return None
    return Dashboard(
        Opening(
            id=item.key,
            group=item.sweep,
            settings=item.wandb,
            folder=Path(os.environ.get("WANDB_DIR", root)),
            config=msgspec.to_builtins(item.segment),
        )
    )
