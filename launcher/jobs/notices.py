"""What srun and Slurm's step daemons say in the log of a step about how it ended."""

import re
from dataclasses import dataclass

from sweeps.work.outcome import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One line by Slurm: what it means, the words, and the node it names (empty: none)."""

    outcome: Outcome
    text: str
    node: str = ""


SAYINGS = (
    (re.compile(r"srun: error: Node failure on (?P<node>\S+)"), Outcome.node_failure),
    (re.compile(r"slurmstepd(-\S+)?: error: .* DUE TO NODE FAILURE"), Outcome.node_failure),
    (re.compile(r"slurmstepd(-\S+)?: error: .* DUE TO TIME LIMIT"), Outcome.time_limit),
    (re.compile(r"slurmstepd(-\S+)?: error: .* DUE TO (PREEMPTION|JOB REQUEUE)"), Outcome.preempted),
    (re.compile(r"slurmstepd(-\S+)?: error: .*\boom[-_ ]kill", re.IGNORECASE), Outcome.out_of_memory),
    (re.compile(r"srun: error: (?P<node>\S+): tasks? .*: Out Of Memory"), Outcome.out_of_memory),
    (
        re.compile(r"slurmstepd(-\S+)?: error: .*exceeded .*memory limit", re.IGNORECASE),
        Outcome.out_of_memory,
    ),
)
"""Only Slurm begins a line so; what a rank prints is not asked."""

TASK_ENDED = re.compile(r"srun: error: (?P<node>\S+): tasks? [\d,-]+: (?P<how>.*)")
RANK = (Outcome.node_failure, Outcome.out_of_memory, Outcome.time_limit, Outcome.preempted)


def notice_in(log: str) -> Notice | None:
    """Return what Slurm said in a log that tells most, or None if it said nothing of the kind.

    A task that was killed is a lost rank only if it is the first that srun names: it kills the others
    itself when one has failed.
    """
    found = list(filter(None, map(_notice, log.splitlines())))
    for outcome in RANK:
        for notice in found:
            if notice.outcome is outcome:
                return notice
    return _lost_rank(log)


def _notice(line: str) -> Notice | None:
    for pattern, outcome in SAYINGS:
        if match := pattern.match(line):
            node = match.groupdict().get("node", "").rstrip(".,:")
            return Notice(outcome=outcome, text=line, node=node)
    return None


def _lost_rank(log: str) -> Notice | None:
    ended = (match for line in log.splitlines() if (match := TASK_ENDED.match(line)))
    first = next(ended, None)
    if first is None or first["how"] != "Killed":
        return None
    return Notice(outcome=Outcome.communication, text=first[0], node=first["node"])
