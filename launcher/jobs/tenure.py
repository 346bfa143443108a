"""The lease of one work item, as the supervisor that holds it keeps it."""

import logging
import os
import time
from dataclasses import replace

from launcher.jobs import acquire
from launcher.jobs.allocation import own_allocation
from launcher.jobs.suspects import closed
from launcher.records.ledger import SubmissionRecord, SubmissionState, read_history
from launcher.records.submission import Submission
from sweeps.costs.cost import hourly_charge
from sweeps.errors import Superseded
from sweeps.folders import Root
from sweeps.host import own_start, this_host
from sweeps.work import lease
from sweeps.work.lease import Attempt, Holder, Lease
from sweeps.work.outcome import Outcome

log = logging.getLogger(__name__)

RETRY_S = 1.0


class Tenure:
    """Holds the lease of item `index` of a submission, once it is acquired."""

    def __init__(self, given: Submission, index: int) -> None:
        self._submission, self._index = given, index
        self._item = given.items[index]
        self._task = index // given.pack
        self._folder = given.item_folder(index)
        self._lease: Lease | None = None

    def begin(self) -> bool:
        """Become the holder; return False if the item is in other hands."""
        self._lease = acquire.acquire(
            self._folder,
            self._new_attempt,
            self._state_of,
            stale_s=self._submission.cluster.stale_s,
        )
        return self._lease is not None

    @property
    def lease(self) -> Lease:
        """The lease that is held."""
        assert self._lease is not None
        return self._lease

    @property
    def attempt(self) -> Attempt:
        """The attempt that lasts, or ended last."""
        return self.lease.attempt

    def begin_next(self) -> None:
        """Follow one's own attempt that has ended.

        Raises:
            Superseded: another holder was first.
        """
        following = self._new_attempt(self.lease)
        if not lease.take(self._folder, following):
            raise Superseded(f"another attempt of {self._item.key} began")
        self._lease = following

    def beat(self, samples: int) -> None:
        """Renew the lease with the progress made.

        Raises:
            Superseded: a later attempt holds.
        """
        self._renew(self._moved_on(samples))

    def beat_if_possible(self, samples: int) -> None:
        """Renew the lease, though the file system may fail for a while.

        Raises:
            Superseded: a later attempt holds.
            OSError: it fails so long that the lease may soon be taken over.
        """
        try:
            self.beat(samples)
        except OSError as error:
            if time.time() - self.attempt.beat_at > self._patience_s:
                raise
            log.warning("no heartbeat: %s", error)

    def note_cancelled(self, samples: int) -> None:
        """Note at once that the user cancelled the job: little time is left until it is killed."""
        self._renew(replace(self._moved_on(samples), is_cancelled=True))

    def end(self, samples: int, outcome: Outcome, reason: str = "") -> bool:
        """Note how the attempt ended; return False if the file system fails too long for that.

        Raises:
            Superseded: a later attempt holds.
        """
        ended = replace(self._moved_on(samples), outcome=outcome, reason=reason)
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                self._renew(ended)
            except OSError as error:
                log.warning("it cannot be noted how the attempt ended: %s", error)
            else:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(RETRY_S)

    @property
    def _patience_s(self) -> float:
        """How long the file system may fail: well before the lease may be taken over."""
        return self._submission.cluster.stale_s / 2

    def _moved_on(self, samples: int) -> Attempt:
        return replace(self.attempt, beat_at=time.time(), samples=max(self.attempt.samples, samples))

    def _renew(self, attempt: Attempt) -> None:
        renewed = replace(self.lease, attempt=attempt)
        lease.renew(self._folder, renewed)
        self._lease = renewed

    def _state_of(self, holder: Holder) -> acquire.HolderState:
        cluster, policy = self._submission.cluster, self._submission.policy
        return acquire.holder_state(
            holder, self._holder(), kind=cluster.kind, policy=policy, is_over=self._is_over
        )

    def _is_over(self, name: str) -> bool:
        known = self._record(name)
        return known is not None and known.state is SubmissionState.over

    def _as_told(self, attempt: Attempt) -> Attempt:
        holder = attempt.holder
        if (known := self._record(holder.submission)) is None:
            return attempt
        outcome, reason = known.outcomes.get(holder.index, ""), known.reasons.get(holder.index, "")
        return lease.as_told(attempt, outcome, reason)

    def _record(self, name: str) -> SubmissionRecord | None:
        """Return what the ledger knows of a submission now."""
        return read_history(Root(self._submission.root).ledger).submissions.get(name)

    def _new_attempt(self, before: Lease | None) -> Lease:
        own = own_allocation()
        if before is not None and before.attempt.outcome is None:
            told = self._as_told(before.attempt)
            last = closed(told, self._submission, self._item.key, (own.job_id, own.restart))
            before = replace(before, attempt=last)
        num_sharing = len(self._submission.indices(self._task))
        charge = hourly_charge(self._item.resources, self._submission.cluster, num_sharing=num_sharing)
        return lease.successor(
            before, self._holder(), now=time.time(), cores=charge.core, gpus=charge.gpu
        )

    def _holder(self) -> Holder:
        allocation = own_allocation()
        return Holder(
            where=self._submission.where,
            submission=self._submission.id,
            index=self._index,
            task=self._task,
            job_id=allocation.job_id,
            restart=allocation.restart,
            nodes=allocation.nodes,
            host=this_host(),
            pid=os.getpid(),
            pid_start=own_start(),
        )
