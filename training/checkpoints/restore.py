"""Where an attempt begins: at the newest state that verifies, else where the segment's parent ended."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from sweeps.errors import CorruptCheckpoint, DataError, LostState
from sweeps.hidden import read_in_time
from sweeps.runs.expansion import Segment
from training.checkpoints import checkpoint
from training.checkpoints.checkpoint import Layout, Position
from training.checkpoints.done import done_path
from training.checkpoints.saved import saved_samples
from training.checkpoints.state import WEIGHTS, Tensors, load_state, load_weights, under
from training.distributed import World, all_agree, first_decides
from training.model import fitted
from training.orders import TrainOrder
from training.sharding import is_spread

log = logging.getLogger(__name__)

NOTHING_SAVED = -1


def restored(
    order: TrainOrder,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    world: World,
    data: int,
) -> Position:
    """Put weights and optimiser where training goes on; return that position.

    `data` is the fingerprint of what will be trained on.

    Where there is neither a state of the segment nor a parent, the model keeps its fresh weights.

    Raises:
        LostState: the parent's end does not verify, or is not there.
        DataError: the segment was begun on other data.
        OSError: none of the segment's states can be read, and not all of them are known to be damaged.
    """
    segment, here = order.item.segment, Layout.here(world, order.item.resources)
    found = _saved_state(order, world)
    if found is None:
        return _beginning(segment, here, data)
    tensors, position = found
    if segment.train.fresh_optimizer and position.samples_seen == segment.stage_start:
        load_weights(model, fitted(under(tensors, WEIGHTS), model))
    else:
        load_state(model, optimizer, tensors)
    if position.layout != here and world.is_first:
        log.warning(
            "continues exactly in data, but not in bits: saved on %s, now on %s", position.layout, here
        )
    if position.key == segment.key and position.data not in (0, data):
        raise DataError(
            f"the shards of {segment.train.data.name} hold other samples than those that this segment "
            f"was begun on; put those back, or give the data another name"
        )
    if position.key != segment.key:
        position = replace(position, key=segment.key, gflops_per_sample=None)
    return replace(position, layout=here, data=data)


def _beginning(segment: Segment, here: Layout, data: int) -> Position:
    return Position(
        key=segment.key,
        samples_seen=segment.start,
        samples_trained=segment.start,
        steps=0,
        train_s=0.0,
        rank_s=0.0,
        layout=here,
        data=data,
        gflops=0.0,
    )


def _saved_state(order: TrainOrder, world: World) -> tuple[Tensors, Position] | None:
    """Return the newest state of the segment that verifies on all ranks, else the parent's end."""
    if world.is_first:
        checkpoint.sweep_unfinished(order.folder)
    unread: OSError | None = None
    for samples in _saved(order.folder, world):
        found = None
        try:
            found = _verified(order, samples, world)
        except OSError as error:
            log.warning("%s; trying the state before it", error)
            unread = error
        if all_agree(found is not None, world):
            return found
    if unread is not None:
        raise unread
    return _parents_end(order)


def _parents_end(order: TrainOrder) -> tuple[Tensors, Position] | None:
    if order.parent_folder is None:
        return None
    try:
        return _read(order.parent_folder, order.item.segment.start)
    except (CorruptCheckpoint, FileNotFoundError) as error:
        raise LostState(
            f"{error}; this segment begins there: delete {done_path(order.parent_folder)} and resume, "
            f"which trains what is lost again"
        ) from error


def _read(folder: Path, samples: int, rank: int = 0, num_ranks: int = 1) -> tuple[Tensors, Position]:
    """Return what a rank needs of a state, which perhaps another host wrote just now."""
    return read_in_time(lambda: checkpoint.read_state(folder, samples, rank, num_ranks), OSError)


def _saved(folder: Path, world: World) -> Iterator[int]:
    """Yield at how many samples there are states, the newest first, as the first rank sees it."""
    own = reversed(saved_samples(folder, "state")) if world.is_first else iter(())
    while (samples := first_decides(next(own, NOTHING_SAVED), world)) != NOTHING_SAVED:
        yield samples


def _verified(order: TrainOrder, samples: int, world: World) -> tuple[Tensors, Position] | None:
    """Return what this rank needs of a state, or None if that does not verify."""
    ranks = (world.rank, world.size) if is_spread(order.item.resources, world) else (0, 1)
    try:
        return _read(order.folder, samples, *ranks)
    except CorruptCheckpoint as error:
        log.warning("%s; trying the state before it", error)
        return None
