"""What `resume` and `cancel` say that they have done, and what comes of it."""

from collections.abc import Sequence
from typing import Any

from launcher.reconcile.intent import Released, Stance
from launcher.reconcile.state import State

CONSEQUENCES = {
    State.running: "it saves at its next step and ends",
    State.queued: "its job leaves the queue",
    State.waiting: "it is not submitted",
    State.trained: "it is not scored on",
    State.held: "it stays so",
}
"""What a cancel does to a run, by the state that it was in."""


def resume_text(released: Sequence[Released]) -> str:
    """Return a line for each run and hook that is tried again."""
    runs = [
        f"released {_name(one)}, which was {_was(one)}: the next launch {_next(one)}"
        for of in released
        for one in of.runs
    ]
    hooks = [f"to be told again: {hook}" for of in released for hook in of.hooks]
    return "\n".join([*runs, *hooks]) or "nothing is held or cancelled"


def resume_json(released: Sequence[Released]) -> dict[str, Any]:
    """Return what `resume` did as plain data."""
    return {
        "resumed": [_name(one) for of in released for one in of.runs],
        "from_samples": {_name(one): one.samples for of in released for one in of.runs},
        "hooks": [hook for of in released for hook in of.hooks],
    }


def cancel_text(stances: Sequence[Stance]) -> str:
    """Return a line for each run that is ended."""
    return "\n".join(map(_cancelled, stances)) or "nothing is to be cancelled"


def cancel_json(stances: Sequence[Stance]) -> dict[str, Any]:
    """Return what `cancel` did as plain data."""
    return {"cancelled": [_name(one) for one in stances]}


def _name(one: Stance) -> str:
    return one.status.run.run_id


def _was(one: Stance) -> str:
    reason = one.status.reason.splitlines()[:1]
    return one.status.state.value + "".join(f" ({text})" for text in reason)


def _next(one: Stance) -> str:
    if one.is_trained:
        return "scores it again"
    whole = one.status.run.samples_seen
    return f"trains it from {one.samples:,} of {whole:,} samples" if one.samples else "starts it"


def _cancelled(one: Stance) -> str:
    state = one.status.state
    others = f"; what other runs of {' and '.join(one.needed_by)} need goes on" if one.needed_by else ""
    return f"cancelled {_name(one)}, which was {state.value}: {CONSEQUENCES[state]}{others}"
