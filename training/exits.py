"""What a rank's exit says to its supervisor. The marker says "done"; a code never does.

Of several ranks under srun the supervisor sees one code, and not always the one that tells why. So a
rank that gives up leaves a verdict in a file: one file a code, the first rank that writes it speaks
for the others. A rank that lost its peers leaves one too, but it saw a symptom only: the verdict that
says most is the one that counts.
"""

import logging
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from sweeps import durable

log = logging.getLogger(__name__)


class RankExit(IntEnum):
    """Exit codes of a rank, out of the way of Python's own and of 128 + signal."""

    finished = 0
    no_room = 79
    stopped = 80
    superseded = 81
    bad_data = 82
    not_finite = 83
    user_error = 84
    out_of_memory = 85
    device_failure = 86
    communication = 87
    port_taken = 88
    lost_state = 89


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Why a rank gave up, on which host, in one line."""

    code: RankExit
    host: str
    reason: str


TELLING = (
    RankExit.superseded,
    RankExit.bad_data,
    RankExit.not_finite,
    RankExit.user_error,
    RankExit.lost_state,
    RankExit.no_room,
    RankExit.out_of_memory,
    RankExit.device_failure,
    RankExit.port_taken,
    RankExit.communication,
)
"""From what says most about the cause of a failure to what says least."""


def leave_verdict(path: Path, verdict: Verdict) -> None:
    """Say why this rank gives up, unless another one said the same, or no file can be written."""
    try:
        durable.publish(_file(path, verdict.code), durable.encode(verdict))
    except OSError as error:
        log.warning("only the exit code says why this rank gives up: %s", error)


def read_verdict(path: Path) -> Verdict | None:
    """Return the verdict that says most of those that ranks left, or None if none left one."""
    for code in TELLING:
        if verdict := durable.read(_file(path, code), Verdict):
            return verdict
    return None


def forget_verdicts(path: Path) -> None:
    """Delete all verdicts."""
    for code in TELLING:
        _file(path, code).unlink(missing_ok=True)


def _file(path: Path, code: RankExit) -> Path:
    return path.with_name(f"{path.name}.{int(code)}")
