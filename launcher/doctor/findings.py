"""What a check finds, and how it reads: one line each, with what to change."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from conf.schema import ClusterConfig, RunConfig
from launcher.text import Colour, coloured
from sweeps.folders import Root
from sweeps.text import plural


class Verdict(Enum):
    """How a finding bears on a launch: it would work, may not, will not."""

    ok = "ok"
    warning = "warning"
    problem = "problem"


MARKS = {Verdict.ok: "✓", Verdict.warning: "!", Verdict.problem: "✗"}
COLOURS = {Verdict.ok: Colour.green, Verdict.warning: Colour.yellow, Verdict.problem: Colour.red}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is, and what to change if that is not well. `check` names what was looked at."""

    check: str
    verdict: Verdict
    what: str
    change: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is examined: a preset and a root, on this machine.

    `runs`: those that are to be launched, where a sweep is named. `timeout_s`: for one client command.
    """

    cluster: ClusterConfig
    root: Root
    timeout_s: float
    runs: tuple[RunConfig, ...] = ()


def ok(check: str, what: str) -> Finding:
    """Return a finding that needs no change."""
    return Finding(check=check, verdict=Verdict.ok, what=what)


def warning(check: str, what: str, change: str) -> Finding:
    """Return a finding that may be in order: the user has to judge."""
    return Finding(check=check, verdict=Verdict.warning, what=what, change=change)


def problem(check: str, what: str, change: str) -> Finding:
    """Return a finding with which a launch cannot work."""
    return Finding(check=check, verdict=Verdict.problem, what=what, change=change)


def has_problem(findings: Iterable[Finding]) -> bool:
    """Return whether a launch cannot work."""
    return any(finding.verdict is Verdict.problem for finding in findings)


def findings_json(cluster: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as one JSON object."""
    return {
        "cluster": cluster,
        "problems": _count(findings, Verdict.problem),
        "warnings": _count(findings, Verdict.warning),
        "findings": findings,
    }


def findings_text(cluster: str, findings: Sequence[Finding], *, is_terminal: bool) -> str:
    """Return one line for each finding, and one that counts them."""
    counts = ", ".join(
        plural(_count(findings, verdict), verdict.value)
        for verdict in (Verdict.problem, Verdict.warning)
    )
    return "\n".join([*_lines(findings, is_terminal=is_terminal), f"{cluster}: {counts}"])


def _lines(findings: Sequence[Finding], *, is_terminal: bool) -> Iterator[str]:
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        mark = coloured(MARKS[finding.verdict], COLOURS[finding.verdict] if is_terminal else None)
        change = f": {finding.change}" if finding.change else ""
        yield f"{mark} {finding.check.ljust(width)}  {finding.what}{change}"


def _count(findings: Iterable[Finding], verdict: Verdict) -> int:
    return sum(finding.verdict is verdict for finding in findings)
