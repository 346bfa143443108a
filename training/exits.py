"""What a rank's exit code says to its supervisor. The marker says "done"; a code never does."""

from enum import IntEnum


class RankExit(IntEnum):
    """Exit codes of a rank, out of the way of Python's own and of 128 + signal."""

    finished = 0
    stopped = 80
    superseded = 81
    bad_data = 82
    not_finite = 83
