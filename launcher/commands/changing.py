"""`cancel` and `resume`."""

from collections.abc import Sequence

from launcher.commands.answer import answer
from launcher.reconcile import intent
from launcher.show.answers import cancel_json, cancel_text, resume_json, resume_text
from launcher.show.named import meant_by


def resume(arguments: Sequence[str]) -> int:
    """Let runs that are held or cancelled be tried again."""
    meant = meant_by(arguments)
    released = [intent.resume(sweep) for sweep in meant.sweeps]
    answer(meant.format, lambda: resume_json(released), lambda _: resume_text(released))
    return 0


def cancel(arguments: Sequence[str]) -> int:
    """End runs, and start nothing of them again until they are resumed."""
    meant = meant_by(arguments)
    ended = [stance for sweep in meant.sweeps for stance in intent.cancel(sweep)]
    answer(meant.format, lambda: cancel_json(ended), lambda _: cancel_text(ended))
    return 0
