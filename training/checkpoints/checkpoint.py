"""States and weights on disk: self-verifying safetensors files, written atomically.

    state-<samples>.safetensors              weights and optimiser: a segment resumes, or a child
                                             starts, here
    state-<samples>.<k>-of-<n>.safetensors   rank k's part of it, where a model is spread over n ranks
    weights-<samples>.safetensors            weights only, whole: a milestone, for evaluation

`<samples>` are samples seen since the run began. The header carries `Position` and a SHA-256 of it and
of all tensors, so a file needs no companion and is never trusted unread. There is no random state to
keep: random numbers are functions of (seed, step, rank). A state in parts is one when all of them are
there; each is a stretch of every spread tensor's first dimension, and the first one has the others.
"""

import hashlib
import os
import platform
from collections.abc import Container
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import safetensors
import torch

from conf.schema import ResourceConfig
from sweeps import durable
from sweeps.errors import CorruptCheckpoint
from training.checkpoints.saved import saved_samples, state_files, state_paths
from training.checkpoints.state import Tensors, joined
from training.checkpoints.tensorfile import file_parts, raw_bytes
from training.distributed import World

LIBRARIES = ("torch", "open_clip_torch", "numpy", "pillow", "simplejpeg")
"""Those whose version may change a bit: kernels, random streams, decoders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """On what a state was trained. Another layout continues exactly in data, but not in bits."""

    num_ranks: int
    num_nodes: int
    accumulation: int
    cuts_padding: bool
    compiled: bool
    sharding: str
    threads: int
    device: str
    libraries: str

    @classmethod
    def here(cls, world: World, resources: ResourceConfig) -> "Layout":
        """Return the layout of this process in a run that is laid out as `resources` say."""
        cuda = world.device.type == "cuda"
        return cls(
            num_ranks=world.size,
            accumulation=resources.accumulation,
            cuts_padding=resources.cut_padding,
            compiled=resources.compile,
            sharding=resources.sharding.value,
            num_nodes=int(os.environ.get("SLURM_STEP_NUM_NODES", "1")),
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name() if cuda else f"cpu {platform.machine()}",
            libraries=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where a state stands, and what it took to get there.

    `key`: of the segment that wrote it. `train_s`: wall-clock seconds of training since the run began,
    over all attempts; `rank_s`: the same times the number of ranks. `skipped_steps`: since the run
    began; `skipped_in_a_row`: of them the last ones without another step between. `num_broken`: samples
    since the run began that could not be decoded, so that others took their places. `data`: fingerprint
    of what it was trained on; 0 is none. `gflops_per_sample`: 1e9 forward FLOPs of a sample of the
    segment; `gflops`: of all samples since the run began; None where they cannot be counted.
    """

    key: str
    samples_seen: int
    samples_trained: int
    steps: int
    train_s: float
    rank_s: float
    layout: Layout
    skipped_steps: int = 0
    skipped_in_a_row: int = 0
    num_broken: int = 0
    data: int = 0
    gflops_per_sample: float | None = None
    gflops: float | None = None


def write(path: Path, tensors: Tensors, position: Position) -> str:
    """Write tensors and where they stand; return the tensors' SHA-256."""
    digest = tensors_digest(tensors)
    where = msgspec.json.encode(position).decode()
    metadata = {"position": where, "sha256": _seal(digest, where)}
    durable.replace(path, *file_parts(tensors, metadata))
    return digest


def read(path: Path) -> tuple[Tensors, Position]:
    """Return the tensors of a file and where they stand.

    Raises:
        CorruptCheckpoint: the content does not verify.
        FileNotFoundError: there is no such file.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            meta = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        position = msgspec.json.decode(meta["position"], type=Position)
        sealed = meta["sha256"]
    except (safetensors.SafetensorError, msgspec.DecodeError, KeyError, TypeError) as error:
        raise CorruptCheckpoint(f"{path}: {error}") from error
    if _seal(tensors_digest(tensors), meta["position"]) != sealed:
        raise CorruptCheckpoint(f"{path}: its content does not match its SHA-256")
    return tensors, position


def read_state(
    folder: Path, samples: int, rank: int = 0, num_ranks: int = 1
) -> tuple[Tensors, Position]:
    """Return a full state and where it stands; of one in as many parts as there are ranks, one's own.

    Raises:
        CorruptCheckpoint: the content of a file does not verify.
        FileNotFoundError: it is not there, or not all of it.
    """
    paths = state_paths(folder, samples)
    if len(paths) == num_ranks:
        return read(paths[rank])
    parts = [read(path) for path in paths]
    return joined([tensors for tensors, _ in parts]), parts[0][1]


def sweep_unfinished(folder: Path) -> None:
    """Delete what killed processes left of states and milestones that they were writing."""
    for kind in ("state", "weights"):
        durable.sweep_temporaries(folder, kind)
    prune_states(folder, but=saved_samples(folder, "state"))


def prune_states(folder: Path, *, but: Container[int] = ()) -> None:
    """Delete all full states, and parts of such, but those at some numbers of samples seen."""
    for path in state_files(folder, but=but):
        path.unlink(missing_ok=True)


def tensors_digest(tensors: Tensors) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(raw_bytes(tensor.cpu()))
    return digest.hexdigest()


def _seal(digest: str, position: str) -> str:
    return hashlib.sha256(f"{digest} {position}".encode()).hexdigest()
