"""The progress of a training on a terminal: one line, written over again and again."""

from typing import TextIO

from training.telemetry.metrics import Moment

CLEAR = "\r\x1b[K"
BAR = 24
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class TerminalLine:
    """Shows how far training is, up to `end` samples."""

    def __init__(self, stream: TextIO, end: int) -> None:
        self._stream, self._end = stream, end

    def write(self, moment: Moment) -> None:
        """Show a moment in place of the one before."""
        self._stream.write(CLEAR + progress_line(moment, self._end))
        self._stream.flush()

    def close(self) -> None:
        """Leave the last line where it stands."""
        self._stream.write("\n")
        self._stream.flush()


def progress_line(moment: Moment, end: int) -> str:
    """Return what is shown of a moment."""
    share = min(1.0, moment.samples_seen / end)
    bar = "━" * round(BAR * share)
    losses = "  ".join(f"{name} {value:.3f}" for name, value in moment.losses.items())
    left_s = (end - moment.samples_seen) / moment.samples_per_s if moment.samples_per_s else None
    return (
        f"{share:4.0%} {bar:<{BAR}} {moment.samples_seen:,}/{end:,}  "
        f"{moment.samples_per_s:,.0f} samples/s  {losses}  {_left(left_s)}"
    )


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds >= DAY_S:
        return f"{seconds / DAY_S:.1f} d left"
    if seconds >= HOUR_S:
        return f"{seconds / HOUR_S:.1f} h left"
    whole = round(seconds)
    return f"{whole // MINUTE_S}:{whole % MINUTE_S:02d} left"
