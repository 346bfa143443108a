"""A world to launch in, made of chance: a queue that lags and lies, and processes that die anywhere.

The planner, the states and the ledger are the real ones; the scheduler, the launchers' steps and the
supervisors are played, one step at a time, so that anything may happen between two of them. What is
played of a supervisor are the rules of `launcher.jobs.acquire`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from conf.schema import PolicyConfig, ScheduleConfig, ScheduleName
from launcher.machines.queue import Job, Queue
from launcher.reconcile.observe import Observed, SegmentEvidence
from launcher.reconcile.plan import (
    Action,
    Adopt,
    GiveUp,
    NoteEnded,
    NoteLeft,
    NoteUnlisted,
    Submit,
    plan,
)
from launcher.reconcile.state import State, score_failures, segment_states
from launcher.records import lease
from launcher.records.lease import Holder, Lease
from launcher.records.ledger import Act, History, Line, SubmissionState
from launcher.records.outcome import Outcome
from sweeps.cost import NO_HOURS
from sweeps.items import CheckpointEvals, ScoreItem, TrainItem, WorkItem, pairs_of
from tests.configs import EVAL, expansion_of, run_config
from tests.launcher.worlds import work

POLICY = PolicyConfig(client_timeout_s=10.0, settle_s=30.0, fruitless_attempts=3, scores_per_item=2)
STALE_S = 60.0
LOCK_STALE_S = 100.0
CLUSTERS = ("slurm@a", "slurm@b")
TRUNK = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="1 steps")
SWEEP = expansion_of(run_config(), run_config(seed=1), run_config(schedule=TRUNK))
WORK = work(SWEEP, has_scorers=True)
TOTAL = {key: segment.end for key, segment in SWEEP.segments.items()}


@dataclass(eq=False, kw_only=True)
class Process:
    """A supervisor: one item of a submission, started for the `restart`-th time."""

    holder: Holder
    item: WorkItem
    waits_since: float | None = None
    trains: bool = False
    attempt: int = 0


@dataclass(eq=False, kw_only=True)
class SimJob:
    """A job or array as the controller keeps it.

    `filed_at`: when squeue begins to list it. `after`: the job whose end it waits for.
    """

    name: str
    job_id: int
    cluster: str
    items: tuple[WorkItem, ...]
    filed_at: float
    after: str
    restarts: dict[int, int] = field(default_factory=dict)
    running: dict[int, Process] = field(default_factory=dict)
    pending: set[int] = field(default_factory=set)

    def alive(self) -> list[WorkItem]:
        """Return the items that wait or run."""
        return [self.items[index] for index in (*self.pending, *self.running)]


class Launcher:
    """A launcher's process: the steps of its pass that are still to come."""

    steps: Iterator[None]
    is_through: bool = False


class Killed(Exception):
    """The launcher dies here."""


class World:
    """All that exists, and all that may happen to it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.lines: list[Line] = []
        self.jobs: list[SimJob] = []
        self.ghosts: list[Process] = []
        self.leases: dict[str, Lease] = {}
        self.done: set[str] = set()
        self.scored: set[tuple[str, str]] = set()
        self.lock: tuple[object, float] | None = None
        self.hung_until = 0.0
        self.is_quiet = False
        self.num_sbatch = 0

    # --- what the launcher sees

    def observed(self, cluster: str, history: History, queue: Queue | None) -> Observed:
        evidence = {
            key: SegmentEvidence(
                is_done=key in self.done,
                lease=self.leases.get(key),
                milestones=frozenset({TOTAL[key]} if key in self.done else ()),
            )
            for key in SWEEP.segments
        }
        return Observed(
            where=cluster if queue else "",
            history=history,
            queue=queue,
            segments=evidence,
            scored=frozenset(self.scored),
        )

    def squeue(self, cluster: str) -> Queue | None:
        if not self.is_quiet and (self.now < self.hung_until or self.chance.random() < 0.1):
            return None
        listed = [job for job in self.jobs if job.cluster == cluster and job.filed_at <= self.now]
        return Queue(asked_at=self.now, jobs=tuple(line for job in listed for line in _lines(job)))

    def history(self) -> History:
        history = History()
        for line in self.lines:
            history.note(line)
        return history

    def wanted(self) -> list[CheckpointEvals]:
        return [
            CheckpointEvals(segment=key, samples_seen=TOTAL[key], evals=EVAL.evals)
            for key in sorted(self.done)
        ]

    def planned(self, cluster: str, history: History, queue: Queue | None) -> list[Action]:
        the_work = replace(WORK, scoring=replace(WORK.scoring, wanted=self.wanted()))
        return plan(the_work, self.observed(cluster, history, queue), POLICY, max_array_size=2)

    # --- one pass of a launcher, step by step

    def launcher_of(self, cluster: str) -> "Launcher":
        me = Launcher()
        me.steps = self._pass(me, cluster)
        return me

    def _pass(self, me: "Launcher", cluster: str) -> Iterator[None]:
        if self.lock is not None and self.lock[0] is not me:
            holder, beat_at = self.lock
            if holder is not None or self.now < beat_at:
                return
        self.lock = (me, self.now)
        history = self.history()
        queue = self.squeue(cluster)
        yield
        for action in self.planned(cluster, history, queue):
            self._check_lock(me)
            yield from self._apply(action, cluster, history, me)
        self.lock = None
        me.is_through = True

    def _apply(self, action: Action, cluster: str, history: History, me: object) -> Iterator[None]:
        match action:
            case Submit():
                yield from self._submit(action, cluster, history, me)
            case Adopt(submission=name, job_id=job_id):
                self._note(history, Act.adopted, submission=name, job_id=job_id)
            case NoteUnlisted(submission=name, asked_at=at):
                self._note(history, Act.unlisted, submission=name, time=at)
            case GiveUp(submission=name):
                self._note(history, Act.lost, submission=name)
            case NoteEnded(submission=name):
                self._note(history, Act.ended, submission=name)
            case NoteLeft(submission=name, indices=indices):
                hours = (NO_HOURS,) * len(indices)
                self._note(history, Act.left, submission=name, indices=indices, hours=hours)
        yield

    def _submit(self, action: Submit, cluster: str, history: History, me: object) -> Iterator[None]:
        items = action.items
        self.num_sbatch += 1
        name = f"s{self.num_sbatch}"
        yield
        self._note(
            history,
            Act.submitting,
            submission=name,
            where=cluster,
            items=tuple(item.key for item in items),
            checkpoints=tuple(_checkpoints(item) for item in items if isinstance(item, ScoreItem)),
            after=action.after,
        )
        yield
        self._check_lock(me)
        after = history.submissions[action.after].job_id if action.after else ""
        job = self._sbatch(name, items, cluster, after)
        yield
        if job is None:
            return
        self._note(history, Act.submitted, submission=name, job_id=str(job.job_id))
        if action.scores:
            yield from self._submit(Submit(items=action.scores, after=name), cluster, history, me)

    def _sbatch(
        self, name: str, items: tuple[WorkItem, ...], cluster: str, after: str
    ) -> SimJob | None:
        """Hand over; None: it timed out, though the job may exist, or come to exist."""
        rivals = [job.name for job in self.jobs if after and job.after == after]
        assert not rivals, f"{rivals} score after job {after} already"
        queued = {item.key for job in self.jobs for item in job.alive()}
        twice = queued & {item.key for item in items if isinstance(item, TrainItem)}
        assert not twice, f"{twice} are in the queue already"
        fate = 1.0 if self.is_quiet else self.chance.random()
        if self.now < self.hung_until or fate < 0.15:
            self.now += POLICY.client_timeout_s
            if self.chance.random() < 0.4:
                return None
            awake = max(self.now, self.hung_until)
            filed_at, answer = awake + self.chance.uniform(0, POLICY.settle_s - 1), None
        else:
            filed_at, answer = self.now, True
        job = SimJob(
            name=name,
            job_id=self.num_sbatch,
            cluster=cluster,
            items=items,
            filed_at=filed_at,
            after=after,
        )
        job.pending.update(range(len(items)))
        self.jobs.append(job)
        return job if answer else None

    def _check_lock(self, me: object) -> None:
        if self.lock is None or self.lock[0] is not me:
            raise Killed

    def _note(self, history: History, act: Act, **given: Any) -> None:
        if not self.is_quiet and self.chance.random() < 0.02:
            raise Killed  # the disk is full, or the line is torn and so dropped
        line = Line(**{"time": self.now, "act": act, **given})
        self.lines.append(line)
        history.note(line)

    def die(self, me: object) -> None:
        """End a launcher; another host's lock stands for a while."""
        if self.lock is not None and self.lock[0] is me:
            self.lock = (None, self.now + self.chance.choice([0.0, LOCK_STALE_S]))

    # --- jobs

    def start_some(self) -> None:
        alive = {str(job.job_id) for job in self.jobs}
        for job in self.jobs:
            for index in sorted(job.pending) if job.after not in alive else ():
                if job.filed_at <= self.now and self.chance.random() < 0.5:
                    job.pending.discard(index)
                    job.running[index] = self._process(job, index)

    def _process(self, job: SimJob, index: int) -> Process:
        holder = Holder(
            where=job.cluster, submission=job.name, index=index, job_id=str(job.job_id),
            restart=job.restarts.get(index, 0), host="h", pid=1, pid_start=1,
        )  # fmt: skip
        return Process(holder=holder, item=job.items[index])

    def step_processes(self) -> None:
        for job in self.jobs:
            for index, process in list(job.running.items()):
                if not self._step(process):
                    del job.running[index]
        self.jobs = [job for job in self.jobs if job.pending or job.running]
        self.ghosts = [ghost for ghost in self.ghosts if self._step(ghost)]

    def _step(self, process: Process) -> bool:
        """Let a supervisor do one thing; return whether it goes on."""
        if isinstance(process.item, ScoreItem):
            self.scored |= pairs_of(c for c in process.item.checkpoints if c.segment in self.done)
            return False
        key = process.item.key
        if not process.trains:
            return key not in self.done and self._acquire(process, key)
        held = self.leases[key]
        process.trains = held.attempt.number == process.attempt and self._train(key, held)
        return process.trains

    def _acquire(self, process: Process, key: str) -> bool:
        held = self.leases.get(key)
        if held is None or held.attempt.outcome is not None:
            return self._take(process, key, held)
        if process.waits_since is None:
            if not self._may_wait_for(held.attempt.holder, process.holder):
                return False
            process.waits_since = self.now
        is_beating = any(p.trains and p.holder == held.attempt.holder for p in self._processes())
        if is_beating:
            process.waits_since = None
        elif self.now - process.waits_since >= STALE_S:
            if self._may_wait_for(held.attempt.holder, process.holder):
                return self._take(process, key, held)
            return False
        return True

    def _may_wait_for(self, holder: Holder, me: Holder) -> bool:
        """Return whether a holder is silent, as far as a waiter can know; else the waiter leaves."""
        if holder.where != me.where:
            return self.history().submissions[holder.submission].state is SubmissionState.over
        if (holder.submission, holder.index) == (me.submission, me.index):
            return holder.restart < me.restart
        queue = self.squeue(me.where)
        return queue is not None and queue.job_of(holder.submission, holder.index) is None

    def _take(self, process: Process, key: str, held: Lease | None) -> bool:
        rivals = [p for p in self._processes() if p.trains and p.item.key == key]
        assert not rivals, f"two live copies of {key}: {rivals[0].holder} and {process.holder}"
        following = lease.successor(held, process.holder, now=self.now, cores=1, gpus=0)
        self.leases[key] = following
        process.trains, process.attempt = True, following.attempt.number
        return True

    def _train(self, key: str, held: Lease) -> bool:
        fate = 1.0 if self.is_quiet else self.chance.random()
        if fate < 0.1:
            self._end(key, held, self.chance.choice([Outcome.crashed, Outcome.stalled]))
            return False
        step = TOTAL[key] // 3 + 1
        attempt = replace(held.attempt, samples=held.attempt.samples + step, beat_at=self.now)
        self.leases[key] = held = replace(held, attempt=attempt)
        if attempt.samples < TOTAL[key]:
            return True
        assert key not in self.done, f"{key} is completed twice"
        self.done.add(key)
        self._end(key, held, Outcome.done)
        return False

    def _end(self, key: str, held: Lease, outcome: Outcome) -> None:
        self.leases[key] = replace(held, attempt=replace(held.attempt, outcome=outcome))

    def _processes(self) -> list[Process]:
        return [*self.ghosts, *(p for job in self.jobs for p in job.running.values())]

    # --- faults

    def fault(self) -> None:
        match self.chance.randrange(5):
            case 0:
                self._lose_node(requeues=True)
            case 1:
                self._lose_node(requeues=False)
            case 2:
                self.hung_until = self.now + self.chance.uniform(0, 100)
            case 3:
                self._split_brain()
            case _:
                self._cancel()

    def _lose_node(self, *, requeues: bool) -> None:
        for job in self._some_running():
            index = self.chance.choice(sorted(job.running))
            del job.running[index]
            if requeues:
                job.restarts[index] = job.restarts.get(index, 0) + 1
                job.pending.add(index)

    def _split_brain(self) -> None:
        """A node's daemon dies and its steps go on, while the job starts again elsewhere."""
        for job in self._some_running():
            index = self.chance.choice(sorted(job.running))
            self.ghosts.append(job.running.pop(index))
            job.restarts[index] = job.restarts.get(index, 0) + 1
            job.pending.add(index)

    def _cancel(self) -> None:
        if self.jobs:
            self.jobs.remove(self.chance.choice(self.jobs))

    def _some_running(self) -> list[SimJob]:
        running = [job for job in self.jobs if job.running]
        return [self.chance.choice(running)] if running else []

    # --- the end

    def release_held(self, cluster: str) -> None:
        history = self.history()
        world = self.observed(cluster, history, self.squeue(cluster))
        states = segment_states(SWEEP.segments, world, POLICY.fruitless_attempts)
        held = {key for key, (state, _) in states.items() if state is State.held}
        failures = score_failures(world).items()
        held |= {c.partition("@")[0] for c, n in failures if n >= POLICY.fruitless_attempts}
        if held:
            attempts = tuple(self.leases[key].attempt.number for key in held)
            self._note(history, Act.resumed, items=tuple(held), attempts=attempts)

    @property
    def is_complete(self) -> bool:
        return self.done == set(SWEEP.segments) and pairs_of(self.wanted()) <= self.scored


def _lines(job: SimJob) -> Iterator[Job]:
    is_array = len(job.items) > 1
    if job.pending:
        indices = frozenset(job.pending) if is_array else None
        yield Job(job_id=str(job.job_id), name=job.name, indices=indices, is_running=False)
    for index in job.running:
        own = frozenset({index}) if is_array else None
        yield Job(job_id=f"{job.job_id}_{index}", name=job.name, indices=own, is_running=True)


def _checkpoints(item: ScoreItem) -> tuple[str, ...]:
    return tuple(task.checkpoint for task in item.checkpoints)
