"""Progress of long work on data: a bar on a terminal, a line now and then elsewhere."""

import sys
import time

BAR = 30
REDRAW_S, LINE_S = 0.1, 30.0


class Bar:
    """Shows how many `units` of how many are done, and how long the rest takes at this rate."""

    def __init__(self, what: str, units: str = "shards") -> None:
        self._what, self._units, self._stream = what, units, sys.stderr
        self._is_terminal = self._stream.isatty()
        self._began = self._shown = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show it, unless that was done a moment ago."""
        now = time.monotonic()
        if self._first is None:
            self._first = done - 1
        if done < total and now - self._shown < (REDRAW_S if self._is_terminal else LINE_S):
            return
        self._shown = now
        left_s = (now - self._began) / (done - self._first) * (total - done)
        text = f"{self._what} {done:,} of {total:,} {self._units}, {left_s / 60:.0f} min left"
        if not self._is_terminal:
            print(text, file=self._stream, flush=True)
            return
        filled = "█" * (BAR * done // total)
        end = "\n" if done == total else ""
        print(f"\r\033[K{filled:░<{BAR}} {text}", end=end, file=self._stream, flush=True)
