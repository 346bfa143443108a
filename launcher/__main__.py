"""Starts the command line (`launcher.commands`), and ends it quietly wherever it is interrupted."""

import errno
import gc
import os
import sys

INTERRUPTED = 130
OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}
OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Thousands of runs stay to the end, so looking for garbage among them more often only takes time."""


def main() -> int:
    """Run one command; return its exit status."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        from launcher import commands

        status = commands.run(sys.argv[1:])
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("isogrid: interrupted, nothing is lost; type it again to go on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 0
    except OSError as error:
        if error.errno not in OUT_OF_SPACE:
            raise
        print(f"isogrid: {error}; make room, and type it again to go on", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
