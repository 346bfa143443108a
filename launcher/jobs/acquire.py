"""How a supervisor comes to hold the lease of its work item, or finds that it must leave.

A lease that ended may be followed at once. One that did not may be taken over only if its holder is
known to be gone: its process on this host is; or the queue was asked and does not list it, or it is an
earlier start of this very job, *and* the lease stays unchanged for `stale_s` on this waiter's own
clock. A holder that is alive, or that cannot be asked about, means: leave.
"""

import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from conf.schema import ClusterKind, PolicyConfig
from launcher.machines.slurm_client import ask_queue
from sweeps.errors import QueueUnknown
from sweeps.host import is_alive, this_host
from sweeps.work import lease
from sweeps.work.lease import Holder, Lease

POLL_S = 1.0


class HolderState(Enum):
    """What is known of the process that holds a lease."""

    alive = "alive"
    gone = "gone"
    silent = "silent"
    unknown = "unknown"


def acquire(
    folder: Path,
    successor: Callable[[Lease | None], Lease],
    state_of: Callable[[Holder], HolderState],
    *,
    stale_s: float,
) -> Lease | None:
    """Return the lease that is held now, or None if the item is in other hands.

    Args:
        folder: of the work item.
        successor: makes the lease that follows another.
        state_of: says what is known of a holder.
        stale_s: how long the lease of a silent holder must stay unchanged. The holder is asked about
            at once, whenever the lease changes, and once more at the end.
    """
    seen, seen_at = lease.newest(folder), time.monotonic()
    state = _state(seen, state_of)
    while True:
        is_stale = time.monotonic() - seen_at >= stale_s
        if is_stale:
            state = _state(seen, state_of)  # the last time was `stale_s` ago
        if (current := lease.newest(folder)) != seen:
            # What a holder wrote before it was found to be gone belongs to the history.
            seen, seen_at, state = current, time.monotonic(), _state(current, state_of)
        elif state is HolderState.gone or (state is HolderState.silent and is_stale):
            following = successor(seen)
            if lease.take(folder, following):
                return following
        elif state is HolderState.alive or (state is HolderState.unknown and is_stale):
            return None
        else:
            time.sleep(POLL_S)


def holder_state(
    holder: Holder,
    me: Holder,
    *,
    kind: ClusterKind,
    policy: PolicyConfig,
    is_over: Callable[[str], bool],
) -> HolderState:
    """Return what `me`, a waiter for the same item, can know of a holder.

    Args:
        holder: of the lease.
        me: who asks.
        kind: of the cluster on which `me` runs.
        policy: machines that are lost, and the patience with the queue.
        is_over: whether a launcher, who could ask the holder's own cluster, found a submission over.
    """
    if holder.where != me.where:
        is_gone = holder.where in policy.lost_machines or is_over(holder.submission)
        return HolderState.silent if is_gone else HolderState.unknown
    if kind is ClusterKind.local:
        return _local_state(holder)
    if (holder.submission, holder.index) == (me.submission, me.index):
        return HolderState.silent if holder.restart < me.restart else HolderState.alive
    try:
        listed = ask_queue(policy.client_timeout_s).job_of(holder.submission, holder.task)
    except QueueUnknown:
        return HolderState.unknown
    return HolderState.alive if listed else HolderState.silent


def _state(current: Lease | None, state_of: Callable[[Holder], HolderState]) -> HolderState:
    if current is None or current.attempt.outcome is not None:
        return HolderState.gone
    return state_of(current.attempt.holder)


def _local_state(holder: Holder) -> HolderState:
    if holder.host != this_host():
        return HolderState.unknown
    is_there = is_alive(holder.pid, holder.pid_start)
    return HolderState.alive if is_there else HolderState.gone
