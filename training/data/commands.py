"""Data tools of the command line: index, verify and subset.

    python -m training index  data=NAME | name=NAME shards='/path/{000..099}.tar'
    python -m training verify data=NAME | name=NAME shards='/path/{000..099}.tar'
    python -m training subset uids=FILE.npy as=SUBSET data=NAME | name=NAME shards='…'

`index` notes where each sample lies, so that runs start at once. `verify` decodes every sample and
names the broken ones. `subset` makes the index of those samples whose uid stands in a list, as
DataComp publishes them. All take workers=N, root=DIR or folder=DIR (of the indexes), and with
data=NAME changes of it (data.shards=…).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conf.schema import DataConfig
from sweeps.composing.compose import compose_data
from sweeps.composing.words import refuse_expanded
from sweeps.errors import UsageError, choices
from sweeps.folders import root_of
from sweeps.runs.sources import SourceFiles, refuse_unset, source_files
from sweeps.text import plural
from training.data.index import ShardIndex
from training.data.indexing import make_index
from training.data.shown import Bar
from training.data.sources import index_file, origin_of
from training.data.verify import broken_samples

Say = Callable[[str], None]

WORDS = ("data", "name", "shards", "uids", "as", "root", "folder", "workers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a command is about: sources, the folder of their indexes, and how many processes work."""

    sources: tuple[SourceFiles, ...]
    folder: Path
    num_workers: int


def index(words: Sequence[str], say: Say) -> int:
    """Make the indexes of a data set; return the exit status."""
    request = _request(words)
    for source in request.sources:
        _say_index(_indexed(source, request), index_file(source, request.folder), say)
    return 0


def verify(words: Sequence[str], say: Say) -> int:
    """Decode every sample of a data set, name the broken ones; return 1 if there are any."""
    request, num_broken, num_samples = _request(words), 0, 0
    for source in request.sources:
        num_samples += _indexed(source, request).num_samples
        file = index_file(source, request.folder)
        for broken in broken_samples(file, request.num_workers, Bar(f"{source.name}: decoded")):
            say(str(broken))
            num_broken += 1
    say(f"{num_broken:,} of {num_samples:,} samples are broken")
    return 1 if num_broken else 0


def subset(words: Sequence[str], say: Say) -> int:
    """Make the index of some samples of a data set; return the exit status."""
    given = _split(words)[0]
    if not {"uids", "as"} <= given.keys():
        raise UsageError("say of which samples, and how they are called: uids=FILE.npy as=SUBSET")
    index(words, say)
    uids = Path(given["uids"]).absolute()
    say(f"train on it with data.subset.name={given['as']} data.subset.uids={uids}")
    return 0


def _request(words: Sequence[str]) -> Request:
    given, overrides = _split(words)
    root, workers = root_of(given.get("root")), given.get("workers", str(_usable_cores()))
    if not workers.isdecimal() or int(workers) == 0:
        raise UsageError(f"workers={workers}: give a number from 1 on")
    data = compose_data(overrides) if overrides else _described(given)
    refuse_unset(data, data.name)
    if "uids" in given and data.sources:
        raise UsageError("a subset is one of a single source: say name= and shards= of it")
    sources = tuple(_chosen(source, given) for source in source_files(data, root))
    folder = Path(given["folder"]).absolute() if "folder" in given else root.data
    return Request(sources=sources, folder=folder, num_workers=int(workers))


def _chosen(source: SourceFiles, given: Mapping[str, str]) -> SourceFiles:
    if "uids" not in given:
        return source
    name = f"{source.name}.{given['as']}" if "as" in given else source.name
    return replace(source, name=name, uids=str(Path(given["uids"]).absolute()))


def _split(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return our own words by name, and the overrides that describe a data set."""
    own: dict[str, str] = {}
    overrides = []
    refuse_expanded(word.partition("=")[0] for word in words)
    for word in words:
        name, equals, value = word.partition("=")
        if name == "data" or name.startswith(("data.", "hydra.")):
            overrides.append(word)
        elif equals and name in WORDS:
            own[name] = value
        else:
            raise UsageError(f"{word!r} is not understood. {choices(name, WORDS)}")
    return own, overrides


def _described(given: Mapping[str, str]) -> DataConfig:
    if not {"name", "shards"} <= given.keys():
        raise UsageError("say which data: data=NAME, or name=NAME shards='/path/{000..099}.tar'")
    shards = "::".join(str(Path(part).absolute()) for part in given["shards"].split("::"))
    return DataConfig(name=given["name"], shards=shards)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def _indexed(source: SourceFiles, request: Request) -> ShardIndex:
    file, origin = index_file(source, request.folder), origin_of(source)
    progress = Bar(f"{source.name}: indexed")
    return make_index(file, origin, num_workers=request.num_workers, progress=progress)


def _say_index(found: ShardIndex, file: Path, say: Say) -> None:
    holds = f"{plural(found.num_samples, 'sample')}, {plural(found.num_shards, 'shard')}"
    say(f"{file}: {holds}, {found.nbytes / 2**20:.1f} MiB")
