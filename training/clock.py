"""When a training process saves and when it stops."""

import time
from enum import IntEnum
from pathlib import Path

STOP_POLL_S = 0.5
"""The stop file is looked for so often: a shared file system feels every look."""


class Wish(IntEnum):
    """What the first rank wants after a step; all ranks follow it."""

    go_on = 0
    save = 1
    stop = 2


class Clock:
    """Watches the time since the last save, and for a stop file."""

    def __init__(self, stop_file: Path, save_every_s: float) -> None:
        self._stop_file, self._save_every_s = stop_file, save_every_s
        self._saved_at = self._polled_at = self._lap_at = time.monotonic()
        self._asked = False

    def wish(self) -> Wish:
        """Return what is due now."""
        now = time.monotonic()
        if now - self._polled_at >= STOP_POLL_S:
            self._polled_at = now
            self._asked = self._stop_file.exists()
        if self._asked:
            return Wish.stop
        return Wish.save if now - self._saved_at >= self._save_every_s else Wish.go_on

    def saved(self) -> None:
        """Note that a state was written."""
        self._saved_at = time.monotonic()

    def lap_s(self) -> float:
        """Return the seconds since this was last asked."""
        now = time.monotonic()
        lap, self._lap_at = now - self._lap_at, now
        return lap
