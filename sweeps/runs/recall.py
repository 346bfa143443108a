"""A launch that is typed again is not composed again: the root holds what it came to.

What a command line came to is the frozen sweep that it left, as long as nothing on which composing
depends has changed since (`sweeps.composing.basis`), and no other launch has replaced the frozen sweep.
Whether states that were left meanwhile would cut its stages elsewhere is left to the launcher.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeps import durable
from sweeps.folders import Root, root_of
from sweeps.runs import frozen
from sweeps.runs.frozen import FrozenSweep

PLAIN_ROOT = re.compile(r"root=([\w./+-]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recall:
    """What a command line came to: the sweep of this name, whose file had this digest."""

    basis: str
    sweep: str
    content: str | None


def remember(root: Root, arguments: Sequence[str], basis: str, sweep: str) -> None:
    """Note that a command line came to the whole of the sweep that is frozen now."""
    path = _path(root, arguments)
    path.parent.mkdir(exist_ok=True)
    note = Recall(basis=basis, sweep=sweep, content=_digest(root, sweep))
    durable.replace(path, durable.encode(note))


def recalled(arguments: Sequence[str], basis: str) -> FrozenSweep | None:
    """Return what a command line comes to, if it came to the same before; else None.

    Raises:
        DamagedFile: a file under the root holds something else than it must.
    """
    root = _root(arguments)
    if root is None or not os.access(_path(root, arguments), os.R_OK):
        return None  # whether such a root can be used at all is for others to say
    note = durable.read(_path(root, arguments), Recall)
    if note is None or note.basis != basis or note.content != _digest(root, note.sweep):
        return None
    known = frozen.load(root, note.sweep)
    return known if known and root_of(known.launch.root) == root else None


def _root(arguments: Sequence[str]) -> Root | None:
    """Return the root that a command line names in plain words, or that is the default; else None."""
    given = [argument for argument in arguments if argument.lstrip("+~").startswith("root")]
    found = [PLAIN_ROOT.fullmatch(argument) for argument in given]
    if len(given) > 1 or None in found:
        return None
    return root_of(found[0][1] if found and found[0] else None)


def _path(root: Root, arguments: Sequence[str]) -> Path:
    name = hashlib.sha256(repr(tuple(arguments)).encode()).hexdigest()[:16]
    return root.frozen("any").parent / "recall" / f"{name}.json"


def _digest(root: Root, sweep: str) -> str | None:
    path = root.frozen(sweep)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
