"""One attempt: start the ranks, watch their progress in samples, and say how they ended."""

import logging
import signal
import time

from conf.schema import ClusterKind
from launcher.jobs.ending import Ending, Traces, ending_of, read_tail
from launcher.jobs.ranks import Crew, Ranks, start
from launcher.jobs.stop import StopRequest
from launcher.jobs.tenure import Tenure
from launcher.machines import slurm_client
from launcher.records import submission
from launcher.records.orders import OrderPaths, num_done, write_order
from launcher.records.submission import Submission
from sweeps.errors import QueueUnknown, Superseded
from sweeps.work.items import TrainItem
from sweeps.work.outcome import Outcome
from training.checkpoints.done import done_path
from training.exits import RankExit, forget_verdicts, read_verdict

log = logging.getLogger(__name__)

POLL_S = 0.2
STOP_PATIENCE_S = 600.0
"""A stop that takes longer than this is a hang: ranks save at the next step."""
SAVING_SHARE = 0.8
MOST_PORTS = 5
"""So often the ranks are started again, at once, because somebody took the port where they meet."""


class Watch:
    """Watches the ranks of the attempt whose lease a tenure holds; what they print does not count."""

    def __init__(self, given: Submission, index: int, tenure: Tenure, stop: StopRequest) -> None:
        self._submission, self._index = given, index
        self._tenure, self._stop = tenure, stop
        self._item = given.items[index]
        self._folder = given.item_folder(index)
        self._paths = OrderPaths.of(self._folder, tenure.attempt.number)
        self._asked: Outcome | None = None

    def run(self) -> Ending:
        """Carry the attempt out; return how it ended.

        Raises:
            Superseded: a later attempt holds the lease.
        """
        crew = Crew(
            module=write_order(self._submission, self._index, self._paths),
            order=self._paths.order,
            log=self._paths.log,
            resources=self._item.resources,
            shares_node=self._submission.pack > 1,
        )
        for _ in range(MOST_PORTS):
            ending = self._start_and_watch(crew)
            if not ending.is_port_taken:
                break
            log.warning("%s: %s; once more", self._item.key, ending.reason)
        return ending

    def _start_and_watch(self, crew: Crew) -> Ending:
        timeout_s = self._submission.policy.client_timeout_s
        try:
            with start(crew, self._submission.cluster, timeout_s=timeout_s) as ranks:
                return self._watch(ranks)
        finally:
            self._paths.stop.unlink(missing_ok=True)
            forget_verdicts(self._paths.verdict)

    def _watch(self, ranks: Ranks) -> Ending:
        """Beat until the ranks end, stall or must be killed."""
        beat_at = progress_at = time.monotonic()
        samples = 0
        while (codes := ranks.exit_codes()) is None:
            time.sleep(POLL_S)
            if self._stop.signal is not None and self._asked is None:
                self._ask_to_stop()
                progress_at = time.monotonic()
            if time.monotonic() - beat_at >= self._submission.cluster.beat_s:
                beat_at = time.monotonic()
                if self._is_cancelled_alone:
                    self._stop.signal = signal.SIGTERM
                self._tenure.beat_if_possible(self._num_done())
                if self._tenure.attempt.samples > samples:
                    samples, progress_at = self._tenure.attempt.samples, beat_at
            if time.monotonic() - progress_at > self._patience_s:
                ranks.kill()
                reason = f"no new samples for {self._patience_s:g} s"
                return Ending(outcome=Outcome.stalled, reason=reason)
        return self._ended(codes)

    def _ask_to_stop(self) -> None:
        """Have the ranks save and leave, and find out who wants it while the scheduler still knows."""
        assert self._stop.signal is not None
        self._paths.stop.touch()
        self._asked = self._stop.outcome
        is_slurm = self._submission.cluster.kind is ClusterKind.slurm
        if not is_slurm or self._stop.signal != signal.SIGTERM:
            return
        holder, timeout_s = self._tenure.attempt.holder, self._submission.policy.client_timeout_s
        try:
            if self._is_cancelled_alone:
                self._asked = Outcome.cancelled
            else:
                self._asked = slurm_client.why_told_to_end(holder.job_id, holder.restart, timeout_s)
        except QueueUnknown as error:
            log.warning("it is unknown who ended this job: %s", error)
        if self._asked is Outcome.cancelled:
            self._tenure.note_cancelled(self._num_done())

    def _ended(self, codes: list[int]) -> Ending:
        """Say how the ranks ended. Only the marker means done."""
        if self._is_done(codes):
            return Ending(outcome=Outcome.done, reason="")
        verdict = read_verdict(self._paths.verdict)
        told = [*codes, *([verdict.code] if verdict else [])]
        if RankExit.superseded in told:
            raise Superseded(f"a rank of {self._item.key} found a later attempt")
        tail = read_tail(self._paths.log)
        return ending_of(Traces(codes=codes, verdict=verdict, asked=self._asked, log=tail))

    def _is_done(self, codes: list[int]) -> bool:
        """Return whether the item is complete: a segment has its marker, a scorer said so."""
        if isinstance(self._item, TrainItem):
            return done_path(self._folder).exists()
        return codes == [RankExit.finished]

    @property
    def _is_cancelled_alone(self) -> bool:
        """Whether the user cancelled this item, though not those that share its job."""
        return submission.cancel_mark(self._submission.folder, self._index).exists()

    def _num_done(self) -> int:
        return num_done(self._item, self._paths)

    @property
    def _patience_s(self) -> float:
        """How long there may be no progress. A hang while saving must be seen before the time limit."""
        if self._asked is None:
            return self._submission.policy.stall_s
        return min(STOP_PATIENCE_S, self._submission.cluster.signal_s * SAVING_SHARE)
