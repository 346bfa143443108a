"""The lease of a segment that is trained by hand, so that no launcher trains it at the same time.

A supervisor that finds it leaves the segment alone; this process leaves alone what another one holds.
Only a holder on this machine whose process is gone is followed: of any other one nothing is known here.
"""

import logging
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from conf.schema import ClusterConfig, ResourceConfig
from sweeps import durable
from sweeps.costs.cost import hourly_charge
from sweeps.errors import DataError, LostState, NotFinite, Superseded, UsageError
from sweeps.host import is_alive, own_start, this_host
from sweeps.work import lease
from sweeps.work.lease import Holder, Lease
from sweeps.work.outcome import Outcome
from training.telemetry.metrics import last_moment, metrics_path

log = logging.getLogger(__name__)

BY_HAND = "by-hand"

ENDS: tuple[tuple[type[BaseException], Outcome], ...] = (
    (NotFinite, Outcome.not_finite),
    (DataError, Outcome.bad_data),
    (UsageError, Outcome.user_error),
    (LostState, Outcome.lost_state),
)


class Tenure:
    """Holds the lease while it is entered; says in it how the attempt ended."""

    def __init__(self, folder: Path, resources: ResourceConfig, cluster: ClusterConfig) -> None:
        self._folder, self._beat_s = folder, cluster.beat_s
        self._charge = hourly_charge(resources, cluster)
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self.is_finished = False

    def __enter__(self) -> "Tenure":
        before = lease.newest(self._folder)
        _refuse_held(before)
        charge = self._charge
        self._lease = lease.successor(
            before, _me(), now=time.time(), cores=charge.core, gpus=charge.gpu
        )
        if not lease.take(self._folder, self._lease):
            raise UsageError(f"another process has just begun to train {self._folder.name}")
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._heart.join()
        if isinstance(error, Superseded):
            return
        outcome = _outcome(error) if error else Outcome.done if self.is_finished else Outcome.stopped
        try:
            self._renew(outcome, str(error) if error else "")
        except OSError as unnoted:
            log.error("it cannot be noted how this ended (%s): %s", outcome.value, unnoted)

    @property
    def attempt(self) -> int:
        """The number of this attempt."""
        return self._lease.attempt.number

    def _beat(self) -> None:
        """Renew the lease now and then, though the file system may fail for a while.

        Whoever follows is noticed by training, before it writes.
        """
        while not self._over.wait(self._beat_s):
            try:
                self._renew(None)
            except Superseded as error:
                log.warning("%s", error)
                return
            except OSError as error:
                log.warning("no heartbeat: %s", error)

    def _renew(self, outcome: Outcome | None, reason: str = "") -> None:
        attempt = self._lease.attempt
        moment = last_moment(metrics_path(self._folder, attempt.number))
        samples = max(attempt.samples, moment.samples_seen if moment else 0)
        renewed = replace(attempt, beat_at=time.time(), samples=samples, outcome=outcome, reason=reason)
        self._lease = replace(self._lease, attempt=renewed)
        lease.renew(self._folder, self._lease)


def _refuse_held(before: Lease | None) -> None:
    if before is None or before.attempt.outcome is not None:
        return
    holder = before.attempt.holder
    is_here = holder.where == _where() and holder.host == this_host()
    if is_here and not is_alive(holder.pid, holder.pid_start):
        return
    raise UsageError(
        f"it is in other hands: process {holder.pid} on {holder.host}, submission "
        f"{holder.submission}, last heard of {time.time() - before.attempt.beat_at:,.0f} s ago"
    )


def _outcome(error: BaseException) -> Outcome:
    if durable.is_full(error):
        return Outcome.no_room
    return next((outcome for kind, outcome in ENDS if isinstance(error, kind)), Outcome.crashed)


def _me() -> Holder:
    return Holder(
        where=_where(),
        submission=BY_HAND,
        index=0,
        job_id=os.environ.get("SLURM_JOB_ID", ""),
        restart=0,
        host=this_host(),
        pid=os.getpid(),
        pid_start=own_start(),
    )


def _where() -> str:
    """Return the name that the launcher gives this machine where it runs things itself."""
    return f"local@{this_host()}"
