"""States and weights on disk: one self-verifying safetensors file each, written atomically.

    state-<samples>.safetensors      weights and optimiser: a segment resumes, or a child starts, here
    weights-<samples>.safetensors    weights only: a milestone, for evaluation

`<samples>` are samples seen since the run began. The header carries `Position` and a SHA-256 of it and
of all tensors, so a file needs no companion and is never trusted unread. There is no random state to
keep: random numbers are functions of (seed, step, rank).
"""

import hashlib
import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import safetensors
import torch

from conf.schema import ResourceConfig
from sweeps import durable
from sweeps.errors import CorruptCheckpoint
from training.distributed import World
from training.saved import saved_samples, state_path, weights_path
from training.sharding import is_sharded, spread_like, whole
from training.tensorfile import file_parts, raw_bytes

log = logging.getLogger(__name__)

Tensors = dict[str, torch.Tensor]

LIBRARIES = ("torch", "open_clip_torch", "numpy", "pillow", "simplejpeg")
"""Those whose version may change a bit: kernels, random streams, decoders."""

WEIGHTS = "model."
"""Begins the names of weights in a full state."""

KEPT_STATES = 2
"""A rolling pair: if the newest does not verify, the one before it does."""


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
    since the run began that could not be decoded, so that others took their places.
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


def keep(
    folder: Path, position: Position, state: Tensors, *, as_milestone: bool, as_state: bool
) -> None:
    """Write a state's weights as a milestone, and the state itself, for which an older one goes."""
    if as_milestone:
        write(weights_path(folder, position.samples_seen), weights_of(state), position)
    if as_state:
        write(state_path(folder, position.samples_seen), state, position)
        prune_states(folder)


def newest_state(folder: Path) -> tuple[Tensors, Position] | None:
    """Return the newest full state of a folder that verifies, or None."""
    for samples in reversed(saved_samples(folder, "state")):
        try:
            return read(state_path(folder, samples))
        except CorruptCheckpoint as error:
            log.warning("%s; trying the state before it", error)
    return None


def sweep_unfinished(folder: Path) -> None:
    """Delete what a killed process left of states and milestones that it was writing."""
    for kind in ("state", "weights"):
        durable.sweep_temporaries(folder, kind)


def prune_states(folder: Path, keep: int = KEPT_STATES) -> None:
    """Delete all but the newest full states."""
    samples = saved_samples(folder, "state")
    for old in samples[: max(0, len(samples) - keep)]:
        state_path(folder, old).unlink(missing_ok=True)


def full_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer | None) -> Tensors:
    """Return the weights and the optimiser's tensors by name; as `weights`.

    Without an optimiser the weights alone, by the same names.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    tensors = {f"{WEIGHTS}{name}": tensor for name, tensor in weights(model).items()}
    for parameter, values in optimizer.state.items() if optimizer else ():
        for kind, value in values.items():
            tensors[f"optimizer.{kind}.{names[id(parameter)]}"] = _live(value)
    return tensors


def load_full_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer, saved: Tensors) -> None:
    """Put the tensors of `full_state` back."""
    load_weights(model, weights_of(saved))
    for name, parameter in model.named_parameters():
        kinds = {key.split(".")[1] for key in saved if key.startswith("optimizer.")}
        for kind in sorted(kinds):
            value = saved[f"optimizer.{kind}.{name}"]
            # The step counter stays on the CPU unless a fused kernel put it elsewhere.
            optimizer.state[parameter][kind] = spread_like(parameter.detach(), value)


def weights_of(state: Tensors) -> Tensors:
    """Return the weights among the tensors of `full_state`, by their own names."""
    return _under(state, WEIGHTS)


def weights(model: torch.nn.Module) -> Tensors:
    """Return the weights by name: themselves, no copies; of a sharded model all ranks have to ask.

    But copies of buffers, of which a forward pass may change some.
    """
    parameters = dict(model.named_parameters())
    return {
        name: _live(tensor) if name in parameters else tensor.detach().clone()
        for name, tensor in model.state_dict().items()
    }


def _live(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor itself, or all of one that is sharded, on the CPU."""
    return whole(tensor.detach()).cpu() if is_sharded(tensor) else tensor.detach()


def load_weights(model: torch.nn.Module, saved: Mapping[str, torch.Tensor]) -> None:
    """Put the tensors of `weights` back."""
    own = model.state_dict()
    spread = {name: spread_like(own[name], t) if name in own else t for name, t in saved.items()}
    model.load_state_dict(spread, strict=True)


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


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
