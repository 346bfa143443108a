"""The border to Hydra: it parses overrides, composes configs and handles its own flags. Only here.

What a composed config means, and which of them a sweep needs, is left to `sweeps.composing.points`.
"""

import contextlib
import functools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override as HydraOverride
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from sweeps.composing.twin import app_node
from sweeps.composing.words import refuse_expanded
from sweeps.errors import UsageError, choices
from sweeps.folders import CONF


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """One argument of a command line.

    `line`: as Hydra reads it. `values`: one, those of a comma list, or those of a bracketed list;
    `value` is what a key is set to. `is_several`: a comma list, which sets nothing. `is_change`: it
    sets a value or chooses an option (`+key=…`, `~key` and `hydra.…` do not).
    """

    key: str
    line: str
    values: list[Any]
    value: Any
    is_several: bool
    is_change: bool


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Let configs be composed, and turn Hydra's and OmegaConf's errors into one line for the user."""
    with errors(), hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        _register_schema()
        yield


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """Turn Hydra's and OmegaConf's errors into one line for the user."""
    try:
        yield
    except MissingConfigException as error:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        options = [str(known) for known in error.options or []]
        raise UsageError(f"there is no {group} {option!r}. {choices(option, options)}") from error
    except OverrideParseException as error:
        raise UsageError(f"{error.override!r} cannot be read; write NAME=VALUE") from error
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise UsageError(_explained(error)) from error


def parse(arguments: Sequence[str]) -> list[Override]:
    """Return the overrides of a command line; within `errors` or a `session`.

    Raises:
        UsageError: shards are named twice.
    """
    lines = list(map(_quoted_where_needed, arguments))
    overrides = list(map(_override, OverridesParser.create().parse_overrides(lines)))
    refuse_expanded(override.key for override in overrides)
    return overrides


def compose(lines: Sequence[str]) -> DictConfig:
    """Return the config that override lines make of `conf/config.yaml`; within a `session`."""
    return hydra.compose("config", list(lines))


def compose_with_choices(lines: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
    """Return what `compose` does, and the option that it took of each group."""
    config = hydra.compose("config", list(lines), return_hydra_config=True)
    taken = OmegaConf.to_container(config.hydra.runtime.choices)
    assert isinstance(taken, dict)
    with open_dict(config):
        del config["hydra"]
    return config, {str(group): str(option) for group, option in taken.items()}


def run_app(task: Callable[[DictConfig], None], arguments: Sequence[str]) -> None:
    """Let Hydra itself handle a command line: `--help`, `--cfg job`, `--info`, shell completion."""
    _register_schema()
    sys.argv = [sys.argv[0], *map(_quoted_where_needed, arguments)]
    with errors():
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()


@functools.cache
def _register_schema() -> None:
    ConfigStore.instance().store(name="schema", node=app_node())


def _explained(error: Exception) -> str:
    """Return what is wrong; where a config file says it, in which one, and what it could say."""
    wrong, file = error.__context__, re.match(r"In '(.+?)':", str(error))
    if not (file and isinstance(wrong, OmegaConfBaseException)):
        return " ".join(str(error).split())
    if not (isinstance(wrong, ConfigKeyError) and is_dataclass(wrong.object_type)):
        return f"conf/{file[1]}.yaml: {str(wrong).splitlines()[0]}"
    key, names = str(wrong.key), [field.name for field in fields(wrong.object_type)]
    return f"conf/{file[1]}.yaml: there is no {key!r} to set. {choices(key, names)}"


def _override(given: HydraOverride) -> Override:
    key = given.key_or_group
    is_several = given.is_sweep_override()
    value = None if is_several else given.value()
    one = list(value) if isinstance(value, list) else [value]
    return Override(
        key=key,
        line=given.input_line or "",
        values=list(given.sweep_iterator()) if is_several else one,
        value=value,
        is_several=is_several,
        is_change=not (given.is_add() or given.is_delete() or key.startswith("hydra.")),
    )


def _quoted_where_needed(argument: str) -> str:
    """Return an override that Hydra can parse.

    A value that it cannot, such as `data.shards=/scratch/{00000..00099}.tar`, is taken as plain text.
    """
    key, equals, value = argument.partition("=")
    if not equals or argument.startswith("-"):
        return argument
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{key}='{escaped}'"
    return argument
