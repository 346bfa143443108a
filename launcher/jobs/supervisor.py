"""A job: `python -m launcher.jobs.supervisor SUBMISSION` executes one work item of a submission.

Plain Python, no torch, on the job's first node; under Slurm it is the batch process itself. It takes
the item's lease, starts the ranks, watches progress in samples, turns the wall-clock signal into a
checkpoint request, says how each attempt ended, tries again where that may help, and as its last act
puts a job that ran out of time back into the queue. It never says "done": the marker does.
"""

import argparse
import logging
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from conf.schema import ClusterKind
from launcher.jobs import acquire
from launcher.jobs.ending import ending_of
from launcher.jobs.ranks import Crew, Ranks, start
from launcher.machines import slurm_client
from launcher.machines.host import own_start, this_host
from launcher.records import lease, submission
from launcher.records.lease import Attempt, Holder, Lease, Outcome
from launcher.records.ledger import SubmissionState, read_history
from launcher.records.orders import OrderPaths, forget_old_attempts, num_done, write_order
from launcher.records.submission import Submission
from sweeps.cost import hourly_charge
from sweeps.errors import QueueUnknown, Superseded
from sweeps.folders import Root
from sweeps.items import TrainItem
from sweeps.logs import configure_logging
from training.done import done_path
from training.exits import RankExit, read_verdict

log = logging.getLogger(__name__)

POLL_S = 0.2
STOP_PATIENCE_S = 600.0
"""A stop that takes longer than this is a hang: ranks save at the next step."""
SAVING_SHARE = 0.8


def main() -> int:
    """Execute one work item; return the job's exit status."""
    parser = argparse.ArgumentParser(prog="python -m launcher.jobs.supervisor", description=__doc__)
    parser.add_argument("submission", type=Path)
    arguments = parser.parse_args()
    stop = _StopRequest()
    configure_logging()
    given = submission.read(arguments.submission)
    index = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    return Supervisor(given, index, stop).run()


class _StopRequest:
    """Remembers that a signal asked to stop: USR1 before the time limit, TERM, or Ctrl-C."""

    def __init__(self) -> None:
        self.signal: int | None = None
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number


class Supervisor:
    """Carries one work item through its attempts."""

    def __init__(self, given: Submission, index: int, stop: _StopRequest) -> None:
        self._submission, self._index, self._stop = given, index, stop
        self._item = given.items[index]
        self._folder = given.item_folder(index)
        self._lease: Lease | None = None

    def run(self) -> int:
        """Attempt the item until it is done, hopeless or out of time; return an exit status."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._is_done():
            log.info("%s is done already", self._item.key)
            return 0
        try:
            self._lease = acquire.acquire(
                self._folder,
                self._new_attempt,
                self._state_of,
                stale_s=self._submission.cluster.stale_s,
            )
            if self._lease is None:
                log.info("%s is in other hands; leaving", self._item.key)
                return 0
            return self._attempts()
        except Superseded as error:
            log.warning("%s; leaving", error)
            return 0

    def _attempts(self) -> int:
        while True:
            # Whoever held the lease while this process waited for it may have finished.
            outcome = self._leave_as_it_is() if self._is_done() else self._attempt()
            log.info("%s: attempt %d ended: %s", self._item.key, self._attempt_number, outcome.value)
            if outcome is Outcome.done:
                return 0
            if self._stop.signal is not None:
                return self._leave_stopped()
            if not self._may_try_again(outcome):
                return 1
            self._begin_next_attempt()

    def _leave_as_it_is(self) -> Outcome:
        self._beat(OrderPaths.of(self._folder, self._attempt_number), outcome=Outcome.done)
        return Outcome.done

    def _attempt(self) -> Outcome:
        """Start the ranks, watch them to their end, and note how they ended in the lease."""
        paths = OrderPaths.of(self._folder, self._attempt_number)
        forget_old_attempts(self._folder, self._attempt_number)
        crew = Crew(
            module=write_order(self._submission, self._index, paths),
            order=paths.order,
            log=paths.log,
            resources=self._item.resources,
            attempt=self._attempt_number,
        )
        timeout_s = self._submission.policy.client_timeout_s
        ranks = start(crew, self._submission.cluster, timeout_s=timeout_s)
        try:
            outcome, reason = self._watch(ranks, paths)
        except BaseException:
            ranks.kill()
            raise
        finally:
            paths.stop.unlink(missing_ok=True)
            paths.verdict.unlink(missing_ok=True)
        self._beat(paths, outcome=outcome, reason=reason)
        return outcome

    def _watch(self, ranks: Ranks, paths: OrderPaths) -> tuple[Outcome, str]:
        """Beat until the ranks end, stall or must be killed."""
        policy, cluster = self._submission.policy, self._submission.cluster
        beat_at = progress_at = time.monotonic()
        asked_at: float | None = None
        done = 0
        while (codes := ranks.exit_codes()) is None:
            time.sleep(POLL_S)
            now = time.monotonic()
            if self._stop.signal is not None and asked_at is None:
                asked_at = now
                paths.stop.touch()
                self._note_if_cancelled(paths)
            if now - beat_at >= cluster.beat_s:
                beat_at = now
                latest = self._beat_if_possible(paths)
                if latest > done:
                    done, progress_at = latest, now
            patience = self._stop_patience_s if asked_at is not None else policy.stall_s
            if now - max(progress_at, asked_at or 0.0) > patience:
                ranks.kill()
                return Outcome.stalled, f"no new samples for {patience:g} s"
        return self._classify(codes, paths)

    def _classify(self, codes: list[int], paths: OrderPaths) -> tuple[Outcome, str]:
        """Say how the ranks ended. Only the marker means done."""
        if self._is_done(codes):
            return Outcome.done, ""
        verdict = read_verdict(paths.verdict)
        known = codes if verdict is None else [*codes, verdict]
        if RankExit.superseded in known:
            raise Superseded(f"a rank of {self._item.key} found a later attempt")
        return ending_of(known, self._stop.signal, paths.log)

    def _is_done(self, codes: list[int] | None = None) -> bool:
        """Return whether the item is complete: a segment has its marker, a scorer said so."""
        if isinstance(self._item, TrainItem):
            return done_path(self._folder).exists()
        return codes == [RankExit.finished]

    def _may_try_again(self, outcome: Outcome) -> bool:
        assert self._lease is not None
        most = self._submission.policy.fruitless_attempts
        return not outcome.is_final and lease.fruitless_attempts(self._lease) < most

    def _begin_next_attempt(self) -> None:
        assert self._lease is not None
        following = self._new_attempt(self._lease)
        if not lease.take(self._folder, following):
            raise Superseded(f"another attempt of {self._item.key} began")
        self._lease = following

    def _leave_stopped(self) -> int:
        """Put a Slurm job that runs out of time back into the queue: the last act of this process."""
        if not self._may_try_again(Outcome.time_limit):
            return 1
        if self._submission.cluster.kind is ClusterKind.slurm and self._stop.signal == signal.SIGUSR1:
            try:
                slurm_client.requeue(_own_job_id(), self._submission.policy.client_timeout_s)
            except QueueUnknown as error:
                log.warning("not requeued (%s): the next launch continues", error)
        return 0

    @property
    def _attempt_number(self) -> int:
        assert self._lease is not None
        return self._lease.attempt.number

    def _beat(self, paths: OrderPaths, *, outcome: Outcome | None = None, reason: str = "") -> None:
        """Renew the lease with the progress made, and with the outcome when there is one."""
        assert self._lease is not None
        attempt: Attempt = replace(
            self._lease.attempt,
            beat_at=time.time(),
            samples=max(self._lease.attempt.samples, num_done(self._item, paths)),
            outcome=outcome,
            reason=reason,
        )
        renewed = replace(self._lease, attempt=attempt)
        lease.renew(self._folder, renewed)
        self._lease = renewed

    def _note_if_cancelled(self, paths: OrderPaths) -> None:
        """Note at once that the user cancelled the job: little time is left until it is killed."""
        is_slurm = self._submission.cluster.kind is ClusterKind.slurm
        if not is_slurm or self._stop.signal != signal.SIGTERM:
            return
        assert self._lease is not None
        attempt, timeout_s = self._lease.attempt, self._submission.policy.client_timeout_s
        try:
            if slurm_client.was_cancelled(attempt.holder.job_id, attempt.holder.restart, timeout_s):
                self._lease = replace(self._lease, attempt=replace(attempt, is_cancelled=True))
                self._beat(paths)
        except QueueUnknown as error:
            log.warning("it is unknown who ended this job: %s", error)

    def _beat_if_possible(self, paths: OrderPaths) -> int:
        """Renew the lease, though the file system may fail for a while; return the progress.

        Raises:
            OSError: it fails so long that the lease may soon be taken over.
        """
        assert self._lease is not None
        try:
            self._beat(paths)
        except OSError as error:
            if time.time() - self._lease.attempt.beat_at > self._submission.cluster.stale_s / 2:
                raise
            log.warning("no heartbeat: %s", error)
        return self._lease.attempt.samples

    @property
    def _stop_patience_s(self) -> float:
        """How long saving may take: a hang must be noticed before the time limit ends the job."""
        return min(STOP_PATIENCE_S, self._submission.cluster.signal_s * SAVING_SHARE)

    def _state_of(self, holder: Holder) -> acquire.HolderState:
        cluster, policy = self._submission.cluster, self._submission.policy
        return acquire.holder_state(
            holder, self._holder(), kind=cluster.kind, policy=policy, is_over=self._is_over
        )

    def _is_over(self, name: str) -> bool:
        known = read_history(Root(self._submission.root).ledger).submissions.get(name)
        return known is not None and known.state is SubmissionState.over

    def _new_attempt(self, before: Lease | None) -> Lease:
        charge = hourly_charge(self._item.resources, self._submission.cluster)
        return lease.successor(
            before, self._holder(), now=time.time(), cores=charge.core, gpus=charge.gpu
        )

    def _holder(self) -> Holder:
        return Holder(
            where=self._submission.where,
            submission=self._submission.id,
            index=self._index,
            job_id=_own_job_id(),
            restart=int(os.environ.get("SLURM_RESTART_COUNT", "0")),
            host=this_host(),
            pid=os.getpid(),
            pid_start=own_start(),
        )


def _own_job_id() -> str:
    """Return the id by which only this job is meant: that of an array's last task names them all."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is not None:
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID", str(os.getpid()))


if __name__ == "__main__":
    sys.exit(main())
