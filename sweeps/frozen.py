"""The expansion of a sweep as it was launched, kept under the root.

Editing `conf/` after a launch changes nothing that is running; `status` reads this file and can say
that the two have parted.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from conf.schema import LaunchConfig
from sweeps import durable
from sweeps.expansion import Expansion
from sweeps.folders import CONF, Root


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenSweep:
    """What was launched: the whole sweep, the launch's own config, and a digest of `conf/` then."""

    expansion: Expansion
    overrides: tuple[str, ...]
    launch: LaunchConfig
    conf_digest: str


def freeze(root: Root, sweep: FrozenSweep) -> None:
    """Write `sweep` under the root, in place of what was launched under its name before."""
    if sweep != load(root, sweep.expansion.sweep):
        durable.replace(root.frozen(sweep.expansion.sweep), durable.encode(sweep))


def load(root: Root, sweep: str) -> FrozenSweep | None:
    """Return the sweep as it was launched under `root`, or None if it never was."""
    return durable.read(root.frozen(sweep), FrozenSweep)


def launched(root: Root) -> list[str]:
    """Return the names of all sweeps that were launched under `root`."""
    return sorted(path.stem for path in root.frozen("any").parent.glob("[!.]*.json"))


def conf_digest(conf: Path = CONF) -> str:
    """Return a digest of all YAML files of the configuration."""
    digest = hashlib.sha256()
    for path in sorted(conf.rglob("*.yaml")):
        digest.update(str(path.relative_to(conf)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
