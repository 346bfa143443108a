"""Arguments of the analysis commands: key=value, read by OmegaConf, checked by type."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from analysis.laws import DEFAULT_GROUP, DEFAULT_X
from sweeps.errors import UsageError, choices


@dataclass(frozen=True, kw_only=True, slots=True)
class FitArguments:
    """What is fitted and how; see the command's help."""

    root: str | None = None
    table: str | None = None
    sweep: str | None = None
    x: str = DEFAULT_X
    y: str | None = None
    group: str = DEFAULT_GROUP
    frontier: str = "pareto"
    bootstrap: int = 1000
    where: dict[str, Any] = field(default_factory=dict)
    format: str = "text"


def read_arguments(words: Sequence[str]) -> FitArguments:
    """Return the arguments that `key=value` words give.

    Raises:
        UsageError: a word is no key=value, a key is unknown, or a value has the wrong type.
    """
    known = {f.name for f in fields(FitArguments)}
    for word in words:
        key, equals, _ = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no key=value")
        if key.split(".")[0] not in known:
            raise UsageError(f"there is no argument {key!r}. {choices(key, known)}")
    try:
        plain = OmegaConf.to_container(OmegaConf.from_dotlist(list(words)), resolve=True)
        arguments = msgspec.convert(plain, FitArguments)
    except (OmegaConfBaseException, msgspec.ValidationError) as error:
        raise UsageError(" ".join(str(error).split())) from error
    if (arguments.root is None) == (arguments.table is None):
        raise UsageError("give root=DIR (our results table) or table=FILE (a CSV or Parquet file)")
    return arguments
