"""Score one model without a sweep: a milestone, or weights of one of open_clip's models.

What a milestone's rows say is read from its segment's folder. Of other weights it is known what the
command line says, and the checkpoint's name is that of the file with the beginning of its SHA-256.
"""

import hashlib
import logging
import pickle
import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from safetensors import SafetensorError

from conf.schema import (
    EvalConfig,
    EvalDatasetConfig,
    EvalSpec,
    ModelConfig,
    Positive,
    Precision,
    ProcedureConfig,
)
from evaluation import unfinished
from evaluation.encoding.encoder import Encoder, encoder_of
from evaluation.encoding.kinds import Kinds
from evaluation.formats import TableFormat
from evaluation.measure import Failed, Subject, read_segment, sifted, trained_subject
from evaluation.results import inbox, store
from evaluation.results.rows import Key, Row
from evaluation.sets.decoded import DecodedSets
from evaluation.sets.layout import RETRIEVAL, is_test_set, kind_of
from evaluation.sets.testset import load_test_set
from sweeps.composing.compose import compose_part
from sweeps.composing.targets import refuse_missing_target
from sweeps.errors import DamagedFile, DataError, UsageError
from sweeps.folders import CONF, Root, refuse_unusable, root_of
from sweeps.runs.checks import refuse_unknown_sets
from sweeps.text import plural
from sweeps.work.items import eval_name
from training.checkpoints import checkpoint
from training.flops import gflops_per_sample
from training.openclip import open_clip
from training.procedure import Procedure, make_procedure
from training.refuse import refuse_unknown_model

log = logging.getLogger(__name__)

CLASSIFICATION = "evaluation.evaluators.classification.ZeroShotClassification"
RETRIEVALS = "evaluation.evaluators.retrieval.Retrieval"

UNREADABLE = (
    AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError,
    SafetensorError, pickle.UnpicklingError, struct.error,
)  # fmt: skip
"""What loading weights raises that are none, or those of another model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreArguments:
    """What is scored on what; see the command's help."""

    weights: str
    model: str | None = None
    procedure: str = "clip"
    precision: Precision = Precision.fp32
    suite: str | None = None
    dataset: str | tuple[str, ...] = ()
    evaluator: str | None = None
    data: str | None = None
    root: str | None = None
    append: bool = False
    pretrain_dataset: str | None = None
    samples_seen: Positive | None = None
    format: TableFormat = TableFormat.csv


def suite_of(given: ScoreArguments, root: Root) -> tuple[EvalConfig, dict[str, Path]]:
    """Return the evals that are asked for, and the folders of their sets.

    Raises:
        UsageError: nothing is asked for, or a set or an evaluator is not there.
    """
    if given.suite is not None and given.dataset:
        raise UsageError("say what to score on by one of suite= and dataset=, not both")
    if given.suite is not None:
        suite = compose_part("eval", EvalConfig, [f"eval={given.suite}"])
        paths = {name: Path(root.absolute(one.path)) for name, one in suite.datasets.items()}
        if given.data is not None:
            paths = {name: Path(given.data) / path.name for name, path in paths.items()}
    else:
        asked = [given.dataset] if isinstance(given.dataset, str) else list(given.dataset)
        paths = _named(asked)
        suite = _suite_of_folders(paths, given.evaluator)
    refuse_unknown_sets(suite)
    for target, name in {spec._target_: spec.name for spec in suite.evals}.items():
        refuse_missing_target(target, f"eval {name}")
    for name, path in paths.items():
        if not is_test_set(path):
            raise UsageError(
                f"test set {name!r}: there is no {path}/test/nshards.txt; lay it out as "
                f"docs/test_sets.md says, or name the folder of all sets: data=DIR"
            )
    if not suite.evals:
        raise UsageError("say what to score on: suite=NAME, or dataset=FOLDER")
    return suite, paths


def _named(folders: Iterable[str]) -> dict[str, Path]:
    """Return folders by the names of their sets.

    Raises:
        UsageError: two have one name.
    """
    named: dict[str, Path] = {}
    for folder in map(Path, folders):
        other = named.setdefault(folder.resolve().name, folder)
        if other.resolve() != folder.resolve():
            raise UsageError(f"the sets in {other} and {folder} would have one name: rename one")
    return named


def _suite_of_folders(folders: dict[str, Path], evaluator: str | None) -> EvalConfig:
    """Return a suite of sets that are in no suite; each gets the evaluator of its type."""
    evals = []
    for name, folder in folders.items():
        target = evaluator or (RETRIEVALS if kind_of(folder) == RETRIEVAL else CLASSIFICATION)
        kind = {RETRIEVALS: "retrieval", CLASSIFICATION: "zeroshot_classification"}
        evals.append(
            EvalSpec(_target_=target, name=kind.get(target, target.rpartition(".")[2]), dataset=name)
        )
    datasets = {name: EvalDatasetConfig(path=str(folder)) for name, folder in folders.items()}
    return EvalConfig(name="", datasets=datasets, evals=tuple(evals))


def score_alone(given: ScoreArguments) -> list[Row | Failed]:
    """Score set by set; return the rows, and what could not be scored.

    With `append`, each row is put into the table as soon as it is found, and what has one is left out.

    Raises:
        UsageError: what is asked for is not there, or the weights are of another model; or the root,
            where it is named or gets rows, cannot be written.
    """
    weights, root = _weights_of(given), _root_of(given)
    if given.append or given.root is not None:
        refuse_unusable(root)
    suite, paths = suite_of(given, root)
    subject = open_subject(given, weights)
    known = store.read_keys(root.results) if given.append else set()
    due = [spec for spec in suite.evals if _key(subject, spec) not in known]
    if len(due) < len(suite.evals):
        there = plural(len(suite.evals) - len(due), "eval")
        log.info("in the table already, and so left out: %s of %s", there, subject.checkpoint)
    fit, unfit = sifted(due, paths)
    found: list[Row | Failed] = [*unfit]
    for name, path in paths.items():
        own = [spec for spec in fit if spec.dataset == name]
        for one in _scored(subject, own, path, DecodedSets(root.decoded)):
            found.append(one)
            if isinstance(one, Row):
                _take(one, root if given.append else None)
    return found


def _scored(
    subject: Subject, evals: Sequence[EvalSpec], folder: Path, kept: DecodedSets
) -> Iterator[Row | Failed]:
    """Yield what evals on one set find."""
    try:
        data = load_test_set(folder, subject.image_size, kept=kept) if evals else None
    except (DataError, DamagedFile) as error:
        yield from (Failed(spec, error) for spec in evals)
    else:
        yield from (subject.attempt(spec, data) for spec in evals if data is not None)


def _take(row: Row, root: Root | None) -> None:
    """Show a row, and put it into a root's table."""
    metrics = [f"{metric} {value:.4g}" for metric, value in row.metrics.items()]
    name = eval_name(row.eval, row.downstream_dataset, row.eval_version)
    log.info("%s: %s", name, ", ".join(metrics))
    if root is not None:
        inbox.append(root.results, f"alone-{uuid.uuid4().hex}", [row])


def _root_of(given: ScoreArguments) -> Root:
    """Return the root that is named, else that of the milestone, else the usual one."""
    home = _home(Path(given.weights).resolve()) if given.model is None else None
    return root_of(given.root) if given.root is not None or home is None else home


def _home(weights: Path) -> Root | None:
    """Return the root in which a milestone lies, None if it is none."""
    root = Root(weights.parent.parent.parent)
    is_in_run = root.segment_config(weights.parent.name).exists()
    return root if is_in_run and weights.name.startswith("weights-") else None


def _weights_of(given: ScoreArguments) -> Path:
    weights = Path(given.weights).resolve()
    if not weights.is_file():
        raise UsageError(f"weights={given.weights}: there is no such file")
    return weights


def open_subject(given: ScoreArguments, weights: Path) -> Subject:
    """Return the model that is to be scored.

    Raises:
        UsageError: it cannot be read, or needs model=.
    """
    if given.model is not None:
        return _foreign(given, weights)
    if (home := _home(weights)) is None:
        raise UsageError(f"weights={given.weights} is no milestone of a run: say model=NAME")
    return _milestone(weights, home)


def _milestone(path: Path, root: Root) -> Subject:
    segment = read_segment(root, path.parent.name)
    weights, position = checkpoint.read(path)
    return trained_subject(root, segment, weights, position, Kinds())


def _foreign(given: ScoreArguments, weights: Path) -> Subject:
    assert given.model is not None
    config = ModelConfig(name=given.model)
    if (CONF / "model" / f"{given.model}.yaml").exists():
        config = compose_part("model", ModelConfig, [f"model={given.model}"])
    kind = compose_part("procedure", ProcedureConfig, [f"procedure={given.procedure}"])
    refuse_unknown_model(config, kind._target_)
    procedure = make_procedure(kind, config)
    model = _loaded(procedure, weights, given.precision)
    gflops = gflops_per_sample(procedure)
    total = gflops * given.samples_seen if gflops and given.samples_seen else None
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    row = partial(
        Row,
        model=config.name,
        pretrain_dataset=given.pretrain_dataset,
        samples_seen=given.samples_seen,
        precision=given.precision.value,
        gflops_per_sample=gflops,
        gflops_total=total,
        num_params=model.num_params,
    )
    name = f"{weights.stem}-{digest[:12]}"
    return Subject(
        checkpoint=name,
        model=model,
        image_size=procedure.image_size,
        row=row,
        unfinished=unfinished.folder(root_of(given.root)) if given.append else None,
    )


def _loaded(procedure: Procedure, weights: Path, precision: Precision) -> Encoder:
    model = procedure.build(0)
    try:
        if hasattr(model, "logit_bias"):  # open_clip's own, which it knows to convert
            open_clip.load_checkpoint(model, str(weights))
        else:
            model.load_state_dict(open_clip.factory.load_state_dict(str(weights)))
    except UNREADABLE as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UsageError(f"{weights} holds no weights of this model: {said}") from error
    return encoder_of(procedure, model, precision)


def _key(subject: Subject, spec: EvalSpec) -> Key:
    return (subject.checkpoint, spec.name, spec.dataset, spec.version)
