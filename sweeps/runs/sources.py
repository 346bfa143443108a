"""The sources of a data set: one, or several that are mixed."""

from dataclasses import dataclass

from conf.schema import DataConfig, SourceConfig
from sweeps.errors import UsageError
from sweeps.folders import Root

UNSET = ("", "???")
"""Where only the user knows a path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFiles:
    """Where a source lies: absolute patterns of its shards, and its list of uids.

    `name`: that of its index.
    """

    name: str
    shards: str
    uids: str | None = None


def sources_of(data: DataConfig) -> tuple[SourceConfig, ...]:
    """Return the sources of a data set; one that is not mixed is its own only source."""
    alone = SourceConfig(name=data.name, shards=data.shards, subset=data.subset)
    return data.sources or (alone,)


def refuse_unset(data: DataConfig, chosen: str) -> None:
    """Refuse data whose place is not said; `chosen` is what `data=` chooses it by.

    Raises:
        UsageError: it is not said where the shards of a source lie.
    """
    for source in sources_of(data):
        if source.shards in UNSET:
            raise UsageError(
                f"data.shards of {source.name} is not set: write it into conf/data/{chosen}.yaml, or "
                f"pass data={chosen} data.shards='/path/{{00000..00099}}.tar'"
            )


def source_files(data: DataConfig, root: Root) -> tuple[SourceFiles, ...]:
    """Return where the sources of a data set lie."""
    return tuple(_files(source, root) for source in sources_of(data))


def _files(source: SourceConfig, root: Root) -> SourceFiles:
    shards = "::".join(root.absolute(part) for part in source.shards.split("::"))
    if not source.subset.name:
        return SourceFiles(name=source.name, shards=shards)
    name, uids = f"{source.name}.{source.subset.name}", root.absolute(source.subset.uids)
    return SourceFiles(name=name, shards=shards, uids=uids)
