"""What evals that take long leave beside the table, to go on from after a kill. No torch.

The file of an eval that no sweep wants any more, or only a newer version of it, is deleted when old.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from evaluation.results import scored_pairs
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.expansion import Expansion, suites_of
from sweeps.work.items import checkpoint_id, eval_id

ORPHAN_AGE_S = 7 * 24 * 3600.0
"""So old is a file before anybody asks who wants it; an eval at work writes its own anew before."""


def folder(root: Root) -> Path:
    """Return where evals that are not at their end have their files, beside the table."""
    return root.results / "unfinished"


def file_name(checkpoint: str, name: str) -> str:
    """Return the name of the file of one eval, which is called as by `eval_id`, on a checkpoint."""
    return f"{hashlib.sha256(f'{checkpoint} {name}'.encode()).hexdigest()[:16]}.safetensors"


def delete_orphans(root: Root) -> int:
    """Delete old files of evals that no launched sweep lacks; return how many.

    An eval that goes on all the same has read its file before, or begins anew without it.
    """
    old = _old_files(folder(root))
    if not old:
        return 0
    wanted = set(_wanted(root))
    orphans = [path for path in old if path.name not in wanted]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def _old_files(folder: Path) -> list[Path]:
    latest, found = time.time() - ORPHAN_AGE_S, list[Path]()
    with contextlib.suppress(FileNotFoundError):  # the folder, or a file that came to its end meanwhile
        found = [Path(e.path) for e in os.scandir(folder) if e.stat().st_mtime < latest]
    return found


def _wanted(root: Root) -> Iterator[str]:
    """Yield the names of the files of all evals that have no row yet, and that a sweep wants."""
    scored = scored_pairs(root)
    launched = (frozen.load(root, sweep) for sweep in frozen.launched(root))
    for checkpoint, name in (pair for one in launched if one for pair in _pairs(one.expansion)):
        if (checkpoint, name) not in scored:
            yield file_name(checkpoint, name)


def _pairs(expansion: Expansion) -> Iterator[tuple[str, str]]:
    """Yield (checkpoint, eval) of all that a sweep wants to have scored."""
    for key, suites in suites_of(expansion.runs).items():
        names = {eval_id(spec) for suite in suites for spec in suite.evals}
        for samples in expansion.segments[key].milestones:
            yield from ((checkpoint_id(key, samples), name) for name in names)
