"""Whether what runs name is there to be trained, before anything is written. No torch."""

import importlib.util
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conf.schema import ModelConfig, RunConfig, SourceConfig
from sweeps.composing.targets import refuse_missing_target
from sweeps.errors import DataError, UsageError, choices
from sweeps.folders import Root
from sweeps.runs.expansion import Run
from sweeps.runs.sources import refuse_unset, source_files, sources_of
from training.data.generate import made_with
from training.data.patterns import existing_shards, expand_shards
from training.data.sources import FEW_SHARDS, index_command, num_to_walk
from training.procedures import mammut_sizes

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

CLIP, SIGLIP = "training.procedures.clip.Clip", "training.procedures.siglip.SigLip"
COCA, MAMMUT = "training.procedures.coca.CoCa", "training.procedures.mammut.Mammut"
OF_OPEN_CLIP = {CLIP, SIGLIP, COCA}
"""Procedures whose models are open_clip's; what a name means to a user's own, only that knows."""


def refuse_untrainable(root: Root, runs: Sequence[Run]) -> None:
    """Check models, procedures and data of some runs.

    Raises:
        UsageError: a name cannot be part of a path, or nothing is behind it; shards are missing.
    """
    _refuse_unknown_names([run.config for run in runs])
    for run in _first_of_each_data(runs):
        refuse_unset(run.config.data, run.data)
        _refuse_bad_pattern(root, run)
        _refuse_missing_shards(root, run)
        _refuse_many_without_index(root, run)
        _refuse_shards_made_otherwise(root, run)


def refuse_unsafe(name: str, what: str) -> None:
    """Check a name that ends in paths and job names.

    Raises:
        UsageError: it holds other characters than letters, digits, dot, dash and underscore.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{what} {name!r} becomes part of paths: use letters, digits, . _ and - only")


def refuse_unknown_model(model: ModelConfig, procedure: str) -> None:
    """Check a model whose meaning to a procedure, named by its `_target_`, is known.

    Raises:
        UsageError: there is none of this name, or the procedure cannot train it.
    """
    if procedure == MAMMUT:
        described = mammut_sizes.spelled_out(model).config
        if not described or "cross_attn_ratio" not in described.get("text_cfg", {}):
            raise UsageError(f"procedure=mammut: {model.name} is no MaMMUT, as mammut_* are")
    elif procedure in OF_OPEN_CLIP and (described := model.config or _open_clips(model.name)):
        _refuse_misfit(model.name, procedure, is_captioner="multimodal_cfg" in described)


def refuse_made_otherwise(folder: Path, generator: Mapping[str, Any]) -> None:
    """Check a data set that is made on the spot, if it is there already.

    Raises:
        UsageError: it was made by something else.
    """
    if (made_by := made_with(folder)) not in (None, generator):
        raise UsageError(
            f"{folder} was made with {made_by}, but {generator} is asked for; remove it, or let "
            f"the new data lie elsewhere"
        )


def _refuse_unknown_names(configs: Iterable[RunConfig]) -> None:
    targets: dict[str, str] = {}
    models: dict[tuple[str, str], ModelConfig] = {}
    for config in configs:
        refuse_unsafe(config.model.name, "model.name")
        refuse_unsafe(config.data.name, "data.name")
        for source in sources_of(config.data):
            refuse_unsafe(source.name, "data.sources.name")
            if source.subset.name:
                refuse_unsafe(source.subset.name, "data.subset.name")
        models[config.procedure._target_, config.model.name] = config.model
        targets[config.procedure._target_] = "procedure"
        if config.data.generator is not None:
            targets[config.data.generator.get("_target_", "")] = "generator"
    for target, what in targets.items():
        refuse_missing_target(target, what)
    for (procedure, _), model in sorted(models.items(), key=lambda one: one[0]):
        refuse_unknown_model(model, procedure)


def _refuse_misfit(name: str, procedure: str, *, is_captioner: bool) -> None:
    if procedure == COCA and not is_captioner:
        raise UsageError(f"procedure=coca: {name} has no part that writes captions, as coca_* have")
    if procedure != COCA and is_captioner:
        raise UsageError(f"{name} also writes captions: take procedure=coca")


def _open_clips(name: str) -> dict[str, Any] | None:
    """Return open_clip's description of a model; None on a login node that only launches."""
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        return None
    files = {path.stem: path for path in (Path(found.origin).parent / "model_configs").glob("*.json")}
    if name not in files:
        raise UsageError(f"open_clip has no model {name!r}. {choices(name, files)}")
    described: dict[str, Any] = json.loads(files[name].read_text())
    return described


def _first_of_each_data(runs: Iterable[Run]) -> list[Run]:
    first: dict[tuple[SourceConfig, ...], Run] = {}
    for run in runs:
        first.setdefault(sources_of(run.config.data), run)
    return list(first.values())


def _refuse_bad_pattern(root: Root, run: Run) -> None:
    for source in sources_of(run.config.data):
        shards = source.shards
        paths = [Path(name) for name in expand_shards(root.absolute(shards))]
        if not paths or "*" in shards or any(path.suffix != ".tar" for path in paths):
            raise UsageError(f"data.shards={shards}: write tar files, like /data/{{00000..00099}}.tar")
        is_ours = paths[0].parent in (root.path, *root.path.parents)
        if run.config.data.generator is not None and is_ours:
            raise UsageError(f"data.shards={shards}: generated shards need a folder of their own")


def _refuse_missing_shards(root: Root, run: Run) -> None:
    data = run.config.data
    for source, files in zip(sources_of(data), source_files(data, root), strict=True):
        if files.uids is not None and not Path(files.uids).is_file():
            raise UsageError(f"{files.name}: there is no list of uids {files.uids}")
        if data.generator is None:
            try:
                existing_shards(files.shards)
            except DataError as error:
                raise UsageError(f"{source.name}: {error}") from error


def _refuse_many_without_index(root: Root, run: Run) -> None:
    """Check that no ranks would wait, on all nodes, while one of them walks a whole data set."""
    if run.config.data.generator is not None:
        return
    for files in source_files(run.config.data, root):
        try:
            number = num_to_walk(files, root.data)
        except DataError as error:
            raise UsageError(f"{files.name}: {error}") from error
        if number > FEW_SHARDS:
            raise UsageError(
                f"{files.name}: about {number:,} shards are in no index, or changed since; a job's "
                f"ranks would all wait for it: type {index_command(files, root.data)}"
            )


def _refuse_shards_made_otherwise(root: Root, run: Run) -> None:
    data = run.config.data
    if data.generator is not None:
        folder = Path(expand_shards(root.absolute(data.shards))[0]).parent
        refuse_made_otherwise(folder, data.generator)
