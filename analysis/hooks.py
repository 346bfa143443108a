"""The completion hook that fits and reports a sweep."""

from sweeps.errors import NothingToFit
from sweeps.work.events import Event


def report(event: Event) -> str:
    """Fit the sweep that is complete and write its report; return the laws and where it lies.

    A sweep whose suite is empty is complete without scores, and has no report.
    """
    from analysis.reports.sweep_report import report_sweep

    try:
        findings, files = report_sweep(event.root, event.sweep)
    except NothingToFit as error:
        return f"no report: {error}"
    return "\n".join([*findings.lines(), f"report: {files.html}"])
