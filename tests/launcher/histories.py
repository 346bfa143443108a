"""A world to launch in, made of chance: a queue that lags and lies, and processes that die anywhere.

The planner, the states and the ledger are the real ones; the scheduler, the launchers' steps and the
supervisors are played, one step at a time, so that anything may happen between two of them. What is
played of a supervisor are the rules of `launcher.jobs.acquire`.
"""

import functools
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from conf.schema import PolicyConfig, ScheduleConfig, ScheduleName
from launcher.machines.queue import Ended, Queue
from launcher.reconcile.actions import (
    Action,
    Adopt,
    Cancel,
    GiveUp,
    NoteCancelled,
    NoteEnded,
    NoteLeft,
    NoteUnlisted,
    Submit,
)
from launcher.reconcile.ends import end_of
from launcher.reconcile.explain import explained
from launcher.reconcile.observe import Observed, SegmentEvidence
from launcher.reconcile.plan import Work, plan
from launcher.reconcile.state import State, given_up, segment_states
from launcher.reconcile.told import Told
from launcher.records.ledger import Act, History, Line, SubmissionState, segment_of
from sweeps.costs.cost import NO_HOURS
from sweeps.work import lease
from sweeps.work.items import CheckpointEvals, ScoreItem, TrainItem, WorkItem, pairs_of
from sweeps.work.lease import Holder, Lease
from sweeps.work.outcome import Outcome
from tests.configs import EVAL, expansion_of, run_config
from tests.launcher.simulated import Memory, Process, SimJob
from tests.launcher.worlds import work

POLICY = PolicyConfig(client_timeout_s=10.0, settle_s=30.0, fruitless_attempts=3, scores_per_item=2)
STALE_S = 60.0
LOCK_STALE_S = 100.0
CLUSTERS = ("slurm@a", "slurm@b")
TRUNK = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="1 steps")
SWEEP = expansion_of(run_config(), run_config(seed=1), run_config(schedule=TRUNK))
WORK = work(SWEEP, has_scorers=True)
TOTAL = {key: segment.end for key, segment in SWEEP.segments.items()}


class Writer:
    """Who has read the ledger, file by file, and writes one: a launcher at work, or a user."""

    def __init__(self, files: list[list[Line]]) -> None:
        self._files = files
        self._own: list[Line] | None = None
        self._read: dict[int, int] = {}
        self.history = History()
        self.refresh()

    def refresh(self) -> None:
        """Take in what others have written since."""
        for number, lines in enumerate(self._files):
            if lines is not self._own:
                for line in lines[self._read.get(number, 0) :]:
                    self.history.note(line)
                self._read[number] = len(lines)

    def append(self, line: Line) -> None:
        """Write a line; the first one takes a file."""
        if self._own is None:
            self._own = []
            self._files.append(self._own)
        self._own.append(line)
        self.history.note(line)


class Launcher:
    """A launcher's process: the steps of its passes that are still to come."""

    steps: Iterator[None]
    ledger: Writer
    is_through: bool = False


class Killed(Exception):
    """The launcher dies here."""


class World:
    """All that exists, and all that may happen to it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.files: list[list[Line]] = []
        self.reader = Writer(self.files)
        self.jobs: list[SimJob] = []
        self.ghosts: list[Process] = []
        self.leases: dict[str, Lease] = {}
        self.done: set[str] = set()
        self.scored: set[tuple[str, str]] = set()
        self.lock: tuple[object, float] | None = None
        self.hung_until = 0.0
        self.is_quiet = False
        self.num_sbatch = 0
        self.memory = Memory()
        self.stopping: list[tuple[str, str]] = []
        self.most_jobs = self.chance.choice([None, 4, 8])
        self.unwanted: dict[str, tuple[str, int]] = {}
        self.noted: set[str] = set()

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
        seen = Observed(
            where=cluster if queue else "",
            history=history,
            queue=queue,
            segments=evidence,
            scored=frozenset(self.scored),
            room=self.room(cluster),
        )
        return explained(seen, self.sacct, self.memory.has_output)

    def room(self, cluster: str) -> int | None:
        """Return how many more jobs the controller takes: it counts what it has filed."""
        if self.most_jobs is None:
            return None
        filed = [job for job in self.jobs if job.cluster == cluster and job.filed_at <= self.now]
        return max(0, self.most_jobs - sum(len(job.alive()) for job in filed))

    def sacct(self, job_ids: list[str]) -> list[Ended] | None:
        is_known = self.is_quiet or self.chance.random() < 0.5
        return self.memory.accounting(job_ids) if is_known else None

    def squeue(self, cluster: str) -> Queue | None:
        if not self.is_quiet and (self.now < self.hung_until or self.chance.random() < 0.1):
            return None
        listed = [job for job in self.jobs if job.cluster == cluster and job.filed_at <= self.now]
        jobs = tuple(line for job in listed for line in job.lines())
        return Queue(asked_at=self.now, jobs=jobs, ended=self.memory.shown(cluster, self.now))

    def history(self) -> History:
        """Return the ledger as a witness knows it."""
        self.reader.refresh()
        return self.reader.history

    def planned(self, cluster: str, history: History, queue: Queue | None) -> list[Action]:
        seen = self.observed(cluster, history, queue)
        actions = plan(work_left_by(frozenset(self.done)), seen, POLICY, max_array_size=2)
        self._check_plan(actions, seen)
        return actions

    def _check_plan(self, actions: list[Action], seen: Observed) -> None:
        submits = [action for action in actions if isinstance(action, Submit)]
        num_jobs = sum(len(submit.items) + len(submit.scores) for submit in submits)
        assert seen.room is None or num_jobs <= seen.room, "more is submitted than there is room for"
        told = {
            (line.name, index)
            for line in (seen.queue.ended if seen.queue else ())
            if line.outcome is Outcome.cancelled
            for index in (line.indices or [0])
        }
        cancelled = {
            key
            for key, (name, index) in self.unwanted.items()
            if key in self.noted or (name, index) in told
        }
        wrong = cancelled & {item.key for submit in submits for item in submit.items}
        assert not wrong, f"the user cancelled {wrong}"

    # --- one pass of a launcher, step by step

    def launcher_of(self, cluster: str) -> "Launcher":
        me = Launcher()
        me.steps = self._passes(me, cluster)
        return me

    def _passes(self, me: Launcher, cluster: str) -> Iterator[None]:
        if self.lock is not None and self.lock[0] is not me:
            holder, beat_at = self.lock
            if holder is not None or self.now < beat_at:
                return
        self.lock = (me, self.now)
        me.ledger = self.reader if self.is_quiet else Writer(self.files)
        yield from self._pass(me, cluster)
        while not self.is_quiet and self.chance.random() < 0.8:
            yield from self._pass(me, cluster)
        self.lock = None
        me.is_through = True

    def _pass(self, me: Launcher, cluster: str) -> Iterator[None]:
        me.ledger.refresh()
        queue = self.squeue(cluster)
        yield
        for action in self.planned(cluster, me.ledger.history, queue):
            self._check_lock(me)
            yield from self._apply(action, cluster, me)

    def _apply(self, action: Action, cluster: str, me: Launcher) -> Iterator[None]:
        ledger = me.ledger
        match action:
            case Submit():
                yield from self._submit(action, cluster, me)
            case NoteCancelled(keys=keys, asked_at=at):
                self._note(ledger, Act.cancelled, items=keys, time=at)
                self.noted.update(keys)
            case Cancel(unwanted=unwanted):
                self.stopping += [(job.job_id, cluster) for job in unwanted]
            case Adopt(submission=name, job_id=job_id):
                self._note(ledger, Act.adopted, submission=name, job_id=job_id)
            case NoteUnlisted(submission=name, asked_at=at):
                self._note(ledger, Act.unlisted, submission=name, time=at)
            case GiveUp(submission=name):
                self._note(ledger, Act.lost, submission=name)
            case NoteEnded() | NoteLeft():
                self._note_ends(action, ledger)
        yield

    def _note_ends(self, action: NoteEnded | NoteLeft, ledger: Writer) -> None:
        name = action.submission
        items = ledger.history.submissions[name].items
        indices = action.indices if isinstance(action, NoteLeft) else tuple(range(len(items)))
        lines = action.told or [None] * len(indices)
        ends = [
            end_of(name, self.leases.get(items[index]), line)[0]
            for index, line in zip(indices, lines, strict=True)
        ]
        self._note(
            ledger,
            Act.left if isinstance(action, NoteLeft) else Act.ended,
            submission=name,
            indices=indices if isinstance(action, NoteLeft) else (),
            outcomes=tuple(end.value if end else "" for end in ends),
            hours=(NO_HOURS,) * len(indices),
        )

    def _submit(self, action: Submit, cluster: str, me: Launcher) -> Iterator[None]:
        items, ledger = action.items, me.ledger
        self.num_sbatch += 1
        name = f"s{self.num_sbatch}"
        yield
        self._note(
            ledger,
            Act.submitting,
            submission=name,
            where=cluster,
            items=tuple(item.key for item in items),
            checkpoints=tuple(_checkpoints(item) for item in items if isinstance(item, ScoreItem)),
            after=action.after,
        )
        yield
        self._check_lock(me)
        after = ledger.history.submissions[action.after].job_id if action.after else ""
        room = self.room(cluster)
        if room is not None and len(items) > room:
            self._note(ledger, Act.deferred, submission=name)
            return
        job = self._sbatch(name, items, cluster, after)
        yield
        if job is None:
            return
        self._note(ledger, Act.submitted, submission=name, job_id=str(job.job_id))
        if action.scores:
            yield from self._submit(Submit(items=action.scores, after=name), cluster, me)

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

    def _note(self, ledger: Writer, act: Act, **given: Any) -> None:
        if not self.is_quiet and self.chance.random() < 0.02:
            raise Killed  # the disk is full, or the line is torn and so dropped
        ledger.append(Line(**{"time": self.now, "act": act, **given}))

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
                    self.memory.start(job, index)

    def _process(self, job: SimJob, index: int) -> Process:
        holder = Holder(
            where=job.cluster, submission=job.name, index=index, job_id=str(job.job_id),
            restart=job.restarts.get(index, 0), host="h", pid=1, pid_start=1,
        )  # fmt: skip
        return Process(holder=holder, item=job.items[index])

    def step_processes(self) -> None:
        while self.stopping:
            self._scancel(*self.stopping.pop())
        for job in self.jobs:
            for index, process in list(job.running.items()):
                if not self._step(process):
                    del job.running[index]
                    self.memory.end(job, [index], self._outcome(process), self.now)
        self.jobs = [job for job in self.jobs if job.pending or job.running]
        self.ghosts = [ghost for ghost in self.ghosts if self._step(ghost)]

    def _outcome(self, process: Process) -> Outcome | None:
        """Return what Slurm says of a process that left: it failed, or nothing."""
        held = self.leases.get(process.item.key)
        is_own = held is not None and held.attempt.holder == process.holder
        return Outcome.crashed if is_own and held and held.attempt.outcome is not Outcome.done else None

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
        return queue is not None and queue.job_of(holder.submission, holder.task) is None

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
                self.hung_until = max(self.hung_until, self.now + self.chance.uniform(0, 100))
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
            else:
                self.memory.end(job, [index], Outcome.node_failure, self.now)

    def _split_brain(self) -> None:
        """A node's daemon dies and its steps go on, while the job starts again elsewhere."""
        for job in self._some_running():
            index = self.chance.choice(sorted(job.running))
            self.ghosts.append(job.running.pop(index))
            job.restarts[index] = job.restarts.get(index, 0) + 1
            job.pending.add(index)

    def _cancel(self) -> None:
        """Let the user cancel a job, or one task of an array that waits, which leaves no trace."""
        filed = [job for job in self.jobs if job.filed_at <= self.now]
        if not filed:
            return
        job = self.chance.choice(filed)
        if len(job.pending) > 1 and self.chance.random() < 0.5:
            index = self.chance.choice(sorted(job.pending))
            job.pending.discard(index)
            self._dislike(job, [index])
            return
        self.jobs.remove(job)
        self.memory.end(job, job.pending, Outcome.cancelled, self.now)
        for index in job.running:
            self.memory.end(job, [index], Outcome.cancelled, self.now)
        self._dislike(job, [*job.pending, *job.running])

    def _scancel(self, job_id: str, cluster: str) -> None:
        """Let a launcher end a job, or a task of an array."""
        number, _, task = job_id.partition("_")
        for job in [job for job in self.jobs if (str(job.job_id), job.cluster) == (number, cluster)]:
            for index in [int(task)] if task else [*job.pending, *job.running]:
                if job.running.pop(index, None):
                    self.memory.end(job, [index], Outcome.cancelled, self.now)
                job.pending.discard(index)

    def _dislike(self, job: SimJob, indices: list[int]) -> None:
        """Remember what the user has cancelled, unless it is alive elsewhere too, or was given up."""
        alive = {item.key for other in self.jobs for item in other.alive()}
        state = self.history().submissions[job.name].state
        for index in indices:
            item, key = job.items[index], job.items[index].key
            is_training = isinstance(item, TrainItem)
            if is_training and key not in alive and state is not SubmissionState.over:
                self.unwanted[key] = (job.name, index)

    def _some_running(self) -> list[SimJob]:
        running = [job for job in self.jobs if job.running]
        return [self.chance.choice(running)] if running else []

    # --- the end

    def calm_down(self) -> None:
        """Let nothing go wrong any more; one who reads the ledger anew does all that is left to do."""
        self.is_quiet, self.now = True, max(self.now, self.hung_until)
        self.reader = Writer(self.files)

    def release_held(self, cluster: str) -> None:
        """Let the user resume all that is held or cancelled."""
        ledger = Writer(self.files)
        world = self.observed(cluster, ledger.history, self.squeue(cluster))
        told = Told(world)
        states = segment_states(SWEEP.segments, world, POLICY.fruitless_attempts, told)
        held = {key for key, (state, _) in states.items() if state in (State.held, State.cancelled)}
        given = given_up(wanted_of(SWEEP.segments), world, POLICY.fruitless_attempts)
        held |= {segment_of(checkpoint) for checkpoint in given}
        held |= {segment_of(key) for key in world.history.cancelled | told.cancelled}
        if held:
            known = [self.leases.get(key) for key in held]
            attempts = tuple(one.attempt.number if one else 0 for one in known)
            self._note(ledger, Act.resumed, items=tuple(held), attempts=attempts)
            self.unwanted = {k: v for k, v in self.unwanted.items() if k not in held}
            self.noted -= held

    @property
    def is_complete(self) -> bool:
        return self.done == set(SWEEP.segments) and pairs_of(wanted_of(self.done)) <= self.scored


@functools.cache
def work_left_by(done: frozenset[str]) -> Work:
    """Return what the sweep is made of when some of its segments are trained."""
    return replace(WORK, scoring=replace(WORK.scoring, wanted=wanted_of(done)))


def wanted_of(done: Iterable[str]) -> list[CheckpointEvals]:
    """Return the scores that are wanted of the segments that are trained."""
    return [
        CheckpointEvals(segment=key, samples_seen=TOTAL[key], evals=EVAL.evals) for key in sorted(done)
    ]


def _checkpoints(item: ScoreItem) -> tuple[str, ...]:
    return tuple(task.checkpoint for task in item.checkpoints)
