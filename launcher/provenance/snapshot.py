"""The code that jobs run: a copy of the checkout, made at the first submission, shared by all.

ROOT/code/<id>/ holds the packages, the user's own modules, `snapshot.json` and `diff.patch`. The id is
made of the commit and the content, so the same code is copied once, and what is edited after a launch
changes nothing that is queued.
"""

import hashlib
import logging
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.provenance import git
from launcher.provenance.imports import own_modules
from launcher.provenance.sources import PACKAGES, package_files
from sweeps import durable
from sweeps.folders import CHECKOUT, SNAPSHOT_FILE, Root

log = logging.getLogger(__name__)

DIFF_FILE = "diff.patch"
KEPT = 5
TEMPORARY_S = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Code that jobs run. `commit` ends in `+` where tracked files differ from it; empty: no git."""

    folder: Path
    checkout: Path
    commit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What `snapshot.json` says of the code. `untracked`: files that git did not know."""

    commit: str
    branch: str
    untracked: tuple[str, ...]
    checkout: Path
    time: float


def take(root: Root, targets: Iterable[str] = (), checkout: Path = CHECKOUT) -> Snapshot:
    """Return the snapshot of the checkout as it is now; make it if it is not there.

    Args:
        root: under which it lies.
        targets: what configs name as `_target_`; where that is the user's own, it is copied too.
        checkout: whose packages are copied.
    """
    files = {**package_files(checkout), **own_modules(targets)}
    commit = git.commit(checkout)
    folder = root.code / "-".join(filter(None, [commit.removesuffix("+"), _digest(files)]))
    if (folder / SNAPSHOT_FILE).exists():
        _mend(folder, files)
    else:
        root.code.mkdir(mode=0o700, exist_ok=True)
        durable.publish_folder(folder, {**files, **_provenance(checkout, commit)})
        log.info("the code that jobs run is in %s", folder)
    return Snapshot(folder=folder, checkout=checkout, commit=commit)


def import_from(snapshot: Snapshot) -> None:
    """Have this process import what it has not imported yet from a snapshot.

    A launcher may watch for days, and imports some modules late: pulling into the checkout, or editing
    it, must not mix two versions of the code.
    """
    for name, module in [*sys.modules.items()]:
        if name.partition(".")[0] in PACKAGES and hasattr(module, "__path__"):
            module.__path__ = [str(snapshot.folder / name.replace(".", "/"))]
    sys.path.insert(0, str(snapshot.folder))


def older(root: Root) -> list[Path]:
    """Return all snapshots but the newest few."""
    made = [path for path in root.code.glob("[!.]*") if path.is_dir()]
    return sorted(made, key=lambda path: path.stat().st_mtime)[:-KEPT]


def delete(root: Root, snapshots: Iterable[Path]) -> None:
    """Delete snapshots, and what launchers that were killed left half made or half deleted."""
    hidden = [path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex}")) for path in snapshots]
    before = time.time() - TEMPORARY_S
    left = [path for path in root.code.glob(".*") if path.stat().st_mtime < before]
    for path in {*hidden, *left}:
        shutil.rmtree(path, ignore_errors=True)


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:12]


def _mend(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put back what is missing of a snapshot or was changed in it: scratch file systems clean up."""
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            log.warning("%s was missing or changed, and is written again", path)
            path.parent.mkdir(parents=True, exist_ok=True)
            durable.replace(path, content)


def _provenance(checkout: Path, commit: str) -> dict[str, bytes]:
    known = Provenance(
        commit=commit,
        branch=git.branch(checkout),
        untracked=git.untracked(checkout),
        checkout=checkout,
        time=time.time(),
    )
    return {SNAPSHOT_FILE: durable.encode(known), DIFF_FILE: git.diff(checkout)}
