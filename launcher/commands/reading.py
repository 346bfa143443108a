"""`logs`."""

from collections.abc import Sequence
from dataclasses import dataclass

from conf.schema import Natural
from launcher.show.logs import log_text
from launcher.show.named import run_named, split_names
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
    root = root_of(given.root)
    run = run_named(root, names[0])
    for text in log_text(root, run, given.lines, follow=given.follow):
        print(text, flush=True)
    return 0
