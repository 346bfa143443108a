"""Passes over a sweep: observe, plan, apply, then tell the hooks."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, cached_property

from conf.schema import ClusterKind, ResourceConfig
from evaluation import unfinished
from evaluation.results import compaction
from launcher.machines.executor import Executor
from launcher.machines.queue import Job
from launcher.provenance.snapshot import Snapshot, import_from
from launcher.reconcile import prepare
from launcher.reconcile.account import Costs
from launcher.reconcile.apply import Site, apply
from launcher.reconcile.code import code_of
from launcher.reconcile.deliver import (
    checkpoint_event,
    checkpoint_events,
    completion_events,
    deliver,
    failed_deliveries,
    last_words,
)
from launcher.reconcile.explain import explained
from launcher.reconcile.lock import Lock
from launcher.reconcile.observe import Observed, observe
from launcher.reconcile.plan import Work, plan
from launcher.reconcile.scores import Scoring
from launcher.reconcile.standing import Standing, as_measured, costs_of, standing_of
from launcher.reconcile.state import RunStatus, State
from launcher.reconcile.sweep import Sweep, wanted_of
from launcher.reconcile.waits import waits_of
from launcher.records import quarantine
from launcher.records.ledger import Ledger, SubmissionState
from launcher.records.submission import output_path
from sweeps.costs.cost import estimate
from sweeps.costs.layout import items_per_job
from sweeps.costs.rates import Rates, published_rates
from sweeps.runs.expansion import owners_of
from sweeps.runs.sources import source_files
from sweeps.text import plural
from sweeps.work.items import CheckpointEvals, TrainItem

log = logging.getLogger(__name__)

LOCAL_PASS_S = 5.0
LOCAL_POLL_S = 0.25
STOP_PATIENCE_S = 60.0
SCORER = ResourceConfig()
"""The layout of a scoring process."""
ACTIVE = {State.running, State.queued, State.waiting, State.trained}


class Reconciler:
    """Makes passes over one sweep. Whoever makes one holds the root's lock."""

    def __init__(
        self,
        sweep: Sweep,
        executor: Executor,
        ledger: Ledger,
        lock: Lock,
        *,
        words: tuple[str, ...],
    ) -> None:
        self._sweep, self._executor, self._ledger = sweep, executor, ledger
        self._train = _train_items(sweep)
        self._event_of = checkpoint_event(sweep.root, sweep.expansion)
        self._num_submissions = 0
        self._warned: set[str] = set()
        self._site = Site(
            root=sweep.root,
            sweep=sweep.name,
            words=words,
            cluster=sweep.launch.cluster,
            policy=sweep.launch.policy,
            executor=executor,
            ledger=ledger,
            lock=lock,
            code=cache(self._code),
        )

    def make_pass(self) -> Standing:
        """Observe, plan, apply; then tell the hooks, and keep the table tidy."""
        observed = self._observe()
        costs = as_measured(self._costs, observed)
        policy = self._sweep.launch.policy
        events = checkpoint_events(self._sweep.root, self._sweep.expansion, observed.segments)
        wanted = wanted_of(self._sweep, events)
        actions = plan(self._work(wanted, costs), observed, policy, self._executor.max_array_size)
        jobs = apply(actions, self._site)
        self._num_submissions += len(jobs)
        if observed.queue is not None:
            queue = replace(observed.queue, jobs=(*observed.queue.jobs, *jobs))
            observed = replace(observed, queue=queue)
        self._warn_of_other_machines(observed)
        self._warn_of_stuck_jobs(observed)
        standing = standing_of(self._sweep, observed, wanted, costs)
        _say_what_waits(observed.room, jobs, standing.statuses)
        expansion = self._sweep.expansion
        completions = completion_events(self._sweep.root, expansion, standing.statuses)
        deliver([*events, *completions], self._sweep.hooks, self._ledger)
        quarantine.forget_expired(self._sweep.root.quarantine, time.time())
        compaction.keep_tidy(self._sweep.root.results)
        unfinished.delete_orphans(self._sweep.root)
        return standing

    def passes(self) -> Standing:
        """Make passes until no run is active; then compact the table."""
        known: dict[str, State] = {}
        try:
            while True:
                standing = self.make_pass()
                _log_changes(standing.statuses, known)
                if not any(map(is_active, standing.statuses)):
                    compaction.compact(self._sweep.root.results)
                    return standing
                self._site.code()  # what later passes submit runs the same code as the first
                self._wait()
        except KeyboardInterrupt:
            if self._is_local:
                self._stop_all()
            raise

    @property
    def num_submissions(self) -> int:
        """How many submissions were handed over in all passes."""
        return self._num_submissions

    def last_words(self, statuses: Sequence[RunStatus]) -> list[str]:
        """Return what the hooks of completed runs and sweeps said last."""
        completions = completion_events(self._sweep.root, self._sweep.expansion, statuses)
        return [said for event in completions for said in last_words(event, self._ledger)]

    def failed_deliveries(self) -> list[str]:
        """Return a line for each hook that could not be told of something."""
        return failed_deliveries(self._ledger.history)

    def _warn_of_other_machines(self, observed: Observed) -> None:
        """Say, once, that something was submitted where it cannot be asked about from here."""
        for record in observed.history.submissions.values():
            is_here = observed.queue is None or record.where == observed.where
            if is_here or record.state is SubmissionState.over or record.where in self._warned:
                continue
            self._warned.add(record.where)
            log.warning(
                "work was submitted on %s, which cannot be asked from here, and is not repeated; "
                "launch there, or if that machine is gone for good, add policy.lost_machines=[%s]",
                record.where,
                record.where,
            )

    def _warn_of_stuck_jobs(self, observed: Observed) -> None:
        """Say, once, that jobs wait which nothing but the user will start."""
        stuck = {str(wait) for wait in waits_of(observed) if wait.advice}
        for line in stuck - self._warned:
            log.warning("%s", line)
        self._warned |= stuck

    def _stop_all(self) -> None:
        """Have everything of this root that runs on this machine save a checkpoint and leave."""
        ours = self._our_jobs()
        log.info("stopping %s at the next step", plural(len(ours), "work item"))
        self._executor.stop([job.job_id for job in ours])
        deadline = time.monotonic() + STOP_PATIENCE_S
        while self._our_jobs() and time.monotonic() < deadline:
            time.sleep(LOCAL_POLL_S)

    def _our_jobs(self) -> list[Job]:
        ours = self._ledger.history.submissions
        return [job for job in self._executor.queue().jobs if job.name in ours]

    def _observe(self) -> Observed:
        self._ledger.refresh()
        segments = self._sweep.expansion.segments.values()
        observed = observe(self._sweep.root, segments, self._ledger.history, self._executor)
        if observed.queue is None:
            return observed
        observed = replace(observed, room=self._executor.room(observed.queue))
        return explained(observed, self._executor.ends, self._has_output)

    def _has_output(self, submission: str, task: int) -> bool:
        return output_path(self._sweep.root.submission(submission), task).exists()

    def _code(self) -> Snapshot:
        """Return the code of all passes; what this process has yet to import is taken from it, too."""
        taken = code_of(self._sweep, self._ledger.history)
        import_from(taken)
        return taken

    def _wait(self) -> None:
        """Wait until another pass is worth while: locally, as soon as some process has ended."""
        if not self._is_local:
            time.sleep(self._sweep.launch.policy.poll_s)
            return
        before = self._executor.queue().jobs
        deadline = time.monotonic() + LOCAL_PASS_S
        while time.monotonic() < deadline and self._executor.queue().jobs == before:
            time.sleep(LOCAL_POLL_S)

    @cached_property
    def _costs(self) -> Costs:
        """What trainings cost by published rates; the sweep must have been frozen."""
        return costs_of(self._sweep)

    def _work(self, wanted: Sequence[CheckpointEvals], costs: Costs) -> Work:
        datasets = prepare.eval_datasets(self._sweep.expansion.runs)
        scoring = Scoring(
            wanted=wanted,
            foreseen=self._foreseen,
            datasets={n: self._sweep.root.absolute(d.path) for n, d in datasets.items()},
            resources=SCORER,
            per_item=self._sweep.launch.policy.scores_per_item,
            pack=items_per_job(SCORER, self._sweep.launch.cluster),
            most_jobs=self._executor.max_array_size,
        )
        return Work(
            segments=self._sweep.expansion.segments,
            train=self._train,
            scoring=scoring,
            cluster=self._sweep.launch.cluster,
            costs=costs,
        )

    def _foreseen(self, key: str) -> list[CheckpointEvals]:
        """Return the scores that will be asked of a segment; on this machine passes see to them."""
        segment = self._sweep.expansion.segments.get(key)
        if segment is None or self._is_local:
            return []
        return wanted_of(self._sweep, [self._event_of(key, n) for n in segment.milestones])

    @property
    def _is_local(self) -> bool:
        return self._sweep.launch.cluster.kind is ClusterKind.local


def _say_what_waits(room: int | None, jobs: Iterable[Job], statuses: Iterable[RunStatus]) -> None:
    """Say that runs wait for the user's own jobs to end, where a limit leaves no room for more."""
    if room is None or sum(job.num_tasks for job in jobs) < room:
        return
    if waiting := sum(status.state is State.waiting for status in statuses):
        log.info(
            "limits on jobs leave no room for more of yours now; waiting: %s", plural(waiting, "run")
        )


def is_active(status: RunStatus) -> bool:
    """Return whether a run goes on by itself."""
    return status.state in ACTIVE and not status.is_held_up


def _train_items(sweep: Sweep) -> list[TrainItem]:
    """Return all trainings, the most expensive first, so that the last ones to end are short."""
    owners = owners_of(sweep.expansion)
    items = [
        TrainItem(
            segment=segment,
            sources=source_files(owners[key].config.data, sweep.root),
            resources=owners[key].config.resources,
            save_every_s=owners[key].config.checkpoints.save_every_s,
            sweep=sweep.name,
            wandb=sweep.launch.wandb,
        )
        for key, segment in sweep.expansion.segments.items()
    ]
    rates = Rates(published_rates())

    def cost(item: TrainItem) -> float:
        known = estimate(item.segment, item.resources, sweep.launch.cluster, rates)
        return known.core_hours if known else 0.0

    return sorted(items, key=cost, reverse=True)


def _log_changes(statuses: Sequence[RunStatus], known: dict[str, State]) -> None:
    """Say which runs changed their state since this was last asked."""
    done = sum(status.state is State.done for status in statuses)
    for status in statuses:
        run_id, state = status.run.run_id, status.state
        if known.get(run_id) not in (None, state) and state in (
            State.trained,
            State.done,
            State.held,
        ):
            log.info("%s: %s (%d of %d runs done)", run_id, state.value, done, len(statuses))
        known[run_id] = state
