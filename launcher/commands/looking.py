"""`status`. What this imports decides how soon it answers, so nothing else lives here."""

from collections.abc import Sequence

from launcher.commands.answer import answer
from launcher.reconcile.standing import current_standing
from launcher.show.status import make_report, status_json, status_text
from launcher.show.view import look_at


def status(arguments: Sequence[str]) -> int:
    """Show the state of every cell of the grid."""
    view = look_at(arguments)
    report = make_report(view.sweep.root, current_standing(view.sweep), view.note)
    answer(
        view.format,
        lambda: status_json(report),
        lambda is_terminal: status_text(report, is_terminal=is_terminal),
    )
    return 0
