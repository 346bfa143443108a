"""How an attempt ended that did not reach its end: from all the traces that it left. Pure."""

import signal
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from launcher.jobs.notices import Notice, notice_in
from sweeps.work.outcome import Outcome
from training.exits import RankExit, Verdict

LOG_TAIL_LINES = 12
LOG_TAIL_BYTES = 16384

FINAL = {
    RankExit.bad_data: Outcome.bad_data,
    RankExit.not_finite: Outcome.not_finite,
    RankExit.user_error: Outcome.user_error,
    RankExit.lost_state: Outcome.lost_state,
    RankExit.no_room: Outcome.no_room,
}
FAILURES = {
    RankExit.out_of_memory: Outcome.out_of_memory,
    RankExit.device_failure: Outcome.node_failure,
}

SYMPTOMS = (RankExit.communication, RankExit.port_taken)


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """What an attempt left.

    `codes`: of the processes that ended by themselves. srun's own tells little: it kills the other
    ranks when one fails, and reports any of them. `verdict`: that says most of those that ranks left.
    `asked`: why the supervisor was asked to stop, if it was. `log`: the end of what was printed.
    """

    codes: Collection[int]
    verdict: Verdict | None
    asked: Outcome | None
    log: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """The outcome, the reason to be shown, and the node that is named as its cause (empty: none).

    `is_port_taken`: the ranks did not even meet; another port is all that is needed.
    """

    outcome: Outcome
    reason: str
    node: str = ""
    is_port_taken: bool = False


def ending_of(traces: Traces) -> Ending:
    """Return how the attempt ended: by what tells most of the cause, not of its consequences."""
    verdict, notice = traces.verdict, notice_in(traces.log)
    if verdict is not None and verdict.code in FINAL:
        return _by_verdict(verdict, FINAL[verdict.code])
    for code, outcome in FINAL.items():
        if code in traces.codes:
            return Ending(outcome=outcome, reason=_last_lines(traces.log))
    if notice is not None and notice.outcome is Outcome.node_failure:
        return _by_notice(notice)
    if verdict is not None and verdict.code in FAILURES:
        return _by_verdict(verdict, FAILURES[verdict.code])
    if notice is not None and notice.outcome is Outcome.out_of_memory:
        return _by_notice(notice)
    if traces.asked is not None:
        return Ending(outcome=traces.asked, reason=f"asked to stop: {traces.asked.value}")
    return _unasked(traces, notice)


def _unasked(traces: Traces, notice: Notice | None) -> Ending:
    """Return how an attempt ended that nobody asked to stop, and for whose end there is no cause."""
    if traces.verdict is not None and traces.verdict.code in SYMPTOMS:
        return Ending(
            outcome=Outcome.communication,
            reason=traces.verdict.reason,
            node=notice.node if notice else "",
            is_port_taken=traces.verdict.code is RankExit.port_taken,
        )
    if notice is not None:
        return _by_notice(notice)
    if -signal.SIGKILL in traces.codes:
        return Ending(outcome=Outcome.communication, reason="a rank was lost: somebody killed it")
    codes = sorted(set(traces.codes))
    reason = f"exit codes {codes}\n{_last_lines(traces.log)}"
    return Ending(outcome=Outcome.crashed, reason=reason)


def read_tail(path: Path) -> str:
    """Return the end of a log."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        return file.read().decode(errors="replace")


def _by_verdict(verdict: Verdict, outcome: Outcome) -> Ending:
    return Ending(outcome=outcome, reason=f"{verdict.reason} (on {verdict.host})", node=verdict.host)


def _by_notice(notice: Notice) -> Ending:
    return Ending(outcome=notice.outcome, reason=notice.text, node=notice.node)


def _last_lines(log: str) -> str:
    return "\n".join(log.splitlines()[-LOG_TAIL_LINES:])
