"""One run without a sweep, `python -m training model=NAME …`, and data tools, `index|verify|subset`.

`generate` is for the launcher.
"""

import sys
from collections.abc import Sequence

import msgspec

from sweeps import durable
from sweeps.commands import ended_quietly, run_command, status_of
from sweeps.logs import configure_logging
from training.data import commands
from training.data.generate import Generation, generate

USAGE = f"""usage: python -m training model=NAME data=NAME samples_seen=N [override ...]
       python -m training index|verify|subset [key=value ...]

Trains one run here and now, without a sweep, as the overrides describe it (`python -m launcher --help`
lists what they may set); under torchrun, in all of its processes. Ctrl-C saves and stops; typed again,
it goes on.

{commands.__doc__}"""


def main() -> int:
    """Run one command; return its exit status."""
    words = sys.argv[1:]
    configure_logging()
    try:
        if words and "=" in words[0]:
            return ended_quietly(lambda: status_of(lambda: _train(words)))
        return run_command(COMMANDS, words, USAGE.rstrip())
    except (msgspec.MsgspecError, OSError) as error:
        print(f"isogrid: {error}", file=sys.stderr)
        return 1


def _train(words: Sequence[str]) -> int:
    from training.alone import train_alone  # torch, which the data tools do without

    return train_alone(words)


def _generate(words: Sequence[str]) -> int:
    del words
    generate(durable.decode(sys.stdin.buffer.read(), Generation))
    return 0


COMMANDS = {
    "index": lambda words: commands.index(words, print),
    "verify": lambda words: commands.verify(words, print),
    "subset": lambda words: commands.subset(words, print),
    "generate": _generate,
}

if __name__ == "__main__":
    sys.exit(main())
