"""`launch`, `watch` and `plan`."""

from collections.abc import Sequence

from conf.schema import ClusterKind
from launcher.commands.answer import answer
from launcher.machines.executor import executor_for
from launcher.reconcile import launch as launching
from launcher.reconcile.asked import asked_by
from launcher.reconcile.reconciler import is_active
from launcher.reconcile.standing import standing_by_files
from launcher.reconcile.state import State
from launcher.reconcile.sweep import sweep_of
from launcher.show.account import num_held_up
from launcher.show.plan_text import plan_text
from launcher.show.preview import make_preview, plan_json
from launcher.show.status import make_report, status_json, status_text
from sweeps.composing.compose import compose_request
from sweeps.text import plural


def launch(arguments: Sequence[str], *, watch: bool = False) -> int:
    """Start what is missing of a sweep; on this machine, stay until it is complete."""
    asked = asked_by(arguments)
    sweep = asked.sweep
    is_local = sweep.launch.cluster.kind is ClusterKind.local
    done = launching.launch(asked, until_complete=watch or is_local)
    report = make_report(sweep.root, done.standing)

    def text(is_terminal: bool) -> str:
        shown = status_text(report, is_terminal=is_terminal)
        return "\n".join([shown, _what_was_done(done), *done.last_words, *done.failures])

    answer(sweep.launch.format, lambda: status_json(report), text)
    return _exit_status(done)


def watch(arguments: Sequence[str]) -> int:
    """Launch, again and again until nothing is left to wait for."""
    return launch(arguments, watch=True)


def plan(arguments: Sequence[str]) -> int:
    """Show what a launch would do and what it would cost."""
    request = compose_request(arguments)
    sweep = sweep_of(request)
    preview = make_preview(
        sweep.expansion,
        standing_by_files(sweep),
        all_cores=executor_for(sweep.launch.cluster, sweep.launch.policy, sweep.root).all_cores,
        obstacle=launching.obstacle(sweep),
    )
    answer(
        request.launch.format,
        lambda: plan_json(preview),
        lambda is_terminal: plan_text(preview, is_terminal=is_terminal),
    )
    return 0


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
