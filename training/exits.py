"""What a rank's exit says to its supervisor. The marker says "done"; a code never does.

Of several ranks under srun the supervisor sees one code, and not always the one that tells why. So the
first rank that gives up for a reason also leaves it in a file.
"""

from enum import IntEnum
from pathlib import Path

from sweeps import durable


class RankExit(IntEnum):
    """Exit codes of a rank, out of the way of Python's own and of 128 + signal."""

    finished = 0
    stopped = 80
    superseded = 81
    bad_data = 82
    not_finite = 83


def leave_verdict(path: Path, code: RankExit) -> None:
    """Say why this rank gives up, unless another one said it before."""
    durable.publish(path, durable.encode(int(code)))


def read_verdict(path: Path) -> RankExit | None:
    """Return why a rank of the attempt gave up, or None if none said so."""
    code = durable.read(path, int)
    return None if code is None else RankExit(code)
