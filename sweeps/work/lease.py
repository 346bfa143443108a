"""Leases: who executes a work item now, and how every attempt before ended.

`lease.<n>` is made by `link(2)`, the highest n holds, and n numbers the attempts. The holder alone
rewrites its file, as a heartbeat and at last with the outcome; taking over is making n + 1, never
renaming or deleting. The file carries the history, so one read tells all.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from sweeps import durable
from sweeps.costs.cost import NO_HOURS, Hours
from sweeps.errors import Superseded
from sweeps.work.outcome import Outcome

NAME = "lease"


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds a lease: item `index` of a submission, in a job's `restart`-th start, as a process.

    `task`: the job's array index. `nodes`: all that the job was given, as Slurm writes them.
    """

    where: str
    submission: str
    index: int
    job_id: str
    restart: int
    host: str
    pid: int
    pid_start: int
    nodes: str = ""
    task: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One start of a work item. `samples`: as far as it got; `outcome` None while it lasts.

    `num_cores`, `num_gpus`: what it is charged by the hour (a share, where a job is shared).
    `is_cancelled`: the user had the scheduler cancel its job.
    Times are seconds since 1970 on the holder's clock; `beat_at` is the end once there is an outcome.
    """

    number: int
    holder: Holder
    started_at: float
    beat_at: float
    samples: int
    num_cores: float
    num_gpus: float
    outcome: Outcome | None = None
    reason: str = ""
    is_cancelled: bool = False

    @property
    def charged(self) -> Hours:
        """What it has been charged so far."""
        return Hours(core=self.num_cores, gpu=self.num_gpus) * ((self.beat_at - self.started_at) / 3600)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The newest attempt, and those before it in order."""

    attempt: Attempt
    history: tuple[Attempt, ...] = ()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts in order."""
        return (*self.history, self.attempt)


def newest(folder: Path) -> Lease | None:
    """Return the lease that holds in a work item's folder, or None if there never was one."""
    generation = durable.newest_generation(folder, NAME)
    return durable.read(_path(folder, generation), Lease) if generation else None


def take(folder: Path, lease: Lease) -> bool:
    """Become the holder; return False if another one was first."""
    number = lease.attempt.number
    is_made = durable.publish(_path(folder, number), durable.encode(lease))
    # Old generations are deleted, so one that was long overtaken could be made a second time.
    return is_made and durable.newest_generation(folder, NAME) == number


def renew(folder: Path, lease: Lease) -> None:
    """Rewrite one's own lease.

    Raises:
        Superseded: a later attempt holds.
    """
    if durable.newest_generation(folder, NAME) > lease.attempt.number:
        raise Superseded(f"attempt {lease.attempt.number} in {folder} has a successor")
    durable.replace(_path(folder, lease.attempt.number), durable.encode(lease))


def successor(lease: Lease | None, holder: Holder, *, now: float, cores: float, gpus: float) -> Lease:
    """Return the lease that would follow `lease`; an attempt left open is closed as vanished."""
    number = lease.attempt.number + 1 if lease else 1
    attempt = Attempt(
        number=number,
        holder=holder,
        started_at=now,
        beat_at=now,
        samples=lease.attempt.samples if lease else 0,
        num_cores=cores,
        num_gpus=gpus,
    )
    return Lease(attempt=attempt, history=tuple(map(_closed, lease.attempts)) if lease else ())


def as_told(attempt: Attempt, outcome: str, reason: str) -> Attempt:
    """Return an attempt that was left open as ended the way the scheduler tells, where it does."""
    if attempt.outcome is not None or not outcome:
        return attempt
    return replace(attempt, outcome=Outcome(outcome), reason=reason)


def charged_by(submission: str, held: Lease | None) -> Hours:
    """Return what an item's attempts in a submission were charged; other submissions' do not count."""
    attempts = held.attempts if held else ()
    own = (attempt.charged for attempt in attempts if attempt.holder.submission == submission)
    return sum(own, start=NO_HOURS)


def _closed(attempt: Attempt) -> Attempt:
    if attempt.outcome is not None:
        return attempt
    return replace(attempt, outcome=Outcome.vanished, reason="its process vanished")


def _path(folder: Path, generation: int) -> Path:
    return folder / f"{NAME}.{generation}"
