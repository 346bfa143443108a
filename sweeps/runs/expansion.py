"""Cells and their configs become runs, and runs become the segments that they share.

Every stage is cut where some run of the sweep leaves it. Since resuming is exact, a cut changes no
key; since a trunk's key does not know the horizon, runs that agree on a stretch train it once.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from conf.schema import EvalConfig, ResourceConfig, RunConfig, TrainConfig
from sweeps.composing.grid import Cell, describe
from sweeps.errors import UsageError
from sweeps.runs.checks import refuse_contradictions
from sweeps.runs.declared import samples_seen_of
from sweeps.runs.identity import Keys
from sweeps.runs.stages import milestones_of, stages_of

SHARED_SHAPE = "constant"


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A piece of a stage, trained as one work item. All positions are samples since the run began.

    `parent` is the key of the state that it starts from (None: fresh weights); `stage_start` is where
    its learning-rate schedule begins; `milestones` are kept for evaluation; `keep_state`: a later
    segment may start from its end.
    """

    key: str
    train: TrainConfig
    parent: str | None
    stage_start: int
    start: int
    end: int
    milestones: tuple[int, ...]
    keep_state: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One point of the grid. `segments` are the keys of its pieces in order; the last is `run_id`."""

    run_id: str
    labels: dict[str, str]
    config: RunConfig
    samples_seen: int
    segments: tuple[str, ...]

    @property
    def model(self) -> str:
        """The model's axis value, or its name where the model is no axis."""
        return self.labels.get("model", self.config.model.name)

    @property
    def data(self) -> str:
        """The data's axis value, or its name where the data is no axis."""
        return self.labels.get("data", self.config.data.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Expansion:
    """A sweep, enumerated: its runs, and all segments by key, parents before children."""

    sweep: str
    runs: tuple[Run, ...]
    segments: dict[str, Segment]


@dataclass(kw_only=True, slots=True)
class _Stretch:
    """A stage as all its runs see it: where they leave it and what they want kept on the way."""

    start_key: str | None
    train: TrainConfig
    start: int
    keys: dict[int, str] = field(default_factory=dict)
    milestones: set[int] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """The end of a segment, in samples, in a stage that others may share: `stage` is its key."""

    stage: str
    end: int
    key: str


def expand(
    sweep: str,
    cells: Sequence[Cell],
    configs: Sequence[RunConfig],
    standing: Mapping[str, Collection[int]] = MappingProxyType({}),
) -> Expansion:
    """Return the runs and segments of a sweep.

    Args:
        sweep: its name.
        cells: the points of the grid.
        configs: of the points.
        standing: by stage, where it was cut before; a stage is cut there again, which changes no key.

    Raises:
        UsageError: a config is impossible, or two cells are one run; the message names the cell.
    """
    stretches, keys = dict[str, _Stretch](), Keys()
    paths = [_enter(stretches, keys, cell, config) for cell, config in zip(cells, configs, strict=True)]
    segments, chains = _cut(stretches, keys, standing)
    runs = [
        Run(
            run_id=path[-1][1],
            labels=cell.labels,
            config=config,
            samples_seen=samples_seen_of(config),
            segments=tuple(key for name, end in path for key in _until(chains[name], end)),
        )
        for path, cell, config in zip(paths, cells, configs, strict=True)
    ]
    _refuse_twins(runs)
    return Expansion(sweep=sweep, runs=tuple(runs), segments=segments)


def cuts_of(expansion: Expansion) -> Iterator[Cut]:
    """Yield the ends of all segments of stages that do not know their horizon."""
    start_keys: dict[str | None, str | None] = {}
    keys = Keys()
    for key, segment in expansion.segments.items():
        begins = segment.start == segment.stage_start
        start_keys[key] = segment.parent if begins else start_keys[segment.parent]
        if segment.train.schedule.shape == SHARED_SHAPE:
            stage = keys.of_stage(start_keys[key], segment.train)
            yield Cut(stage=stage, end=segment.end, key=key)


def micro_batch(global_batch_size: int, resources: ResourceConfig) -> int:
    """Return the samples that one rank takes through the model at once.

    Raises:
        UsageError: the global batch does not divide.
    """
    ranks, accumulation = resources.num_ranks, resources.accumulation
    size, rest = divmod(global_batch_size, ranks * accumulation)
    if rest or not size:
        raise UsageError(
            f"the global batch does not divide: {ranks} ranks × micro-batch × accumulation "
            f"{accumulation} = global_batch_size {global_batch_size}, but {global_batch_size} = "
            f"{ranks} × {size} × {accumulation} + {rest}; change global_batch_size, "
            f"resources.num_ranks or resources.accumulation"
        )
    return size


def part_of(expansion: Expansion, runs: Iterable[Run]) -> Expansion:
    """Return some of an expansion's runs, with the segments that they need."""
    chosen = tuple(runs)
    keys = {key for run in chosen for key in run.segments}
    segments = {key: segment for key, segment in expansion.segments.items() if key in keys}
    return replace(expansion, runs=chosen, segments=segments)


def owners_of(expansion: Expansion) -> dict[str, Run]:
    """Return for each segment the longest run that it belongs to: its layout counts."""
    ordered = sorted(expansion.runs, key=lambda run: run.samples_seen)
    return {key: run for run in ordered for key in run.segments}


def suites_of(runs: Iterable[Run]) -> dict[str, list[EvalConfig]]:
    """Return for each segment the suites that its checkpoints are to be scored on."""
    suites: dict[str, list[EvalConfig]] = {}
    for run in runs:
        for key in run.segments:
            known = suites.setdefault(key, [])
            if run.config.eval not in known:
                known.append(run.config.eval)
    return suites


Path = list[tuple[str, str]]
"""(stage key, key of the state in which the run leaves it) for each stage of a run."""


def _enter(stretches: dict[str, _Stretch], keys: Keys, cell: Cell, config: RunConfig) -> Path:
    """Note in `stretches` what one run needs of its stages; return its path through them."""
    try:
        stages, milestones = stages_of(config), milestones_of(config)
        for stage in stages:
            micro_batch(stage.train.global_batch_size, config.resources)
        refuse_contradictions(config)
    except UsageError as error:
        what = f"run {describe(cell.labels)}" if cell.labels else "this run"
        raise UsageError(f"{what}: {error}") from error
    start_key, path = None, []
    for stage in stages:
        name = keys.of_stage(start_key, stage.train)
        stretch = stretches.setdefault(
            name, _Stretch(start_key=start_key, train=stage.train, start=stage.start)
        )
        stretch.milestones.update(m for m in milestones if stage.start < m <= stage.end)
        if stage.end not in stretch.keys:
            stretch.keys[stage.end] = keys.of(start_key, stage.train, stage.end)
        start_key = stretch.keys[stage.end]
        path.append((name, start_key))
    return path


def _cut(
    stretches: Mapping[str, _Stretch], keys: Keys, standing: Mapping[str, Collection[int]]
) -> tuple[dict[str, Segment], dict[str, list[str]]]:
    """Return all segments by key, and the keys of each stage in order."""
    segments: dict[str, Segment] = {}
    chains: dict[str, list[str]] = {}
    for name, stretch in stretches.items():
        start, parent = stretch.start, stretch.start_key
        last = max(stretch.keys)
        stood = {end for end in standing.get(name, ()) if stretch.start < end < last}
        for end in sorted({*stretch.keys, *stood}):
            own = stretch.keys.get(end) or keys.of(stretch.start_key, stretch.train, end)
            segment = _segment(stretch, own, parent, start, end)
            segments[segment.key] = segment
            chains.setdefault(name, []).append(segment.key)
            start, parent = end, segment.key
    parents = {segment.parent for segment in segments.values()}
    return {
        key: replace(segment, keep_state=True) if key in parents else segment
        for key, segment in segments.items()
    }, chains


def _segment(stretch: _Stretch, key: str, parent: str | None, start: int, end: int) -> Segment:
    return Segment(
        key=key,
        train=stretch.train,
        parent=parent,
        stage_start=stretch.start,
        start=start,
        end=end,
        milestones=tuple(sorted(m for m in stretch.milestones if start < m <= end)),
        keep_state=stretch.train.schedule.shape == SHARED_SHAPE,
    )


def _until(chain: Sequence[str], last: str) -> Sequence[str]:
    return chain[: chain.index(last) + 1]


def _refuse_twins(runs: Iterable[Run]) -> None:
    seen: dict[str, Run] = {}
    for run in runs:
        twin = seen.setdefault(run.run_id, run)
        if twin is not run:
            raise UsageError(
                f"{describe(twin.labels)} and {describe(run.labels)} are one and the same run: they "
                f"differ in nothing that is trained"
            )
