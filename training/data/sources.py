"""The indexes of a run's data: looked at before training starts, made where they are missing."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sweeps.errors import DataError
from sweeps.folders import CHECKOUT
from sweeps.hidden import read_in_time
from sweeps.host import this_host
from sweeps.runs.sources import SourceFiles
from training.data.index import ShardIndex, fingerprint_of, open_index
from training.data.indexing import Origin, make_index, up_to_date
from training.data.parts import look
from training.data.patterns import expand_shards

FEW_SHARDS = 64
"""So many are walked sooner than processes are started for it, or than a user is asked to."""


def index_file(source: SourceFiles, folder: Path) -> Path:
    """Return the file of a source's index."""
    return folder / f"{source.name}.index"


def origin_of(source: SourceFiles) -> Origin:
    """Return what a source's index is made of.

    Raises:
        DataError: the pattern names no shards.
    """
    paths = tuple(expand_shards(source.shards))
    if not paths or "*" in source.shards:
        raise DataError(f"{source.shards} names no file; write a range that counts up: {{000..099}}")
    return Origin(paths=paths, uids=Path(source.uids) if source.uids else None)


def num_to_walk(source: SourceFiles, folder: Path) -> int:
    """Return how many shards of a source have to be walked before its index in `folder` is right.

    It looks at a few of those that the index has, and takes them for all of these.

    Raises:
        DataError: the list of uids is missing, or none.
    """
    origin, index = origin_of(source), open_index(index_file(source, folder))
    if index is None or index.uids != origin.uids_stamp():
        return len(origin.paths)
    stamps = index.stamps()
    walked = [path for path in origin.paths if path in stamps]
    looked_at = walked[:: len(walked) // FEW_SHARDS or 1]
    num_changed = sum(look(Path(path)) != stamps[path] for path in looked_at)
    return len(origin.paths) - len(walked) + num_changed * len(walked) // (len(looked_at) or 1)


def index_command(source: SourceFiles, folder: Path) -> str:
    """Return what a user types to have a source's index made."""
    return f"python {shlex.join(_index_words(source, folder))}"


def ready(sources: Sequence[SourceFiles], folder: Path) -> tuple[ShardIndex, ...]:
    """Look at every shard, bring the sources' indexes in `folder` up to date, and return them.

    Raises:
        DataError: a shard is missing, truncated or holds nothing.
    """
    return tuple(_ready(source, folder) for source in sources)


def opened(sources: Sequence[SourceFiles], folder: Path, expected: int) -> tuple[ShardIndex, ...]:
    """Return the indexes that are `ready` on another host, and there have a fingerprint.

    Raises:
        DataError: there are none here, or others.
    """
    return read_in_time(lambda: _opened(sources, folder, expected), DataError)


def _ready(source: SourceFiles, folder: Path) -> ShardIndex:
    file, origin = index_file(source, folder), origin_of(source)
    if len(origin.paths) > FEW_SHARDS and up_to_date(file, origin) is None:
        _index_in_processes(source, folder)
    return make_index(file, origin)


def _opened(sources: Sequence[SourceFiles], folder: Path, expected: int) -> tuple[ShardIndex, ...]:
    files = [index_file(source, folder) for source in sources]
    indexes = [index for file in files if (index := open_index(file))]
    if len(indexes) < len(files) or fingerprint_of(indexes) != expected:
        raise DataError(
            f"{this_host()} does not see the indexes that the first rank sees, "
            f"{', '.join(map(str, files))}; put the root where all nodes see the same"
        )
    return tuple(indexes)


def _index_in_processes(source: SourceFiles, folder: Path) -> None:
    """Let the command make an index; what it cannot do is left undone, and said there."""
    subprocess.run([sys.executable, *_index_words(source, folder)], cwd=CHECKOUT, check=False)


def _index_words(source: SourceFiles, folder: Path) -> list[str]:
    words = [f"name={source.name}", f"shards={source.shards}", f"folder={folder}"]
    return ["-m", "training", "index", *words, *([f"uids={source.uids}"] if source.uids else [])]
