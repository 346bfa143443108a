"""How a sweep's account reads: what was charged, what is under way, and what the budget says to it."""

from collections.abc import Iterable
from typing import Any

from launcher.reconcile.account import Account
from launcher.reconcile.state import RunStatus
from launcher.text import number
from sweeps.costs.cost import Hours
from sweeps.text import plural


def account_json(account: Account, statuses: Iterable[RunStatus]) -> dict[str, Any]:
    """Return a sweep's account as plain data.

    `budget_…`: the caps, null where there is none. `…_spent`: what was charged. `…_committed`: what is
    queued or running is yet to be charged. `num_waiting_for_budget`: runs that find no room in a cap.
    """
    return {
        "budget_gpu_hours": account.budget.gpu_hours,
        "budget_core_hours": account.budget.core_hours,
        "gpu_hours_spent": account.spent.gpu,
        "core_hours_spent": account.spent.core,
        "gpu_hours_committed": account.committed.gpu,
        "core_hours_committed": account.committed.core,
        "num_waiting_for_budget": num_held_up(statuses),
    }


def budget_lines(account: Account, statuses: Iterable[RunStatus]) -> list[str]:
    """Return a line for each cap: how far it is used, and how many runs it lets wait."""
    spent, committed, waiting = account.spent, account.committed, num_held_up(statuses)
    wait = (
        f"; {plural(waiting, 'run')} {'waits' if waiting == 1 else 'wait'} for more" if waiting else ""
    )
    caps = (
        ("gpu_hours", account.budget.gpu_hours, spent.gpu, committed.gpu),
        ("core_hours", account.budget.core_hours, spent.core, committed.core),
    )
    return [
        f"budget.{name}={cap:g}: {number(used)} spent, {number(more)} committed{wait}"
        for name, cap, used, more in caps
        if cap is not None
    ]


def num_held_up(statuses: Iterable[RunStatus]) -> int:
    """Return how many runs wait for a larger budget."""
    return sum(status.is_held_up for status in statuses)


def hours_text(hours: Hours) -> str:
    """Return hours in words; GPU-hours only where there are some."""
    gpu = f", {number(hours.gpu)} GPU-hours" if hours.gpu else ""
    return f"{number(hours.core)} core-hours{gpu}"
