"""What git says of a checkout. Where there is no git, or no repository, it says nothing."""

import logging
import subprocess
from pathlib import Path

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
MOST_DIFF_BYTES = 10 * 2**20
CUT = b"\n# cut here: the diff is longer than this file may be\n"


def commit(checkout: Path) -> str:
    """Return the commit, with `+` where tracked files differ from it."""
    words = ["describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    return _ask(checkout, *words).decode().strip()


def branch(checkout: Path) -> str:
    """Return the branch; empty where none is checked out."""
    return _ask(checkout, "symbolic-ref", "--quiet", "--short", "HEAD").decode().strip()


def untracked(checkout: Path) -> tuple[str, ...]:
    """Return the files that git neither tracks nor ignores."""
    listed = _ask(checkout, "ls-files", "--others", "--exclude-standard", "-z")
    return tuple(name.decode(errors="replace") for name in listed.split(b"\0") if name)


def diff(checkout: Path) -> bytes:
    """Return how tracked files differ from the commit, as a patch; cut where it is very long."""
    words = ["diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv"]
    patch = _ask(checkout, *words)
    return patch if len(patch) <= MOST_DIFF_BYTES else patch[:MOST_DIFF_BYTES] + CUT


def _ask(checkout: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        return b""
    except subprocess.TimeoutExpired:
        log.warning("git %s did not answer in %g s; what it knows is not recorded", words[0], TIMEOUT_S)
        return b""
    return done.stdout if done.returncode == 0 else b""
