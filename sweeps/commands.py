"""What the entry points share that take `COMMAND key=value …`: dispatch, arguments, errors."""

import errno
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from sweeps.errors import IsogridError, UsageError, choices

T = TypeVar("T")
Command = Callable[[Sequence[str]], int]

INTERRUPTED = 130
"""Exit status, as a shell gives it to what Ctrl-C ended."""

OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}

HELP = {"--help", "-h"}


def run_command(commands: Mapping[str, Command], words: Sequence[str], usage: str) -> int:
    """Run the command that the first word names; return the exit status.

    See `ended_quietly` and `status_of`.
    """
    if not words or HELP & set(words):
        sys.stdout.write(usage + "\n")
        return 0
    return ended_quietly(lambda: status_of(lambda: command_named(words[0], commands)(words[1:])))


def command_named(name: str, commands: Mapping[str, Command]) -> Command:
    """Return the command of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in commands:
        raise UsageError(f"there is no command {name!r}. {choices(name, commands)}")
    return commands[name]


def ended_quietly(action: Callable[[], int]) -> int:
    """Return the exit status of an action, also of one that is interrupted or finds no room.

    Who stops reading what it prints, as `head` does, has what they want.
    """
    try:
        status = action()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        sys.stderr.write("isogrid: interrupted, nothing is lost; type it again to go on\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 0
    except OSError as error:
        if error.errno not in OUT_OF_SPACE:
            raise
        sys.stderr.write(f"isogrid: {error}; make room, and type it again to go on\n")
        return 1


def status_of(action: Callable[[], int]) -> int:
    """Return the exit status of an action.

    An error that isogrid raises on purpose becomes one line on standard error: 2 if the input is
    wrong, 1 otherwise.
    """
    try:
        return action()
    except IsogridError as error:
        sys.stderr.write(f"isogrid: {error}\n")
        return 2 if isinstance(error, UsageError) else 1


def read_arguments(words: Sequence[str], kind: type[T]) -> T:
    """Return the arguments that `key=value` words give, as the dataclass `kind`.

    Values are read as YAML scalars and lists, dots in keys as nesting.

    Raises:
        UsageError: a word is no key=value, a key is unknown, or a value has the wrong type.
    """
    from omegaconf import OmegaConf  # most commands need none of it
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    for word in words:
        key, equals, _ = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no key=value")
        if key.split(".")[0] not in known:
            raise UsageError(f"there is no argument {key!r}. {choices(key, known)}")
    try:
        plain: Any = OmegaConf.to_container(OmegaConf.from_dotlist(list(words)), resolve=True)
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise UsageError(_explained(str(error), kind)) from error
    except (OmegaConfBaseException, YAMLError) as error:
        raise UsageError(" ".join(str(error).split())) from error


def _explained(error: str, kind: Any) -> str:
    """Return what is wrong with which argument, and what it may be."""
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", error):
        return f"{missing[1]}= is missing"
    wrong, _, place = error.partition(" - at `$.")
    name = place.rstrip("`")
    hint = get_type_hints(kind).get(name)
    enums = [one for one in (hint, *get_args(hint)) if isinstance(one, type) and issubclass(one, Enum)]
    valid = [str(member.value) for one in enums for member in one]
    if "Expected `array`" in wrong:
        wrong = f"{wrong}; write a list, {name}=[A,B]"
    return ". ".join([f"{name}: {wrong}" if name else wrong, *([choices("", valid)] if valid else [])])
