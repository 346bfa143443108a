"""Carry out a plan. Every act is in the ledger before it is begun and after it is through."""

import logging
import shutil
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from conf.schema import ClusterConfig, PolicyConfig
from launcher.machines.executor import Executor
from launcher.machines.queue import Job
from launcher.provenance import environment
from launcher.provenance.snapshot import Snapshot
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
from launcher.reconcile.ends import ends_of
from launcher.reconcile.lock import Lock
from launcher.reconcile.unwanted import Unwanted
from launcher.records import submission
from launcher.records.ledger import Act, Ledger, Line
from launcher.records.submission import Submission
from sweeps.costs.layout import items_per_job
from sweeps.errors import QueueUnknown, SubmissionDeferred, SubmissionRefused
from sweeps.folders import Root
from sweeps.runs.frozen import freeze_segment
from sweeps.text import plural
from sweeps.work.items import ScoreItem, TrainItem

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where actions are carried out, and on whose behalf.

    `words`: what was typed to launch the sweep. `code` returns the code that jobs run, and copies it
    when it is first called.
    """

    root: Root
    sweep: str
    words: tuple[str, ...]
    cluster: ClusterConfig
    policy: PolicyConfig
    executor: Executor
    ledger: Ledger
    lock: Lock
    code: Callable[[], Snapshot]


def apply(actions: Iterable[Action], site: Site) -> list[Job]:
    """Carry out the actions in order; return the jobs that were made.

    Raises:
        SubmissionRefused: the scheduler said no to a submission, for good.
        KeyConflict: a segment's folder belongs to another configuration.
        LauncherBusy: another launcher took over meanwhile.
    """
    jobs: list[Job] = []
    has_room = True
    for action in actions:
        site.lock.check()
        match action:
            case Submit():
                has_room = has_room and _submit_what_fits(action, site, jobs)
            case Cancel():
                end(action.unwanted, site.root, site.executor)
            case _:
                _take_note(action, site)
    return jobs


def _take_note(
    action: Adopt | NoteUnlisted | GiveUp | NoteEnded | NoteLeft | NoteCancelled, site: Site
) -> None:
    """Put into the ledger what was found out."""
    match action:
        case NoteCancelled(keys=keys, asked_at=at):
            log.info("cancelled in the queue, until resume: %s", ", ".join(keys))
            site.ledger.append(Line(time=at, act=Act.cancelled, items=keys))
        case Adopt():
            log.info("adopted job %s of %s", action.job_id, action.submission)
            _note(site, Act.adopted, action.submission, job_id=action.job_id)
        case NoteUnlisted():
            _note(site, Act.unlisted, action.submission, at=action.asked_at)
        case GiveUp():
            log.info("%s never became a job; its items are planned again", action.submission)
            _note(site, Act.lost, action.submission)
        case NoteEnded() | NoteLeft():
            _note_ends(action, site)


def _submit_what_fits(action: Submit, site: Site, jobs: list[Job]) -> bool:
    """Submit items, or as many of the first ones as the scheduler takes; return whether to go on.

    The scorers of trainings follow them at once.
    """
    try:
        job = _submit(action, site, site.executor.avoided())
    except QueueUnknown as error:
        log.warning("nothing is submitted now: %s", error)
        return False
    except SubmissionDeferred as error:
        if len(action.items) == 1:
            log.info("%s; what is left waits for the next pass", error)
            return False
        half = len(action.items) // 2
        parts = (action.of(action.items[:half]), action.of(action.items[half:]))
        return all(_submit_what_fits(part, site, jobs) for part in parts)
    if job is None:
        return False  # a scheduler that gives no clear answer is in trouble, and each call takes long
    jobs.append(job)
    if not action.scores:
        return True
    return _submit_what_fits(Submit(items=action.scores, after=job.name), site, jobs)


def end(unwanted: Iterable[Unwanted], root: Root, executor: Executor) -> None:
    """End jobs, or tell the supervisors of some of their items to leave.

    A scheduler that does not answer is told again by the next pass.
    """
    whole = []
    for job in unwanted:
        for index in job.items:
            submission.cancel_mark(root.submission(job.submission), index).touch()
        if not job.items:
            whole.append(job.job_id)
    try:
        if whole:
            executor.stop(whole)
    except QueueUnknown as error:
        log.warning("%s; the next pass ends what is cancelled and alive", error)


def _submit(action: Submit, site: Site, avoided: Collection[str]) -> Job | None:
    train = tuple(item for item in action.items if isinstance(item, TrainItem))
    score = tuple(item for item in action.items if isinstance(item, ScoreItem))
    known = site.ledger.history.submissions
    kind, code = "train" if train else "score", site.code()
    given = Submission(
        id=submission.new_id(site.root, site.sweep, kind),
        where=site.executor.where,
        root=site.root.path,
        cluster=site.cluster,
        policy=site.policy,
        code=code.folder,
        checkout=code.checkout,
        commit=code.commit,
        train=train,
        score=score,
        pack=items_per_job(action.items[0].resources, site.cluster),
        after_job=known[action.after].job_id if action.after else "",
        words=site.words,
    )
    for item in train:
        freeze_segment(site.root, item.segment)
    submission.write(given)
    environment.record(given.folder)
    _note(
        site,
        Act.submitting,
        given.id,
        sweep=site.sweep,
        where=given.where,
        items=tuple(item.key for item in given.items),
        checkpoints=tuple(tuple(c.checkpoint for c in item.checkpoints) for item in score),
        pack=given.pack,
        after=action.after,
    )
    site.lock.check()
    try:
        job_id = site.executor.submit(given, avoided)
    except (SubmissionDeferred, SubmissionRefused) as error:
        is_deferred = isinstance(error, SubmissionDeferred)
        _note(site, Act.deferred if is_deferred else Act.refused, given.id, detail=str(error))
        shutil.rmtree(given.folder)
        raise
    except QueueUnknown as error:
        log.warning("%s: %s; whether it became a job will be seen", given.id, error)
        return None
    _note(site, Act.submitted, given.id, job_id=job_id)
    log.info("job %s: %s", job_id, describe(given))
    indices = frozenset(range(given.num_jobs)) if given.num_jobs > 1 else None
    return Job(job_id=job_id, name=given.id, indices=indices, is_running=False)


def _note_ends(action: NoteEnded | NoteLeft, site: Site) -> None:
    indices = action.indices if isinstance(action, NoteLeft) else ()
    act = Act.left if indices else Act.ended
    ends = ends_of(site.root, action.submission, indices, action.told)
    _note(site, act, action.submission, indices=indices, **ends)


def describe(given: Submission) -> str:
    """Return what a submission does, in a few words."""
    if given.score:
        when = f" when job {given.after_job} is over" if given.after_job else ""
        return f"score {plural(sum(len(item.checkpoints) for item in given.score), 'checkpoint')}{when}"
    keys = [item.key for item in given.train]
    return f"train {keys[0]}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")


def _note(site: Site, act: Act, name: str, *, at: float | None = None, **more: Any) -> None:
    now = time.time() if at is None else at
    site.ledger.append(Line(time=now, act=act, submission=name, **more))
