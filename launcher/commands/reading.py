"""`logs`."""

from collections.abc import Sequence
from dataclasses import dataclass

from conf.schema import Natural
from launcher.show.logs import log_text
from launcher.show.named import split_names, sweeps_of_runs
from sweeps.commands import read_arguments
from sweeps.errors import UsageError
from sweeps.folders import root_of


@dataclass(frozen=True, kw_only=True, slots=True)
class LogArguments:
    """What `logs RUN` takes besides."""

    root: str | None = None
    lines: Natural = 40
    follow: bool = False


def logs(arguments: Sequence[str]) -> int:
    """Show the newest log of a run."""
    names, others = split_names(arguments)
    if len(names) != 1:
        raise UsageError("say whose log: logs RUN [lines=40] [follow=true] [root=DIR]")
    given = read_arguments(others, LogArguments)
    (sweep,) = sweeps_of_runs(root_of(given.root), names)
    for text in log_text(sweep, given.lines, follow=given.follow):
        print(text, flush=True)
    return 0
