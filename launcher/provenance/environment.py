"""The environment that a submission was made in, without its secrets."""

import os
import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sweeps import durable
from sweeps.folders import user_name
from sweeps.host import this_host

SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
"""A variable with one of these in its name is left out."""

LOGIN = re.compile(r"(?<=://)(?:\S*:\S*|[^\s/@]+)@")
"""User and password in an address, up to the `@` before its host."""

DISTRIBUTION = re.compile(r"(.+?)-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """Where and with what a submission was made. `distributions`: name → version, as installed."""

    time: float
    host: str
    user: str
    python: str
    executable: str
    distributions: dict[str, str]
    variables: dict[str, str]


def record(folder: Path) -> None:
    """Write the environment of this process into a submission's folder."""
    known = Environment(
        time=time.time(),
        host=this_host(),
        user=user_name(os.geteuid()),
        python=platform.python_version(),
        executable=sys.executable,
        distributions=_installed(),
        variables=without_secrets(os.environ),
    )
    durable.replace(folder / "environment.json", durable.encode(known))


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables whose names do not sound secret; addresses in them lose their logins."""
    return {
        _text(name): LOGIN.sub("***@", _text(value))
        for name, value in sorted(variables.items())
        if not SECRET.search(name)
    }


def distributions(path: Iterable[str]) -> dict[str, str]:
    """Return name and version of what is installed along a search path, by the names of its folders.

    Opening each one's metadata would take a fifth of a second.
    """
    found: dict[str, str] = {}
    for folder in path:
        if not Path(folder).is_dir():
            continue
        for name in os.listdir(folder):
            if matched := DISTRIBUTION.fullmatch(name):
                found.setdefault(matched[1], matched[2])
    return dict(sorted(found.items()))


@cache
def _installed() -> dict[str, str]:
    return distributions(sys.path)


def _text(value: str) -> str:
    """Return what JSON can hold: bytes that are no UTF-8 are replaced."""
    return os.fsencode(value).decode(errors="replace")
