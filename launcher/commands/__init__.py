"""The commands of `python -m launcher COMMAND sweep=NAME [override …]`."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from conf.schema import ClusterKind, Natural, OutputFormat
from launcher.doctor.examination import examine
from launcher.doctor.findings import findings_json, findings_text, has_problem
from launcher.doctor.request import read_request
from launcher.machines.executor import executor_for
from launcher.reconcile import intent
from launcher.reconcile import launch as launching
from launcher.reconcile.asked import asked_by
from launcher.reconcile.reconciler import is_active
from launcher.reconcile.standing import current_standing, standing_by_files
from launcher.reconcile.state import State
from launcher.reconcile.sweep import sweep_of
from launcher.show.account import num_held_up
from launcher.show.answers import cancel_json, cancel_text, resume_json, resume_text
from launcher.show.completion import FLAGS, LINE, POINT, complete
from launcher.show.logs import follow, log_text
from launcher.show.named import meant_by, run_named, split_names
from launcher.show.plan_text import plan_text
from launcher.show.preview import make_preview, plan_json
from launcher.show.status import make_report, status_json, status_text
from launcher.show.view import look_at
from launcher.text import plural
from sweeps.commands import command_named, read_arguments, status_of
from sweeps.compose import compose_request, run_hydra_app
from sweeps.errors import UsageError
from sweeps.folders import root_of
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


def launch(arguments: Sequence[str], *, watch: bool = False) -> int:
    """Start what is missing of a sweep; on this machine, stay until it is complete."""
    asked = asked_by(arguments)
    sweep = asked.sweep
    is_local = sweep.launch.cluster.kind is ClusterKind.local
    done = launching.launch(asked, until_complete=watch or is_local)
    report = make_report(sweep.root, done.standing)
    _print(
        sweep.launch.format,
        status_json(report),
        lambda tty: "\n".join(
            [
                status_text(report, is_terminal=tty),
                _what_was_done(done),
                *done.last_words,
                *done.failures,
            ]
        ),
    )
    return _exit_status(done)


def watch(arguments: Sequence[str]) -> int:
    """Launch, again and again until nothing is left to wait for."""
    return launch(arguments, watch=True)


def status(arguments: Sequence[str]) -> int:
    """Show the state of every cell of the grid."""
    view = look_at(arguments)
    report = make_report(view.sweep.root, current_standing(view.sweep), view.note)
    _print(view.format, status_json(report), lambda tty: status_text(report, is_terminal=tty))
    return 0


def plan(arguments: Sequence[str]) -> int:
    """Show what a launch would do and what it would cost."""
    request = compose_request(arguments)
    sweep = sweep_of(request)
    standing = standing_by_files(sweep)
    preview = make_preview(
        sweep.expansion,
        standing,
        all_cores=executor_for(sweep.launch.cluster, sweep.launch.policy, sweep.root).all_cores,
        obstacle=launching.obstacle(sweep),
    )
    _print(request.launch.format, plan_json(preview), lambda tty: plan_text(preview, is_terminal=tty))
    return 0


def resume(arguments: Sequence[str]) -> int:
    """Let runs that are held or cancelled be tried again."""
    meant = meant_by(arguments)
    released = [intent.resume(sweep) for sweep in meant.sweeps]
    _print(meant.format, resume_json(released), lambda _: resume_text(released))
    return 0


def cancel(arguments: Sequence[str]) -> int:
    """End runs, and start nothing of them again until they are resumed."""
    meant = meant_by(arguments)
    ended = [stance for sweep in meant.sweeps for stance in intent.cancel(sweep)]
    _print(meant.format, cancel_json(ended), lambda _: cancel_text(ended))
    return 0


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
    for text in log_text(root, run, given.lines):
        print(text)
    for text in follow(root, run) if given.follow else ():
        print(text, flush=True)
    return 0


def doctor(arguments: Sequence[str]) -> int:
    """Check a cluster's preset, and the root, before anything is spent."""
    request = read_request(arguments)
    findings = examine(request.subject, job_wait_s=request.job_wait_s)
    name = request.subject.cluster.name
    _print(
        request.format,
        findings_json(name, findings),
        lambda tty: findings_text(name, findings, is_terminal=tty),
    )
    return int(has_problem(findings))


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "launch": launch,
    "plan": plan,
    "status": status,
    "watch": watch,
    "cancel": cancel,
    "resume": resume,
    "logs": logs,
    "doctor": doctor,
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


def _print(form: OutputFormat, data: Any, text: Callable[[bool], str]) -> None:
    if form is OutputFormat.json:
        sys.stdout.write(msgspec.json.encode(data).decode() + "\n")
    else:
        print(text(sys.stdout.isatty()))


def _what_was_done(done: launching.Launched) -> str:
    if done.num_submissions:
        return f"handed over {plural(done.num_submissions, 'submission')}"
    if all(status.state is State.done for status in done.standing.statuses):
        return "nothing to do: every run is done"
    return "nothing to submit now"


def _exit_status(done: launching.Launched) -> int:
    """Return 1 if some run or hook needs the user, or all that is left waits for a larger budget."""
    statuses = done.standing.statuses
    is_stuck = bool(num_held_up(statuses)) and not any(map(is_active, statuses))
    return int(bool(done.failures) or is_stuck or any(s.state is State.held for s in statuses))
