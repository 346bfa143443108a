"""One run without a sweep, `python -m training model=NAME …`, and data tools, `index|verify|subset`.

`generate` is for the launcher.
"""

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
    if sys.argv[1:] and "=" in sys.argv[1]:
        return _train(sys.argv[1:])
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


def _train(words: Sequence[str]) -> int:
    from training.alone import train_alone  # torch, which the data tools do without

    configure_logging()
    try:
        return train_alone(words)
    except (IsogridError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 2


def _run(command: str, words: Sequence[str]) -> int:
    if command in DATA_TOOLS:
        return DATA_TOOLS[command](words, print)
    generate(durable.decode(sys.stdin.buffer.read(), Generation))
    return 0


if __name__ == "__main__":
    sys.exit(main())
