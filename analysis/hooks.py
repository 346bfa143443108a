"""The completion hook that fits and reports a sweep."""

from sweeps.events import Event


def report(event: Event) -> str:
    """Fit the sweep that is complete and write its report; return the laws and where it lies."""
    from analysis.sweep_report import report_sweep

    laws, files = report_sweep(event.root, event.sweep)
    return "\n".join([*(law.sentence() for law in laws), f"report: {files.html}"])
