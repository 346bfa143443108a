"""That a job was asked to stop: by USR1 before its time limit, by TERM, or by Ctrl-C."""

import signal
from types import FrameType


class StopRequest:
    """Remembers the signal that asked; made once in a process, before anything that takes long."""

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
