"""What an sbatch that failed means: no job for good, none for now, or perhaps one. Pure."""

import re

from sweeps.errors import IsogridError, QueueUnknown, SubmissionDeferred, SubmissionRefused

REFUSAL = re.compile(r"Batch job submission failed: |Unable to open file|Invalid --|\boption\b")
"""The controller answered and says why it makes no job, or sbatch did not even ask it."""

UNCLEAR = re.compile(
    r"submission failed: .*(?:timed out|contact|zero bytes|message|communication|\bconnect|network"
    r"|socket|endpoint|address|header|\bi/o\b|\bhost\b|pipe|interrupted|unavailable|authenticat"
    r"|credential|incompatible version|standby|back ?off|try again|internal error)",
    re.IGNORECASE,
)
"""The way to the controller or back fails, or the controller itself: a job may have been made."""

PASSING = re.compile(
    r"\w*(?:Max|Grp)Submit\w*Limit\b|Required partition not available|System submissions disabled"
)
"""No job is made now, but later: the user has as many as a QOS or an association allows in the queue,
or the site has closed it for a while. Other limits say that no such job is made at any time."""


def failure_of(message: str) -> IsogridError:
    """Return what it means that sbatch failed and printed `message`; nothing, where it was killed."""
    if passing := PASSING.search(message):
        return SubmissionDeferred(f"the scheduler takes no more jobs now: {passing[0]}")
    if REFUSAL.search(message) and not UNCLEAR.search(message):
        return SubmissionRefused(f"sbatch refuses: {message}")
    return QueueUnknown(f"sbatch gave no clear answer: {message or 'timed out'}")
