"""The root's file system: who sees it, whether its promises hold, how much room there is.

What is written is a folder of its own beside the root's files, and is removed again.
"""

import contextlib
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from conf.schema import ClusterKind
from launcher.doctor.findings import Finding, Subject, ok, problem, warning
from sweeps import durable
from sweeps.errors import UsageError
from sweeps.folders import Root, refuse_unusable

MOUNTS = Path("/proc/self/mounts")
SHARED = {
    "afs", "beegfs", "ceph", "cifs", "daos", "gpfs", "lustre", "nfs", "nfs4", "orangefs", "panfs",
    "pvfs2", "smb3", "virtiofs", "wekafs",
}  # fmt: skip
"""File systems that several machines mount; one behind FUSE may be any."""

GIB = 2**30
FEW_BYTES, FEW_INODES = 20 * GIB, 10_000
CLOCK_S = 30.0
OTHER = "choose another with root=DIR or ISOGRID_ROOT"


def check_root(subject: Subject) -> Iterator[Finding]:
    """Look at the root, or where it is to be made."""
    try:
        refuse_unusable(subject.root)
    except UsageError as error:
        yield problem("root", str(error), OTHER)
        return
    place = existing(subject.root)
    yield from _visible("root", subject.root.path, place, subject.cluster.kind)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(probe_folder(subject.root))
        except OSError as error:
            yield problem("root", f"{place} cannot be written: {error.strerror}", OTHER)
            return
        yield from check_promises(folder)
    yield from _room(place)


def check_prefix(subject: Subject) -> Iterator[Finding]:
    """Look at where Python and its packages lie; the code of a job is copied to the root."""
    prefix = Path(sys.prefix)
    yield from _visible("packages", prefix, prefix, subject.cluster.kind)


def existing(root: Root) -> Path:
    """Return the root, or the nearest folder above it that exists."""
    return next(path for path in (root.path, *root.path.parents) if path.exists())


@contextlib.contextmanager
def probe_folder(root: Root) -> Iterator[Path]:
    """Yield a new folder in the root, or above it while there is none; remove it at the end."""
    folder = existing(root) / f".isogrid-doctor-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_promises(folder: Path) -> Iterator[Finding]:
    """Try what all records rest upon: a rename that replaces, a link that never does, the clock."""
    try:
        durable.replace(folder / "renamed", b"old")
        durable.replace(folder / "renamed", b"new")
        replaced = (folder / "renamed").read_bytes() == b"new"
        linked = [
            durable.publish(folder / "linked", b"first"),
            durable.publish(folder / "linked", b"2"),
        ]
        kept = (folder / "linked").read_bytes() == b"first"
    except OSError as error:
        yield problem("rename, link", f"refused on {folder.parent}: {error.strerror}", OTHER)
        return
    if not replaced or linked != [True, False] or not kept:
        yield problem("rename, link", f"{folder.parent} does not keep what they promise", OTHER)
    else:
        yield ok("rename, link", "a rename replaces, a second link is refused")
    yield _clock((folder / "linked").stat().st_mtime - time.time())


def file_system_of(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds `path`, by the text of /proc/self/mounts."""
    fields = [line.split() for line in mounts.splitlines()]
    types = {Path(_unescaped(point)): kind for _, point, kind, *_ in fields}
    return next((types[folder] for folder in (path, *path.parents) if folder in types), "unknown")


def _visible(check: str, path: Path, place: Path, kind: ClusterKind) -> Iterator[Finding]:
    name = file_system_of(place.resolve(), MOUNTS.read_text())
    if kind is ClusterKind.local or name in SHARED or name.startswith("fuse"):
        yield ok(check, f"{path} is on {name}")
        return
    yield warning(
        check,
        f"{path} is on {name}, which compute nodes may not see",
        "use a shared file system, or make sure by submit=true",
    )


def _room(place: Path) -> Iterator[Finding]:
    """Compare what is free with what little a sweep needs; a quota may be tighter."""
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    what = f"{free / GIB:,.0f} GiB"
    if found.f_files:  # some file systems make inodes as they are needed, and tell 0
        what += f" and {found.f_favail:,} files"
    if free < FEW_BYTES or (found.f_files and found.f_favail < FEW_INODES):
        yield warning("room", f"only {what} are free", f"make room, or {OTHER}")
    else:
        yield ok("room", f"{what} are free (a quota is not seen here)")


def _clock(ahead_s: float) -> Finding:
    if abs(ahead_s) <= CLOCK_S:
        return ok("clock", "agrees with the file system's")
    return warning(
        "clock",
        f"the file system's is {ahead_s:+.0f} s away from this machine's",
        "times in status and in logs will differ by that; have the site set it",
    )


def _unescaped(text: str) -> str:
    """Undo the octal escapes of blanks in mount points (proc(5), fstab(5))."""
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
