"""Launching: one pass of the reconciler, or passes until the sweep is complete."""

import contextlib
import logging
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conf.schema import ClusterKind, LaunchConfig, ResourceConfig
from evaluation import store
from launcher import prepare
from launcher.apply import Site, apply
from launcher.deliver import checkpoint_events, completion_events, deliver, last_words
from launcher.executor import Executor, executor_for
from launcher.hooks import Hook, read_hooks, wanted_scores
from launcher.ledger import Act, Ledger, Line, read_history
from launcher.lock import Lock, locked
from launcher.observe import Observed, SegmentEvidence, observe, observe_files
from launcher.plan import Submit, Work, plan
from launcher.queue import Job
from launcher.state import RunStatus, State, run_statuses
from sweeps import frozen
from sweeps.compose import Request
from sweeps.cost import estimate, load_rates
from sweeps.errors import UsageError
from sweeps.expansion import Expansion, Run, expand
from sweeps.folders import CHECKOUT, Root, make_folders, refuse_unusable, root_of
from sweeps.frozen import FrozenSweep
from sweeps.items import CheckpointEvals, TrainItem

log = logging.getLogger(__name__)

LOCAL_PASS_S = 5.0
LOCAL_POLL_S = 0.25
STOP_PATIENCE_S = 60.0
COMPACT_FILES = 200
ACTIVE = {State.running, State.queued, State.waiting, State.trained}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """A sweep as a launch sees it: what it is, where it lives, and who is told of it."""

    expansion: Expansion
    launch: LaunchConfig
    root: Root
    hooks: list[Hook]

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.expansion.sweep


def sweep_of(request: Request) -> Sweep:
    """Return the sweep that a command line asks for; nothing is written."""
    return Sweep(
        expansion=expand(request.sweep, request.cells, request.configs),
        launch=request.launch,
        root=root_of(request.launch.root),
        hooks=read_hooks(request.launch.hooks),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Launched:
    """What a launch did: submissions made, the runs' status afterwards, and what hooks said last."""

    num_submissions: int
    statuses: list[RunStatus]
    last_words: list[str]


def launch(request: Request, *, until_complete: bool) -> Launched:
    """Start what is missing of a sweep.

    Args:
        request: the command line's.
        until_complete: make passes until nothing is left to wait for, not one.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    sweep = sweep_of(request)
    prepare.refuse_impossible(sweep.root, sweep.expansion, sweep.launch.cluster)
    executor = executor_for(sweep.launch.cluster, sweep.launch.policy)
    where = executor.where
    make_folders(sweep.root)
    log.info("sweep %s on %s, root %s", sweep.name, where, sweep.root.path)
    with _reconciler(sweep, executor) as reconciler:
        merge = request.selected or request.overridden
        frozen.freeze(sweep.root, _frozen(sweep), merge=merge)
        prepare.generate_missing(sweep.root, sweep.expansion)
        statuses = reconciler.passes() if until_complete else reconciler.make_pass()
        return reconciler.result(statuses)


def resume(request: Request) -> list[RunStatus]:
    """Let the runs that are held be tried again by the next launch; return them as they were.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    sweep = sweep_of(request)
    refuse_unusable(sweep.root)
    if not sweep.root.ledger.is_dir():
        return []
    with locked(sweep.root.path, sweep.launch.policy.lock_stale_s):
        held = [s for s in current_statuses(sweep) if s.state is State.held]
        ledger = Ledger(sweep.root.ledger)
        if keys := tuple(dict.fromkeys(key for s in held for key in s.run.segments)):
            ledger.append(Line(time=time.time(), act=Act.resumed, items=keys))
        ledger.close()
    return held


def current_statuses(sweep: Sweep) -> list[RunStatus]:
    """Return the status of each run as it is now; nothing is written."""
    executor = executor_for(sweep.launch.cluster, sweep.launch.policy)
    segments, history = sweep.expansion.segments.values(), read_history(sweep.root.ledger)
    try:
        observed = observe(sweep.root, segments, history, executor)
    except UsageError as error:
        log.warning("%s; what is alive is unknown", error)
        observed = observe_files(sweep.root, segments, history)
    return statuses_of(sweep, observed)


def statuses_by_files(sweep: Sweep) -> tuple[list[RunStatus], dict[str, int]]:
    """Return the status of each run and the samples trained of each segment, by files alone."""
    segments, history = sweep.expansion.segments, read_history(sweep.root.ledger)
    observed = observe_files(sweep.root, segments.values(), history)
    trained = {
        key: segments[key].end if evidence.is_done else evidence.samples
        for key, evidence in observed.segments.items()
    }
    return statuses_of(sweep, observed), trained


def statuses_of(sweep: Sweep, observed: Observed) -> list[RunStatus]:
    """Return the status of each run, given what was observed."""
    return run_statuses(
        sweep.expansion.runs,
        sweep.expansion.segments,
        observed,
        wanted_of(sweep, observed.segments),
        sweep.launch.policy.fruitless_attempts,
    )


def wanted_of(sweep: Sweep, evidence: Mapping[str, SegmentEvidence]) -> list[CheckpointEvals]:
    """Return the scores that hooks ask for, of the checkpoints that exist."""
    events = checkpoint_events(sweep.root, sweep.expansion, evidence)
    return [task for event in events for task in wanted_scores(sweep.hooks, event)]


class _Reconciler:
    """Makes passes over one sweep while it holds the root's lock."""

    def __init__(self, sweep: Sweep, executor: Executor, ledger: Ledger, lock: Lock) -> None:
        self._sweep, self._executor, self._ledger = sweep, executor, ledger
        self._train = _train_items(sweep)
        self._num_submissions = 0
        self._site = Site(
            root=sweep.root,
            sweep=sweep.name,
            cluster=sweep.launch.cluster,
            policy=sweep.launch.policy,
            executor=executor,
            ledger=ledger,
            lock=lock,
            commit=code_commit(),
        )

    def make_pass(self) -> list[RunStatus]:
        """Observe, plan, apply; then tell the hooks, and keep the table tidy."""
        observed = self._observe()
        policy = self._sweep.launch.policy
        actions = plan(self._work(observed), observed, policy, self._max_array_size)
        apply(actions, self._site)
        self._num_submissions += sum(isinstance(action, Submit) for action in actions)
        if actions:
            observed = self._observe()
        statuses = statuses_of(self._sweep, observed)
        self._tell(observed, statuses)
        if store.num_inbox_files(self._sweep.root.results) >= COMPACT_FILES:
            store.compact(self._sweep.root.results)
        return statuses

    def passes(self) -> list[RunStatus]:
        """Make passes until no run is active; then compact the table."""
        known: dict[str, State] = {}
        try:
            while True:
                statuses = self.make_pass()
                _log_changes(statuses, known)
                if not any(status.state in ACTIVE for status in statuses):
                    store.compact(self._sweep.root.results)
                    return statuses
                self._wait()
        except KeyboardInterrupt:
            if self._is_local:
                self._stop_all()
            raise

    def result(self, statuses: list[RunStatus]) -> Launched:
        """Return what was done in all passes."""
        completions = completion_events(self._sweep.root, self._sweep.expansion, statuses)
        words = [said for event in completions for said in last_words(event, self._ledger)]
        return Launched(num_submissions=self._num_submissions, statuses=statuses, last_words=words)

    def _stop_all(self) -> None:
        """Have everything of this root that runs on this machine save a checkpoint and leave."""
        ours = self._our_jobs()
        log.info("stopping %d work items at their next step", len(ours))
        for job in ours:
            self._executor.stop(job.job_id)
        deadline = time.monotonic() + STOP_PATIENCE_S
        while self._our_jobs() and time.monotonic() < deadline:
            time.sleep(LOCAL_POLL_S)

    def _our_jobs(self) -> list[Job]:
        ours = self._ledger.history.submissions
        return [job for job in self._executor.queue().jobs if job.name in ours]

    def _observe(self) -> Observed:
        segments = self._sweep.expansion.segments.values()
        return observe(self._sweep.root, segments, self._ledger.history, self._executor)

    def _tell(self, observed: Observed, statuses: Sequence[RunStatus]) -> None:
        events = checkpoint_events(self._sweep.root, self._sweep.expansion, observed.segments)
        deliver(events, self._sweep.hooks, self._ledger)
        completions = completion_events(self._sweep.root, self._sweep.expansion, statuses)
        deliver(completions, self._sweep.hooks, self._ledger)

    def _wait(self) -> None:
        """Wait until another pass is worth while: locally, as soon as some process has ended."""
        if not self._is_local:
            time.sleep(self._sweep.launch.policy.poll_s)
            return
        before = self._executor.queue().jobs
        deadline = time.monotonic() + LOCAL_PASS_S
        while time.monotonic() < deadline and self._executor.queue().jobs == before:
            time.sleep(LOCAL_POLL_S)

    def _work(self, observed: Observed) -> Work:
        datasets = prepare.eval_datasets(self._sweep.expansion.runs)
        return Work(
            segments=self._sweep.expansion.segments,
            train=self._train,
            wanted=wanted_of(self._sweep, observed.segments),
            datasets={n: self._sweep.root.absolute(d.path) for n, d in datasets.items()},
            score_resources=ResourceConfig(),
        )

    @property
    def _is_local(self) -> bool:
        return self._sweep.launch.cluster.kind is ClusterKind.local

    @property
    def _max_array_size(self) -> int:
        return 1 if self._is_local else self._sweep.launch.cluster.max_array_size


def code_commit() -> str:
    """Return the commit of the checkout, with `+` where files differ from it; empty without git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


@contextlib.contextmanager
def _reconciler(sweep: Sweep, executor: Executor) -> Iterator[_Reconciler]:
    with locked(sweep.root.path, sweep.launch.policy.lock_stale_s) as lock:
        ledger = Ledger(sweep.root.ledger)
        try:
            yield _Reconciler(sweep, executor, ledger, lock)
        finally:
            ledger.close()


def _frozen(sweep: Sweep) -> FrozenSweep:
    return FrozenSweep(
        expansion=sweep.expansion,
        launch=sweep.launch,
        conf_digest=frozen.conf_digest(),
    )


def _train_items(sweep: Sweep) -> list[TrainItem]:
    """Return all trainings, the most expensive first, so that the last ones to end are short."""
    owners = _owners(sweep.expansion)
    items = [
        TrainItem(
            segment=segment,
            shards=sweep.root.absolute(owners[key].config.data.shards),
            resources=owners[key].config.resources,
            save_every_s=owners[key].config.checkpoints.save_every_s,
        )
        for key, segment in sweep.expansion.segments.items()
        if key in owners
    ]
    rates = load_rates()

    def cost(item: TrainItem) -> float:
        known = estimate(item.segment, item.resources, sweep.launch.cluster, rates)
        return known.core_hours if known else 0.0

    return sorted(items, key=cost, reverse=True)


def _owners(expansion: Expansion) -> dict[str, Run]:
    """Return for each segment the longest run that it belongs to; its layout counts."""
    ordered = sorted(expansion.runs, key=lambda run: run.samples_seen)
    return {key: run for run in ordered for key in run.segments}


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
