"""Starts the command line (`launcher.commands`), and ends it quietly wherever it is interrupted."""

import gc
import sys

from sweeps.commands import ended_quietly

OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Thousands of runs stay to the end, so looking for garbage among them more often only takes time."""


def main() -> int:
    """Run one command; return its exit status."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    return ended_quietly(_run)


def _run() -> int:
    from launcher import commands  # may be interrupted, too

    return commands.run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
