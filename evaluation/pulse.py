"""What a scoring process does all the time: it shows life, and looks whether it is to leave."""

import time
from pathlib import Path

from sweeps.errors import StopAsked

ALIVE_S = 60.0
LOOK_S = 1.0


class Pulse:
    """Is called between batches and steps, however short these are.

    Args:
        progress: file of a line for whatever is through; one that does not grow is taken for a hang.
        stop_file: who sees it leaves.
    """

    def __init__(self, progress: Path, stop_file: Path) -> None:
        self._progress, self._stop_file = progress, stop_file
        self._noted_at = self._looked_at = time.monotonic()

    def __call__(self) -> None:
        """Show life, and see whether there is a stop file, both now and then.

        Raises:
            StopAsked: there is one.
        """
        if time.monotonic() - self._looked_at > LOOK_S:
            self.look()
            self.show_life()

    def look(self) -> None:
        """See whether there is a stop file.

        Raises:
            StopAsked: there is one.
        """
        self._looked_at = time.monotonic()
        if self._stop_file.exists():
            raise StopAsked("asked to leave")

    def show_life(self) -> None:
        """Append a line if the last one was long ago."""
        if time.monotonic() - self._noted_at > ALIVE_S:
            self.note("at work")

    def note(self, what: str) -> None:
        """Append a line."""
        with self._progress.open("a") as file:
            file.write(f"{what}\n")
        self._noted_at = time.monotonic()
