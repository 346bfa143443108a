"""Every error that isogrid raises on purpose.

IsogridError
├── UsageError          the user's input is wrong; nothing was written
├── DataError           shards or a data set are missing, truncated or unreadable
├── DamagedFile         a file under the root holds something else than it must
├── CorruptCheckpoint   a checkpoint's content does not match its hash
├── LostState           the state from which a segment starts is missing or damaged
├── NotFinite           a loss or features are no finite numbers
├── KeyConflict         a folder belongs to another configuration
├── PortTaken           ranks cannot meet at the port that was chosen for them
├── ScoringFailed       some checkpoints could not be scored; the others were
├── StopAsked           a process was asked to leave before its work is through
├── Superseded          a later attempt holds the lease; this one must leave
├── LauncherBusy        another launcher is at work on this root
├── QueueUnknown        the scheduler could not be asked; nothing may be concluded
├── RequeueRefused      the scheduler does not put a job back into its queue
├── SubmissionDeferred  the scheduler takes no more jobs of this user for now
└── SubmissionRefused   the scheduler refused a submission, for good
"""

from collections.abc import Iterable
from difflib import get_close_matches


class IsogridError(Exception):
    """Base of all of them; its text is one line that a user can act on."""


class UsageError(IsogridError):
    """The user's input is wrong; nothing was written."""


class NothingToFit(UsageError):
    """No row of a table has what a law could be fitted to."""


class DataError(IsogridError):
    """Shards or a data set are missing, truncated or unreadable."""


class DamagedFile(IsogridError):
    """A file under the root holds something else than it must."""


class CorruptCheckpoint(IsogridError):
    """A checkpoint's content does not match its hash."""


class LostState(IsogridError):
    """The state from which a segment starts, its parent's end, is missing or damaged."""


class NotFinite(IsogridError):
    """A loss or features are no finite numbers."""


class KeyConflict(IsogridError):
    """A folder belongs to another configuration than the one at hand."""


class PortTaken(IsogridError):
    """Ranks cannot meet at the port that was chosen for them: somebody else listens there."""


class ScoringFailed(IsogridError):
    """Some checkpoints could not be scored; the others were."""


class StopAsked(IsogridError):
    """This process was asked to leave before its work is through."""


class Superseded(IsogridError):
    """A later attempt holds the lease of this work item."""


class LauncherBusy(IsogridError):
    """Another launcher is at work on this root."""


class QueueUnknown(IsogridError):
    """The scheduler could not be asked."""


class RequeueRefused(IsogridError):
    """The scheduler does not put a job back into its queue."""


class SubmissionDeferred(IsogridError):
    """The scheduler takes no more jobs of this user for now: no failure, only waiting."""


class SubmissionRefused(IsogridError):
    """The scheduler refused a submission, for good."""


def choices(value: str, valid: Iterable[str]) -> str:
    """Return the end of a message about a wrong `value`: the nearest names, then all of them."""
    names = sorted(set(valid))
    near = get_close_matches(value, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{hint}Choose from: {', '.join(names) or '(none)'}"
