"""Where everything lies under a root, and whether a root may be used.

ROOT/sweeps/<sweep>.json          the expansion as it was launched
ROOT/segments/<key>/              config, states, weights, metrics, lease, done marker
ROOT/submissions/<id>/            work items, batch script, output of the jobs
ROOT/ledger/<n>.jsonl             what the launcher did, one file a launcher
ROOT/quarantine/                  nodes that failed, which jobs avoid for a while
ROOT/limits/<cluster>.json        what each cluster allows, for an hour
ROOT/results/                     inbox, parts and manifests of the table
ROOT/data/                        generated data sets
ROOT/decoded/                     test sets, decoded once for all scoring processes
ROOT/code/<id>/                   the code that jobs run, as it was when they were submitted
ROOT/reports/<sweep>/             status.html, law.html
ROOT/wandb/                       what is shown on wandb, where that is wanted
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import UsageError

CHECKOUT = Path(__file__).resolve().parent.parent
CONF = CHECKOUT / "conf"

SNAPSHOT_FILE = "snapshot.json"
"""Lies in a copy of the checkout that jobs run, and in no checkout."""


@dataclass(frozen=True, slots=True)
class Root:
    """The folders of a root. Nothing is created by naming it."""

    path: Path

    @property
    def segments(self) -> Path:
        """Folder of all segments."""
        return self.path / "segments"

    @property
    def submissions(self) -> Path:
        """Folder of all submissions."""
        return self.path / "submissions"

    @property
    def ledger(self) -> Path:
        """Folder of the ledger's files."""
        return self.path / "ledger"

    @property
    def data(self) -> Path:
        """Folder of generated data sets and of shard indexes."""
        return self.path / "data"

    @property
    def decoded(self) -> Path:
        """Folder of decoded test sets."""
        return self.path / "decoded"

    @property
    def code(self) -> Path:
        """Folder of the snapshots of the code."""
        return self.path / "code"

    @property
    def results(self) -> Path:
        """Folder of the results table."""
        return self.path / "results"

    def segment(self, key: str) -> Path:
        """Folder of one segment."""
        return self.segments / key

    def segment_config(self, key: str) -> Path:
        """File that says what a segment is."""
        return self.segment(key) / "config.json"

    def submission(self, name: str) -> Path:
        """Folder of one submission."""
        return self.submissions / name

    @property
    def quarantine(self) -> Path:
        """Folder of the nodes that jobs avoid."""
        return self.path / "quarantine"

    def limits(self, cluster: str) -> Path:
        """File that keeps what a cluster allows."""
        return self.path / "limits" / f"{cluster}.json"

    def report(self, sweep: str) -> Path:
        """Folder of one sweep's reports."""
        return self.path / "reports" / sweep

    def frozen(self, sweep: str) -> Path:
        """File of one sweep's expansion."""
        return self.path / "sweeps" / f"{sweep}.json"

    @property
    def is_mine(self) -> bool:
        """Whether this user owns it, or it does not exist yet."""
        return not self.path.exists() or self.path.stat().st_uid == os.getuid()

    def absolute(self, path: str) -> str:
        """Return `path`, taken under the root where it is relative."""
        return str(self.path / path)


def root_of(configured: str | None) -> Root:
    """Return the root that `root=` names, relative to the current folder.

    Without it, it is ISOGRID_ROOT, or else `runs/` in the checkout.

    Raises:
        UsageError: nothing names it, and this is no checkout but the copy of one that jobs run.
    """
    named = configured or os.environ.get("ISOGRID_ROOT")
    if not named and (CHECKOUT / SNAPSHOT_FILE).exists():
        raise UsageError(f"{CHECKOUT} is a copy that jobs run: name the root with root=DIR")
    return Root(Path(named).expanduser().absolute() if named else CHECKOUT / "runs")


def refuse_unusable(root: Root) -> None:
    """Check that this user may write under `root`, without writing.

    Raises:
        UsageError: it belongs to another user, is no folder, or cannot be written or made.
    """
    try:
        existing = next(p for p in (root.path, *root.path.parents) if p.exists())
    except PermissionError as error:
        raise UsageError(f"root={root.path}: permission denied: {error.filename}") from error
    if not existing.is_dir():
        raise UsageError(f"root={root.path}: {existing} is not a folder")
    if existing == root.path and (owner := existing.stat().st_uid) != os.geteuid():
        raise UsageError(
            f"root={root.path} belongs to {user_name(owner)}; a root has one user, others may only "
            f"read. Choose your own with root=DIR or ISOGRID_ROOT"
        )
    if not os.access(existing, os.W_OK | os.X_OK) or os.statvfs(existing).f_flag & os.ST_RDONLY:
        raise UsageError(
            f"root={root.path}: {user_name(os.geteuid())} may not write in {existing}; choose another "
            f"with root=DIR or ISOGRID_ROOT"
        )


def make_folders(root: Root) -> None:
    """Create the folders that a launch writes to.

    Raises:
        UsageError: the file system refuses.
    """
    try:
        for folder in (root.segments, root.submissions, root.ledger, root.results):
            folder.mkdir(parents=True, exist_ok=True)
        root.frozen("any").parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"root={root.path} cannot be made: {error}") from error


def user_name(uid: int) -> str:
    """Return the name of a user, or their number where they have none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
