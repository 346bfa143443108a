"""Counted nouns."""

import pytest

from sweeps.text import plural


@pytest.mark.parametrize(("number", "words"), [(0, "0 runs"), (1, "1 run"), (1058, "1,058 runs")])
def test_nouns_are_counted(number: int, words: str) -> None:
    assert plural(number, "run") == words
