"""The commands of `python -m launcher COMMAND …`: which there are, and how one is run."""

import os
from collections.abc import Callable, Sequence
from pkgutil import resolve_name

from launcher.show.completion import FLAGS, LINE, POINT, complete
from sweeps.commands import Command, command_named, status_of
from sweeps.composing.compose import run_hydra_app
from sweeps.errors import UsageError
from sweeps.logs import configure_logging

HYDRA_FLAGS = {
    "--help", "-h", "--hydra-help", "--cfg", "-c", "--resolve", "--package", "-p", "--info", "-i",
    "--version", "--shell-completion", "-sc",
}  # fmt: skip
MULTIRUN_FLAGS = {"--multirun", "-m"}


def run(argv: Sequence[str]) -> int:
    """Run the command that `argv` names; return the exit status (see `status_of`)."""
    configure_logging()
    return status_of(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    name, arguments = _split(argv)
    command = command_named(name, COMMANDS)
    if any(argument.split("=")[0] in HYDRA_FLAGS for argument in arguments):
        return _show_by_hydra(arguments)
    if MULTIRUN_FLAGS & set(arguments):
        raise UsageError("a sweep enumerates runs: give axes in conf/sweep/, not --multirun")
    return command(arguments)


def _at(place: str) -> Command:
    """Return a command that is imported when it is called: `status` needs less than `launch`."""

    def command(arguments: Sequence[str]) -> int:
        found: Callable[[Sequence[str]], int] = resolve_name(f"{__name__}.{place}")
        return found(arguments)

    return command


COMMANDS: dict[str, Command] = {
    "launch": _at("launching:launch"),
    "plan": _at("launching:plan"),
    "status": _at("looking:status"),
    "watch": _at("launching:watch"),
    "cancel": _at("changing:cancel"),
    "resume": _at("changing:resume"),
    "logs": _at("reading:logs"),
    "doctor": _at("checking:doctor"),
}


def _split(argv: Sequence[str]) -> tuple[str, list[str]]:
    """Separate the command from what Hydra understands; without one it is `launch`."""
    if argv and "=" not in argv[0] and argv[0][:1] not in ("-", "+", "~"):
        return argv[0], list(argv[1:])
    return "launch", list(argv)


def _show_by_hydra(arguments: Sequence[str]) -> int:
    """Let Hydra print its help, the composed config, or what completes a command line."""
    if LINE in os.environ and set(FLAGS) & set(arguments):
        line = os.environ[LINE]
        completion = complete(line, int(os.environ.get(POINT, len(line))), COMMANDS)
        print(*completion.names)
        os.environ.update({LINE: completion.line, POINT: str(len(completion.line))})
    run_hydra_app(lambda _: None, arguments)
    return 0
