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
from enum import Enum
from pathlib import Path

from conf.schema import ClusterKind
from launcher.jobs.allocation import own_allocation
from launcher.jobs.ending import ending_of
from launcher.jobs.ranks import Crew, Ranks, start
from launcher.jobs.stop import StopRequest
from launcher.jobs.tenure import Tenure
from launcher.machines import slurm_client
from launcher.records import lease, submission
from launcher.records.orders import OrderPaths, forget_old_attempts, num_done, write_order
from launcher.records.outcome import Outcome
from launcher.records.submission import Submission
from sweeps.errors import QueueUnknown, Superseded
from sweeps.items import TrainItem
from sweeps.logs import configure_logging
from training.done import done_path
from training.exits import RankExit, read_verdict

log = logging.getLogger(__name__)

POLL_S = 0.2
STOP_PATIENCE_S = 600.0
"""A stop that takes longer than this is a hang: ranks save at the next step."""
SAVING_SHARE = 0.8


class Departure(Enum):
    """How a supervisor leaves its item, for whoever decides what becomes of the job.

    `settled`: it is done, or in other hands. `stopped`: saved on request. `out_of_time`: saved before
    the time limit; the job should go back into the queue. `gave_up`: no more attempts in this job.
    """

    settled = "settled"
    stopped = "stopped"
    out_of_time = "out_of_time"
    gave_up = "gave_up"

    @property
    def exit_status(self) -> int:
        """The status with which a job of this item alone ends."""
        return int(self is Departure.gave_up)


def main() -> int:
    """Execute one work item; return the job's exit status."""
    parser = argparse.ArgumentParser(prog="python -m launcher.jobs.supervisor", description=__doc__)
    parser.add_argument("submission", type=Path)
    arguments = parser.parse_args()
    stop = StopRequest()
    configure_logging()
    given = submission.read(arguments.submission)
    index = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    departure = Supervisor(given, index, stop).run()
    if departure is Departure.out_of_time:
        requeue(given)
    return departure.exit_status


def requeue(given: Submission) -> None:
    """Put this job back into the queue, where it is Slurm's: the last act of this process."""
    if given.cluster.kind is not ClusterKind.slurm:
        return
    try:
        slurm_client.requeue(own_allocation().job_id, given.policy.client_timeout_s)
    except QueueUnknown as error:
        log.warning("not requeued (%s): the next launch continues", error)


class Supervisor:
    """Carries one work item through its attempts."""

    def __init__(self, given: Submission, index: int, stop: StopRequest) -> None:
        self._submission, self._index, self._stop = given, index, stop
        self._item = given.items[index]
        self._folder = given.item_folder(index)
        self._tenure = Tenure(given, index)

    def run(self) -> Departure:
        """Attempt the item until it is done, hopeless or out of time; return how it is left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._is_done():
            log.info("%s is done already", self._item.key)
            return Departure.settled
        try:
            if not self._tenure.begin():
                log.info("%s is in other hands; leaving", self._item.key)
                return Departure.settled
            return self._attempts()
        except Superseded as error:
            log.warning("%s; leaving", error)
            return Departure.settled

    def _attempts(self) -> Departure:
        while True:
            # Whoever held the lease while this process waited for it may have finished.
            outcome = self._leave_as_it_is() if self._is_done() else self._attempt()
            number = self._tenure.attempt.number
            log.info("%s: attempt %d ended: %s", self._item.key, number, outcome.value)
            if outcome is Outcome.done:
                return Departure.settled
            if self._stop.signal is not None:
                return self._leave_stopped()
            if not self._may_try_again(outcome):
                return Departure.gave_up
            self._tenure.begin_next()

    def _leave_as_it_is(self) -> Outcome:
        self._tenure.end(self._num_done(), Outcome.done)
        return Outcome.done

    def _attempt(self) -> Outcome:
        """Start the ranks, watch them to their end, and note how they ended in the lease."""
        paths = self._paths
        forget_old_attempts(self._folder, self._tenure.attempt.number)
        crew = Crew(
            module=write_order(self._submission, self._index, paths),
            order=paths.order,
            log=paths.log,
            resources=self._item.resources,
            attempt=self._tenure.attempt.number,
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
        self._tenure.end(self._num_done(), outcome, reason)
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
                self._note_if_cancelled()
            if now - beat_at >= cluster.beat_s:
                beat_at = now
                self._tenure.beat_if_possible(self._num_done())
                if self._tenure.attempt.samples > done:
                    done, progress_at = self._tenure.attempt.samples, now
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
        most = self._submission.policy.fruitless_attempts
        return not outcome.is_final and lease.fruitless_attempts(self._tenure.lease) < most

    def _leave_stopped(self) -> Departure:
        if not self._may_try_again(Outcome.time_limit):
            return Departure.gave_up
        return Departure.out_of_time if self._stop.signal == signal.SIGUSR1 else Departure.stopped

    def _note_if_cancelled(self) -> None:
        is_slurm = self._submission.cluster.kind is ClusterKind.slurm
        if not is_slurm or self._stop.signal != signal.SIGTERM:
            return
        holder, timeout_s = self._tenure.attempt.holder, self._submission.policy.client_timeout_s
        try:
            if slurm_client.was_cancelled(holder.job_id, holder.restart, timeout_s):
                self._tenure.note_cancelled(self._num_done())
        except QueueUnknown as error:
            log.warning("it is unknown who ended this job: %s", error)

    @property
    def _paths(self) -> OrderPaths:
        return OrderPaths.of(self._folder, self._tenure.attempt.number)

    def _num_done(self) -> int:
        return num_done(self._item, self._paths)

    @property
    def _stop_patience_s(self) -> float:
        """How long saving may take: a hang must be noticed before the time limit ends the job."""
        return min(STOP_PATIENCE_S, self._submission.cluster.signal_s * SAVING_SHARE)


if __name__ == "__main__":
    sys.exit(main())
