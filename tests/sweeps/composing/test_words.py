"""Overrides that need no Hydra mean what Hydra says that they mean."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sweeps.composing import hydra_api
from sweeps.composing.words import PLAIN, plain_overrides


@settings(max_examples=100, deadline=None)
@given(argument=st.from_regex(PLAIN, fullmatch=True))
@example(argument="root=/scratch/me/runs.2")
@example(argument="hydra.searchpath=[file:///home/me/conf]")
@example(argument="model=ViT-B-32,ViT-B-16")
@example(argument="a=Inf-,nan.,true/x,nullable,/null")
def test_plain_words_are_read_as_hydra_reads_them(argument: str) -> None:
    (override,) = hydra_api.parse([argument])
    assert plain_overrides([argument]) == {override.key: override.values}


@pytest.mark.parametrize(
    "argument",
    [
        "a=NULL", "a=true", "a=inf", "a=[nan]", "a=x,null", "a=007", "a=1e-4", "a=3B", "a=", "a='b'",
        "a=é", "a=b c", "+a=b", "~a", "a/b=c", "a=${b}", "a=[]", "a={b:c}", "a=f(b)", "--multirun", "a",
    ],
)  # fmt: skip
def test_anything_else_is_left_to_hydra(argument: str) -> None:
    assert plain_overrides(["sweep=x", argument]) is None
