"""A supervisor executes one work item: it carries it through its attempts.

Plain Python, no torch, on the job's first node, in the job's own process or, where several items share
a job, in one of its own: `python -m launcher.jobs.supervisor SUBMISSION INDEX`. It takes the item's
lease and has attempts made of it (`launcher.jobs.watch`) as long as that may help. What becomes of the
job is left to the job. It never says "done": the marker does.
"""

import argparse
import logging
import sys
from pathlib import Path

from launcher.jobs.departure import Departure
from launcher.jobs.ending import Ending
from launcher.jobs.stop import StopRequest
from launcher.jobs.suspects import blame_nodes
from launcher.jobs.tenure import Tenure
from launcher.jobs.watch import Watch
from launcher.records import submission
from launcher.records.budget import why_held
from launcher.records.orders import OrderPaths, forget_old_attempts, num_done
from launcher.records.submission import Submission
from sweeps import durable
from sweeps.errors import Superseded
from sweeps.logs import configure_logging
from sweeps.work.items import TrainItem
from sweeps.work.outcome import Outcome, Remedy
from training.checkpoints.done import done_path
from training.leash import die_with_parent

log = logging.getLogger(__name__)

DONE = Ending(outcome=Outcome.done, reason="")


def main() -> int:
    """Supervise one of several items that share a job; return a `Departure`."""
    parser = argparse.ArgumentParser(prog="python -m launcher.jobs.supervisor", description=__doc__)
    parser.add_argument("submission", type=Path)
    parser.add_argument("index", type=int)
    arguments = parser.parse_args()
    stop = StopRequest()
    die_with_parent()
    configure_logging()
    return Supervisor(submission.read(arguments.submission), arguments.index, stop).run()


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
        if self._is_trained():
            log.info("%s is done already", self._item.key)
            return Departure.settled
        if self._cancel_mark.exists():
            log.info("%s is cancelled", self._item.key)
            return Departure.stopped
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
            ending = self._attempt()
            number, name = self._tenure.attempt.number, ending.outcome.value
            log.info("%s: attempt %d ended: %s", self._item.key, number, name)
            if not self._tenure.end(self._num_done(), ending.outcome, ending.reason):
                log.error("leaving, and no lease tells why: %s: %s", name, ending.reason)
                return Departure.gave_up
            departure = self._departure(ending.outcome)
            if departure is not None:
                return departure
            self._tenure.begin_next()

    def _attempt(self) -> Ending:
        """Make one attempt; return how it ended."""
        forget_old_attempts(self._folder, self._tenure.attempt.number)
        # Whoever held the lease while this process waited for it may have finished.
        ending = DONE if self._is_trained() else self._watched()
        nodes = self._tenure.attempt.holder.nodes
        return blame_nodes(ending, self._submission, self._item.key, nodes)

    def _watched(self) -> Ending:
        try:
            return Watch(self._submission, self._index, self._tenure, self._stop).run()
        except OSError as error:
            if not durable.is_full(error):
                raise
            return Ending(outcome=Outcome.no_room, reason=str(error))

    def _departure(self, outcome: Outcome) -> Departure | None:
        """Return how to leave after an attempt, or None if another one follows in this job."""
        if outcome is Outcome.done:
            return Departure.settled
        most = self._submission.policy.fruitless_attempts
        if why_held(self._tenure.lease, most) is not None:
            return Departure.gave_up
        if self._stop.signal is not None:
            is_limit = self._stop.outcome is Outcome.time_limit
            return Departure.out_of_time if is_limit else Departure.stopped
        if outcome.treatment.remedy is Remedy.here:
            return None
        return Departure.elsewhere

    def _is_trained(self) -> bool:
        return isinstance(self._item, TrainItem) and done_path(self._folder).exists()

    @property
    def _cancel_mark(self) -> Path:
        return submission.cancel_mark(self._submission.folder, self._index)

    def _num_done(self) -> int:
        return num_done(self._item, OrderPaths.of(self._folder, self._tenure.attempt.number))


if __name__ == "__main__":
    sys.exit(main())
