"""Data tools: `python -m training index|verify|subset`; `generate` is for the launcher."""

import argparse
import sys
from collections.abc import Sequence

import msgspec

from sweeps import durable
from sweeps.errors import IsogridError
from sweeps.logs import configure_logging
from training.data import commands
from training.data.generate import Generation, generate

DATA_TOOLS = {"index": commands.index, "verify": commands.verify, "subset": commands.subset}


def main() -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description=commands.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["generate", *DATA_TOOLS])
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE")
    given = parser.parse_args()
    configure_logging()
    try:
        return _run(given.command, given.words)
    except (IsogridError, msgspec.MsgspecError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 2


def _run(command: str, words: Sequence[str]) -> int:
    if command in DATA_TOOLS:
        return DATA_TOOLS[command](words, print)
    generate(durable.decode(sys.stdin.buffer.read(), Generation))
    return 0


if __name__ == "__main__":
    sys.exit(main())
