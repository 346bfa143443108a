"""Submissions: work items handed over together, under a name by which their job is known."""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from conf.schema import ClusterConfig, PolicyConfig
from sweeps import durable
from sweeps.errors import DamagedFile
from sweeps.folders import Root
from sweeps.packed import fields_of
from sweeps.work.items import ScoreItem, TrainItem, WorkItem
from sweeps.work.packed_items import PackedScores


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """Items of one kind and one resource shape; array indices count along them.

    `id` is the Slurm job name. `where` names the cluster that was asked. `code` is the folder of the
    code that its jobs run, a copy of `checkout`; `commit` is that of the code.
    `pack`: so many items in a row share a job, on one node. `after_job`: id of the job that must be
    over, however it ended, before this one starts. `words`: what was typed to launch the sweep.
    """

    id: str
    where: str
    root: Path
    cluster: ClusterConfig
    policy: PolicyConfig
    code: Path
    checkout: Path
    commit: str
    train: tuple[TrainItem, ...] = ()
    score: tuple[ScoreItem, ...] = ()
    pack: int = 1
    after_job: str = ""
    words: tuple[str, ...] = ()

    @property
    def num_jobs(self) -> int:
        """How many jobs it is: the size of the array, if it is one."""
        return -(-len(self.items) // self.pack)

    def indices(self, task: int) -> range:
        """Return the indices of the items in the job with array index `task`."""
        return range(task * self.pack, min((task + 1) * self.pack, len(self.items)))

    @property
    def items(self) -> tuple[WorkItem, ...]:
        """All work items, by array index."""
        return (*self.train, *self.score)

    @property
    def folder(self) -> Path:
        """Where its file and the output of its jobs lie."""
        return Root(self.root).submission(self.id)

    def item_folder(self, index: int) -> Path:
        """Where the lease, orders and logs of one item lie: a segment's folder, or one of ours."""
        item = self.items[index]
        if isinstance(item, TrainItem):
            return Root(self.root).segment(item.key)
        return scoring_folder(self.folder, index)


@dataclass(frozen=True, kw_only=True, slots=True)
class _File(Submission):
    """A submission's file, in which its score items are packed; in older ones they are not."""

    packed: PackedScores = field(default_factory=PackedScores)


def scoring_folder(folder: Path, index: int) -> Path:
    """Return where lease, orders and logs of a scoring item lie in its submission's folder."""
    return folder / f"{index}"


def output_path(folder: Path, task: int) -> Path:
    """Return the file to which the job with array index `task` writes, from its start on."""
    return folder / f"{task}.log"


def cancel_mark(folder: Path, index: int) -> Path:
    """Return the file in a submission's folder that says that the user cancelled an item alone."""
    return folder / f"cancelled-{index}"


def new_id(root: Root, sweep: str, kind: str) -> str:
    """Return a fresh submission id; it begins with a mark of the root that it belongs to."""
    return f"{root_mark(root)}-{sweep}-{kind}-{secrets.token_hex(4)}"


def root_mark(root: Root) -> str:
    """Return what the ids of all submissions of a root begin with."""
    return f"isogrid-{hashlib.sha256(str(root.path).encode()).hexdigest()[:6]}"


def write(submission: Submission) -> None:
    """Put a submission on disk, before anybody is asked to run it."""
    submission.folder.mkdir(parents=True)
    rest = fields_of(replace(submission, score=()))
    file = _File(**rest, packed=PackedScores.of(submission.score))
    durable.replace(submission.folder / "submission.json", durable.encode(file))


def read(folder: Path) -> Submission:
    """Return the submission in a folder.

    Raises:
        DamagedFile: it is missing or holds something else.
    """
    path = folder / "submission.json"
    file = durable.read(path, _File)
    if file is None:
        raise DamagedFile(f"{folder} has no submission.json")
    try:
        return _unpacked(file)
    except (msgspec.DecodeError, LookupError, TypeError) as error:
        raise DamagedFile(f"{path} is damaged, or of another version: {error}") from error


def _unpacked(file: _File) -> Submission:
    rest = fields_of(file)
    packed: PackedScores = rest.pop("packed")
    return Submission(**{**rest, "score": (*file.score, *packed.unpacked())})
