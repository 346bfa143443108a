"""Where an attempt begins: at the newest state that verifies, else where the segment's parent ended."""

import logging
from dataclasses import replace

import torch

from sweeps.expansion import Segment
from training import checkpoint
from training.checkpoint import Layout, Position, Tensors
from training.distributed import World, first_decides
from training.model import fitted
from training.orders import TrainOrder
from training.saved import state_path

log = logging.getLogger(__name__)

NOTHING_SAVED = -1


def restored(
    order: TrainOrder, model: torch.nn.Module, optimizer: torch.optim.Optimizer, world: World
) -> Position:
    """Put weights and optimiser where training goes on; return that position.

    Where there is neither a state of the segment nor a parent, the model keeps its fresh weights.

    Raises:
        CorruptCheckpoint: the parent's end, or the state that the first rank has read, does not verify.
    """
    segment, here = order.item.segment, Layout.here(world, order.item.resources)
    found = _saved_state(order, world)
    if found is None:
        return _beginning(segment, here)
    tensors, position = found
    if segment.train.fresh_optimizer and position.samples_seen == segment.stage_start:
        checkpoint.load_weights(model, fitted(checkpoint.weights_of(tensors), model))
    else:
        checkpoint.load_full_state(model, optimizer, tensors)
    if position.layout != here and world.is_first:
        log.warning(
            "continues exactly in data, but not in bits: saved on %s, now on %s", position.layout, here
        )
    return replace(position, key=segment.key, layout=here)


def _beginning(segment: Segment, here: Layout) -> Position:
    return Position(
        key=segment.key,
        samples_seen=segment.start,
        samples_trained=segment.start,
        steps=0,
        train_s=0.0,
        rank_s=0.0,
        layout=here,
    )


def _saved_state(order: TrainOrder, world: World) -> tuple[Tensors, Position] | None:
    """Return the state to start from. The first rank chooses, so that all start at one place."""
    folder, parent = order.folder, order.parent_folder
    found = None
    if world.is_first:
        checkpoint.sweep_unfinished(folder)
        found = checkpoint.newest_state(folder)
    samples = first_decides(found[1].samples_seen if found else NOTHING_SAVED, world)
    if samples == NOTHING_SAVED:
        return checkpoint.read(state_path(parent, order.item.segment.start)) if parent else None
    return found or checkpoint.read(state_path(folder, samples))
