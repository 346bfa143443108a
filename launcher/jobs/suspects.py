"""Which nodes an attempt that failed is to be blamed on, and their quarantine."""

import logging
import time
from dataclasses import replace

from conf.schema import ClusterKind
from launcher.jobs.ending import Ending
from launcher.machines.nodes import failing_nodes
from launcher.records import quarantine
from launcher.records.quarantine import Entry
from launcher.records.submission import Submission
from sweeps.errors import QueueUnknown
from sweeps.folders import Root
from sweeps.work.lease import Attempt
from sweeps.work.outcome import Outcome

log = logging.getLogger(__name__)

HOUR_S = 3600.0
BY_NODES = {
    Outcome.preempted, Outcome.node_failure, Outcome.communication, Outcome.crashed, Outcome.stalled,
}  # fmt: skip
"""Outcomes behind which a failing node may be."""


def blame_nodes(ending: Ending, given: Submission, key: str, nodes: str) -> Ending:
    """Put the nodes that failed into quarantine; return the ending, which may be blamed on them.

    Args:
        ending: as the processes and their logs tell.
        given: the submission, on whose behalf nodes are put there.
        key: of the work item.
        nodes: of the job, as Slurm writes them.
    """
    if given.cluster.kind is not ClusterKind.slurm or ending.outcome not in BY_NODES:
        return ending
    if failed := _failing(given, nodes):
        words = f"{', '.join(failed)} failed, as Slurm says; {ending.reason}"
        ending = Ending(outcome=Outcome.node_failure, reason=words, node=ending.node)
    elif ending.node:
        failed = (ending.node,)
    for node in failed:
        _put(ending, given, key, node)
    return ending


def closed(attempt: Attempt, given: Submission, key: str, own: tuple[str, int]) -> Attempt:
    """Return an attempt whose process vanished, with what can be said of its end.

    Args:
        attempt: it was left open. It may have the outcome and reason that the scheduler tells.
        given: the submission of whoever follows it.
        key: of the work item.
        own: job id and restart of the follower.
    """
    holder = attempt.holder
    ending = Ending(
        outcome=attempt.outcome or Outcome.vanished, reason=attempt.reason or "its process vanished"
    )
    if holder.job_id == own[0] and holder.restart < own[1]:
        reason = "the scheduler put its job back into the queue"
        ending = Ending(outcome=Outcome.preempted, reason=reason)
    if holder.where == given.where and holder.nodes:
        asked = replace(ending, outcome=Outcome.preempted)
        blamed = blame_nodes(asked, given, key, holder.nodes)
        ending = blamed if blamed.outcome is Outcome.node_failure else ending
    return replace(attempt, outcome=ending.outcome, reason=ending.reason)


def _failing(given: Submission, nodes: str) -> tuple[str, ...]:
    try:
        return failing_nodes(nodes, given.policy.client_timeout_s)
    except QueueUnknown as error:
        log.warning("it is unknown whether a node failed: %s", error)
        return ()


def _put(ending: Ending, given: Submission, key: str, node: str) -> None:
    now = time.time()
    entry = Entry(
        where=given.where,
        node=node,
        reason=ending.reason.splitlines()[0],
        items=(key,),
        is_certain=ending.outcome is Outcome.node_failure,
        since=now,
        until=now + given.policy.quarantine_h * HOUR_S,
    )
    quarantine.put(Root(given.root).quarantine, entry)
    log.warning("%s is suspected: %s", node, entry.reason)
