"""Completion hooks: who is told when a checkpoint, a run or a sweep is complete.

An entry of the `hooks` list has `on` and either `_target_`, a Python callable that is given one event
(further keys are its keyword arguments), or `argv`, a command that is given the event as JSON on its
standard input, without a shell. Each (event, hook) is delivered at least once, and noted in the ledger
when it succeeded; one that fails is tried again at the next passes, a few times. A text that a callable
returns is kept, and a launch that finds the sweep complete shows it.

A callable with a `work` method is not called but planned: what it returns becomes work items, and it
is complete when the table has their rows. Scoring is such a hook.
"""

import functools
import hashlib
import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, Protocol, runtime_checkable

from conf.schema import HookMoment
from sweeps import durable
from sweeps.errors import UsageError, choices
from sweeps.folders import CHECKOUT
from sweeps.work.events import Event
from sweeps.work.items import CheckpointEvals

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 600.0


@runtime_checkable
class Planned(Protocol):
    """A hook whose effect is work items."""

    def work(self, event: Event) -> CheckpointEvals:
        """Return the work that an event asks for."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """One entry, ready to be called. `name` stays the same as long as the entry does."""

    name: str
    on: HookMoment
    call: Callable[[Event], object] | None
    planned: Planned | None


def read_hooks(entries: Sequence[Any]) -> list[Hook]:
    """Return the hooks of a configuration.

    Raises:
        UsageError: an entry is malformed or its target cannot be imported.
    """
    return [_read(entry) for entry in entries]


def wanted_scores(hooks: Sequence[Hook], event: Event) -> list[CheckpointEvals]:
    """Return the work that planned hooks make of a checkpoint event."""
    return [hook.planned.work(event) for hook in hooks if hook.planned and hook.on is event.on]


def _read(entry: Any) -> Hook:
    if not isinstance(entry, Mapping):
        raise UsageError(f"hook {entry!r}: write {{on: run, _target_: module.function}}")
    given = dict(entry)
    on = _moment(given.pop("on", None), entry)
    name = hashlib.sha256(durable.encode(given)).hexdigest()[:12]
    if ("_target_" in given) == ("argv" in given):
        raise UsageError(f"hook {dict(entry)}: give either _target_ or argv")
    if "argv" in given:
        return Hook(name=name, on=on, call=_command(given, entry), planned=None)
    target = _resolve(str(given.pop("_target_")))
    if isinstance(target, Planned):
        if on is not HookMoment.checkpoint:
            raise UsageError(f"hook {dict(entry)}: it scores checkpoints, so on: checkpoint")
        return Hook(name=name, on=on, call=None, planned=target)
    return Hook(name=name, on=on, call=functools.partial(target, **given), planned=None)


def _moment(value: Any, entry: Mapping[str, Any]) -> HookMoment:
    try:
        return HookMoment(value)
    except ValueError:
        moments = choices(str(value), [moment.value for moment in HookMoment])
        raise UsageError(f"hook {dict(entry)}: on={value!r}. {moments}") from None


def _resolve(target: str) -> Callable[..., object]:
    try:
        found = resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"hook _target_={target!r} cannot be imported: {error}") from error
    if not callable(found) and not isinstance(found, Planned):
        raise UsageError(f"hook _target_={target!r} cannot be called")
    return found  # type: ignore[no-any-return]


def _command(given: dict[str, Any], entry: Mapping[str, Any]) -> Callable[[Event], object]:
    argv, timeout_s = given.pop("argv"), given.pop("timeout_s", DEFAULT_TIMEOUT_S)
    if given or not isinstance(argv, list) or not argv or not isinstance(timeout_s, (int, float)):
        raise UsageError(
            f"hook {dict(entry)}: argv is a list of words; beside it stand on and timeout_s, a number"
        )
    return functools.partial(_run_command, [str(word) for word in argv], float(timeout_s))


def _run_command(argv: list[str], timeout_s: float, event: Event) -> None:
    subprocess.run(
        argv,
        input=durable.encode(event),
        cwd=CHECKOUT,
        timeout=timeout_s,
        capture_output=True,
        check=True,
    )
