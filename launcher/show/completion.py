"""Shell completion: Hydra completes overrides, this module what stands before them, the command."""

from collections.abc import Iterable
from dataclasses import dataclass

FLAGS = ("-sc", "--shell-completion")
LINE, POINT = "COMP_LINE", "COMP_POINT"
"""Variables in which bash gives the line and where the cursor stands in it (bash(1), COMPLETION)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """Commands that may stand at the cursor, and the line as Hydra is to see it."""

    names: tuple[str, ...]
    line: str


def complete(line: str, point: int, commands: Iterable[str]) -> Completion:
    """Return how to complete a command line up to the cursor."""
    program, *words = line[:point].split(" ")
    known = sorted(commands)
    if len(words) == 1:
        names = tuple(name for name in known if name.startswith(words[0]))
        return Completion(names=names, line=line[:point])
    rest = words[1:] if words and words[0] in known else words
    return Completion(names=(), line=" ".join([program, *rest]))
