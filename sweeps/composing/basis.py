"""What composing a command line depends on, in one digest; so that the same need not be composed again.

The digest covers the arguments, every YAML file that may take part, the code that composes, the
versions of the libraries that it uses, and the environment variables that are referred to. Where it
cannot be sure to cover everything, there is none.
"""

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from sweeps.folders import CHECKOUT, CONF

LIBRARIES = ("hydra-core", "omegaconf", "msgspec", "pyyaml")
CODE = ("conf", "sweeps")

REFERENCE = re.compile(r"\$\{[\w.\[\]]+\}")
"""Refers to another key, which is composed too."""
VARIABLE = re.compile(r"\$\{oc\.env:(\w+)(?:,[^${}]*)?\}")
"""Refers to an environment variable; every other resolver (`now`, …) may give anything."""

SEARCH_PATH = re.compile(r"hydra\.searchpath=\[([^\[\]'\"]*)\]")
FILES = "file://"


def basis_of(arguments: Sequence[str]) -> str | None:
    """Return a digest of all on which the composition of a command line depends.

    None where that is not known: a resolver other than `oc.env`, a search path that is no folder, one
    set in `conf/` itself, or a plug-in of Hydra's.
    """
    folders = _search_path(arguments)
    if folders is None or importlib.util.find_spec("hydra_plugins") is not None:
        return None
    texts = {str(path): path.read_text() for folder in (CONF, *folders) for path in _yaml_files(folder)}
    variables = _variables([*arguments, *texts.values()])
    if variables is None or any("searchpath" in text for text in texts.values()):
        return None
    parts = [
        repr(tuple(arguments)),
        repr(texts),
        repr({name: os.environ.get(name) for name in sorted(variables)}),
        repr([(name, version(name)) for name in LIBRARIES]),
        sys.version,
    ]
    return hashlib.sha256("\0".join([*parts, *_code()]).encode()).hexdigest()


def _search_path(arguments: Sequence[str]) -> list[Path] | None:
    """Return the folders beside `conf/` in which YAML is looked for, or None if they are not plain."""
    folders: list[Path] = []
    for argument in arguments:
        if not argument.lstrip("+~").startswith("hydra"):
            continue
        found = SEARCH_PATH.fullmatch(argument)
        if not found:
            return None
        for place in filter(None, map(str.strip, found[1].split(","))):
            if not place.startswith(FILES):
                return None
            folders.append(Path(place.removeprefix(FILES)).absolute())
    return folders


def _yaml_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if name.endswith((".yaml", ".yml")))


def _variables(texts: Sequence[str]) -> set[str] | None:
    """Return the environment variables that texts refer to, or None if they refer to something else."""
    names: set[str] = set()
    for text in texts:
        known = VARIABLE.findall(text)
        if text.count("${") != len(known) + len(REFERENCE.findall(text)):
            return None
        names.update(known)
    return names


def _code() -> list[str]:
    return [path.read_text() for name in CODE for path in sorted((CHECKOUT / name).rglob("*.py"))]
