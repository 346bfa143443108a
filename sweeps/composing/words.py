"""Overrides in plain words, read without Hydra, whose import takes longer than many a command.

Of a command line that has any other override nothing is read: that is left to `composing.hydra_api`.
"""

import re
from collections.abc import Iterable, Sequence

from sweeps.errors import UsageError

KEY = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
WORD = r"(?:0|[1-9]\d*|(?!(?:null|true|false|nan|inf)\b(?![./:+-]))[A-Za-z_/][\w./:+-]*)"
WORDS = rf"{WORD}(?:,{WORD})*"
PLAIN = re.compile(rf"({KEY})=(?:({WORDS})|\[({WORDS})\])", re.ASCII | re.IGNORECASE)


def plain_overrides(arguments: Sequence[str]) -> dict[str, list[str | int]] | None:
    """Return the values that overrides give each key, as Hydra reads them.

    An override is plain that gives a key one word, a comma list or a bracketed list of words, where a
    word is a whole number or a text that begins with a letter, `_` or `/`, and needs no quotes.

    Returns None where one is not.
    """
    found = [PLAIN.fullmatch(argument) for argument in arguments]
    if None in found:
        return None
    return {match[1]: list(map(_value, (match[2] or match[3]).split(","))) for match in found if match}


def refuse_expanded(keys: Iterable[str]) -> None:
    """Refuse shards that are given twice: a shell made several words of a pattern without quotes.

    Raises:
        UsageError: they are.
    """
    shards = [key for key in keys if key.rpartition(".")[2] == "shards"]
    if repeated := {key for key in shards if shards.count(key) > 1}:
        raise UsageError(f"{min(repeated)}= is given more than once: quote a pattern with braces")


def _value(word: str) -> str | int:
    return int(word) if word.isdigit() else word
