"""The expansion of a sweep as it was launched, kept under the root.

Editing `conf/` after a launch changes nothing that is running; `status` reads this file and can say
that the two have parted.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conf.schema import EvalConfig, LaunchConfig, RunConfig, TrainConfig
from sweeps import durable
from sweeps.errors import DamagedFile, KeyConflict
from sweeps.folders import CONF, Root
from sweeps.packed import Packer, Row, Tables, Unpacker, fields_of, pieces
from sweeps.runs.expansion import Cut, Expansion, Run, Segment, cuts_of
from sweeps.runs.identity import differing_fields


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenSweep:
    """What was launched: the whole sweep, the launch's own config, and a digest of `conf/` then."""

    expansion: Expansion
    overrides: tuple[str, ...]
    launch: LaunchConfig
    conf_digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cuts:
    """What is read of a sweep's file to know where its stages are cut."""

    cuts: tuple[Cut, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pieces:
    """What is read of a sweep's file to know what its configs are made of."""

    tables: Tables


@dataclass(frozen=True, kw_only=True, slots=True)
class _File(_Cuts):
    """The file: runs and segments with their configs packed."""

    sweep: str
    overrides: tuple[str, ...]
    launch: LaunchConfig
    conf_digest: str
    tables: Tables
    runs: tuple[Row, ...]
    segments: tuple[Row, ...]


def freeze(root: Root, sweep: FrozenSweep) -> None:
    """Write `sweep` under the root, in place of what was launched under its name before."""
    path, content = root.frozen(sweep.expansion.sweep), durable.encode(_packed(sweep))
    if not path.exists() or path.read_bytes() != content:
        durable.replace(path, content)


def load(root: Root, sweep: str) -> FrozenSweep | None:
    """Return the sweep as it was launched under `root`, or None if it never was.

    Raises:
        DamagedFile: its file holds something else.
    """
    path = root.frozen(sweep)
    file = durable.read(path, _File)
    try:
        return _unpacked(file) if file else None
    except (msgspec.DecodeError, LookupError, TypeError) as error:
        raise DamagedFile(f"{path} is damaged, or of another version: {error}") from error


def load_cuts(root: Root, sweep: str) -> tuple[Cut, ...]:
    """Return where a launched sweep cuts the stages that others may share."""
    file = durable.read(root.frozen(sweep), _Cuts)
    return file.cuts if file else ()


def load_suites(root: Root, sweep: str) -> tuple[EvalConfig, ...]:
    """Return the distinct suites of a launched sweep.

    Raises:
        DamagedFile: its file holds something else.
    """
    path = root.frozen(sweep)
    file = durable.read(path, _Pieces)
    try:
        return pieces(file.tables, RunConfig, "eval") if file else ()
    except msgspec.DecodeError as error:
        raise DamagedFile(f"{path} is damaged, or of another version: {error}") from error


def launched(root: Root) -> list[str]:
    """Return the names of all sweeps that were launched under `root`."""
    return sorted(path.stem for path in root.frozen("any").parent.glob("[!.]*.json"))


def standing_cuts(root: Root) -> dict[str, set[int]]:
    """Return by stage, in samples, the ends of all segments that any launched sweep has begun.

    A sweep that cuts its stages there too starts from what stands, and trains only what is missing.
    """
    standing: dict[str, set[int]] = {}
    for sweep in launched(root):
        for cut in load_cuts(root, sweep):
            if root.segment(cut.key).is_dir():
                standing.setdefault(cut.stage, set()).add(cut.end)
    return standing


def freeze_segment(root: Root, segment: Segment) -> None:
    """Write what a segment is into its folder, unless it stands there already.

    Raises:
        KeyConflict: the folder belongs to another configuration.
    """
    path = root.segment_config(segment.key)
    known = durable.read(path, Segment)
    if known == segment:
        return
    if known is not None and (fields := differing_fields(known.train, segment.train)):
        raise KeyConflict(
            f"{path.parent} holds another configuration under this key: {', '.join(fields)} differ; "
            f"move the folder away, or choose another root"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, durable.encode(segment))


def conf_digest(conf: Path = CONF) -> str:
    """Return a digest of all YAML files of the configuration."""
    digest = hashlib.sha256()
    for path in sorted(conf.rglob("*.yaml")):
        digest.update(str(path.relative_to(conf)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _packed(sweep: FrozenSweep) -> _File:
    packer, expansion = Packer(), sweep.expansion
    return _File(
        cuts=tuple(cuts_of(expansion)),
        sweep=expansion.sweep,
        overrides=sweep.overrides,
        launch=sweep.launch,
        conf_digest=sweep.conf_digest,
        runs=tuple({**fields_of(run), "config": packer.row(run.config)} for run in expansion.runs),
        segments=tuple(
            {**fields_of(s), "train": packer.row(s.train)} for s in expansion.segments.values()
        ),
        tables=packer.tables,
    )


def _unpacked(file: _File) -> FrozenSweep:
    unpacker = Unpacker(file.tables)
    runs = (_run(row, unpacker) for row in file.runs)
    segments = (_segment(row, unpacker) for row in file.segments)
    return FrozenSweep(
        expansion=Expansion(
            sweep=file.sweep, runs=tuple(runs), segments={segment.key: segment for segment in segments}
        ),
        overrides=file.overrides,
        launch=file.launch,
        conf_digest=file.conf_digest,
    )


def _run(row: Row, unpacker: Unpacker) -> Run:
    row.update(config=unpacker.config(row["config"], RunConfig), segments=tuple(row["segments"]))
    return Run(**row)


def _segment(row: Row, unpacker: Unpacker) -> Segment:
    row.update(train=unpacker.config(row["train"], TrainConfig), milestones=tuple(row["milestones"]))
    return Segment(**row)
