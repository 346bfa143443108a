"""The files of a checkout that jobs need: its packages, with the data that lie in them."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

PACKAGES = ("analysis", "conf", "evaluation", "launcher", "sweeps", "training")
MOST_BYTES = 64 * 2**20


def package_files(checkout: Path) -> dict[str, bytes]:
    """Return name → content of all files of the checkout's packages, tracked by git or not."""
    return {
        f"{package}/{path.relative_to(checkout / package)}": path.read_bytes()
        for package in PACKAGES
        for path in _not_huge(files_below(checkout / package))
    }


def files_below(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the files of a package: none that is hidden, compiled, or an editor's backup.

    Linked folders are entered, unless they contain themselves.
    """
    known = above | {folder.resolve()}
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = Path(entry.path)
            if entry.name.startswith((".", "__pycache__")) or entry.name.endswith((".pyc", "~")):
                continue
            if entry.is_file():
                yield path
            elif entry.is_dir() and path.resolve() not in known:
                yield from files_below(path, known)


def _not_huge(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.stat().st_size <= MOST_BYTES:
            yield path
        else:
            log.warning("%s is too large to be copied with the code; jobs will not find it", path)
