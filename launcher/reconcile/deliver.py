"""Tell hooks what is complete: events from evidence, each delivered until it succeeded once."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from conf.schema import EvalConfig, EvalSpec, HookMoment
from launcher.reconcile.hooks import Hook
from launcher.reconcile.observe import SegmentEvidence
from launcher.reconcile.state import RunStatus, State
from launcher.records.ledger import Act, History, Ledger, Line
from sweeps import durable
from sweeps.folders import Root
from sweeps.runs.expansion import Expansion, suites_of
from sweeps.text import plural
from sweeps.work.events import Event
from sweeps.work.items import checkpoint_id, eval_id
from training.checkpoints.saved import weights_path

log = logging.getLogger(__name__)

MOST_FAILURES = 3


def checkpoint_events(
    root: Root, expansion: Expansion, evidence: Mapping[str, SegmentEvidence]
) -> list[Event]:
    """Return an event for each checkpoint of the sweep that exists."""
    event_of = checkpoint_event(root, expansion)
    return [
        event_of(key, samples)
        for key in expansion.segments
        for samples in sorted(evidence[key].milestones)
    ]


def checkpoint_event(root: Root, expansion: Expansion) -> Callable[[str, int], Event]:
    """Return what makes the event of a checkpoint, given its segment's key and its samples seen."""
    evals, segments = _evals_of(suites_of(expansion.runs)), root.segments

    def event(key: str, samples: int) -> Event:
        return Event(
            event_id=f"checkpoint:{checkpoint_id(key, samples)}",
            on=HookMoment.checkpoint,
            root=root.path,
            sweep=expansion.sweep,
            segment=key,
            samples_seen=samples,
            weights=weights_path(segments / key, samples),
            evals=evals.get(key, ()),
        )

    return event


def completion_events(
    root: Root, expansion: Expansion, statuses: Sequence[RunStatus]
) -> Iterator[Event]:
    """Yield an event for each run that is done, and one for the sweep if all are."""
    for status in statuses:
        if status.state is State.done:
            yield Event(
                event_id=f"run:{status.run.run_id}",
                on=HookMoment.run,
                root=root.path,
                sweep=expansion.sweep,
                run_id=status.run.run_id,
            )
    if all(status.state is State.done for status in statuses):
        yield Event(
            event_id=f"sweep:{expansion.sweep}:{_completion(root, expansion)}",
            on=HookMoment.sweep,
            root=root.path,
            sweep=expansion.sweep,
        )


def deliver(events: Iterable[Event], hooks: Sequence[Hook], ledger: Ledger) -> None:
    """Call the hooks that were not yet called with success."""
    for event in events:
        for hook in hooks:
            if hook.call is not None and hook.on is event.on and _is_due(event, hook, ledger):
                _deliver(event, hook, ledger)


def last_words(event: Event, ledger: Ledger) -> list[str]:
    """Return what the hooks said that were told of an event."""
    delivered = ledger.history.delivered
    return [said for (event_id, _), said in delivered.items() if event_id == event.event_id and said]


def failed_deliveries(history: History) -> list[str]:
    """Return a line for each hook that could not yet be told of an event."""
    return [
        f"the hook on {event_id} failed {plural(len(words), 'time')}: {words[-1]}"
        for which, words in history.failures.items()
        if which not in history.delivered
        for event_id in which[:1]
    ]


def _is_due(event: Event, hook: Hook, ledger: Ledger) -> bool:
    which = (event.event_id, hook.name)
    failures = len(ledger.history.failures.get(which, []))
    return not _was_told(event, hook, ledger.history) and failures < MOST_FAILURES


def _was_told(event: Event, hook: Hook, history: History) -> bool:
    """Return whether the hook knows of the event; of completions of a sweep only the last counts."""
    if event.on is not HookMoment.sweep:
        return (event.event_id, hook.name) in history.delivered
    told = [e for e, name in history.delivered if name == hook.name and _sweep_of(e) == event.sweep]
    return bool(told) and told[-1] == event.event_id


def _sweep_of(event_id: str) -> str:
    moment, _, rest = event_id.partition(":")
    return rest.rpartition(":")[0] if moment == HookMoment.sweep.value else ""


def _deliver(event: Event, hook: Hook, ledger: Ledger) -> None:
    assert hook.call is not None
    act, detail = Act.delivered, ""
    try:
        said = hook.call(event)
        detail = said if isinstance(said, str) else ""
    except (Exception, SystemExit) as error:
        act, detail = Act.delivery_failed, _why(error)
        log.exception("the hook on %s failed", event.event_id)
    ledger.append(
        Line(time=time.time(), act=act, event_id=event.event_id, hook=hook.name, detail=detail)
    )


def _why(error: BaseException) -> str:
    said = getattr(error, "stderr", None)
    words = said.decode(errors="replace").strip().splitlines()[-1:] if isinstance(said, bytes) else []
    return ": ".join([type(error).__name__, str(error), *words])


def _evals_of(suites: Mapping[str, Sequence[EvalConfig]]) -> dict[str, tuple[EvalSpec, ...]]:
    """Return the evals of each segment's suites, each once. Thousands of segments share the suites."""
    unions: dict[tuple[int, ...], tuple[EvalSpec, ...]] = {}
    found = {}
    for key, of_key in suites.items():
        which = tuple(map(id, of_key))
        if which not in unions:
            unions[which] = _union(of_key)
        found[key] = unions[which]
    return found


def _union(suites: Iterable[EvalConfig]) -> tuple[EvalSpec, ...]:
    return tuple({eval_id(spec): spec for suite in suites for spec in suite.evals}.values())


def _completion(root: Root, expansion: Expansion) -> str:
    """Return what tells completions of a sweep apart: its runs, what they are scored on, the root."""
    what = sorted((r.run_id, sorted(map(eval_id, r.config.eval.evals))) for r in expansion.runs)
    return hashlib.sha256(durable.encode([str(root.path), what])).hexdigest()[:12]
