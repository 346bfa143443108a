"""Data tools: `python -m training generate`."""

import argparse
import sys

import msgspec

from sweeps import durable
from sweeps.errors import IsogridError
from training.data.generate import Generation, generate


def main() -> int:
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("generate", help="write the data set that JSON on standard input describes")
    parser.parse_args()
    try:
        generate(durable.decode(sys.stdin.buffer.read(), Generation))
    except (IsogridError, msgspec.MsgspecError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
