"""That a job was asked to stop: by USR1 before its time limit, by TERM, or by Ctrl-C."""

import signal
from types import FrameType

from sweeps.work.outcome import Outcome

STOP_SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Remembers the signal that asked; made once in a process, before anything that takes long."""

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in STOP_SIGNALS:
            signal.signal(number, self._note)
        # Who starts this process may have them wait until it listens.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    @property
    def outcome(self) -> Outcome:
        """How an attempt ends that is stopped by this request, as far as the signal tells."""
        return Outcome.time_limit if self.signal == signal.SIGUSR1 else Outcome.stopped

    @property
    def leaves_time(self) -> bool:
        """Whether nobody asked, or did so that long before the end that more can be done."""
        return self.signal in (None, signal.SIGUSR1)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
