"""How a command answers: one JSON object, or text that knows whether a terminal shows it."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from conf.schema import OutputFormat


def answer(form: OutputFormat, data: Callable[[], Any], text: Callable[[bool], str]) -> None:
    """Print what a command has to say.

    Args:
        form: how.
        data: makes what is printed as JSON.
        text: makes what is printed else, told whether a terminal shows it.
    """
    if form is OutputFormat.json:
        sys.stdout.write(msgspec.json.encode(data()).decode() + "\n")
    else:
        print(text(sys.stdout.isatty()))
