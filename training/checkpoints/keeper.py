"""What one rank keeps of a segment: states, milestones, and at last the done marker.

All ranks have to call it at the same steps. Only the first one writes, but where a model is spread over
the ranks each one writes its part of a state; then none begins a state before the last one is durable
on all of them, so that of the two newest states one is always whole.
"""

import time
from functools import partial

import torch

from sweeps import durable
from sweeps.errors import Superseded
from training.checkpoints import checkpoint
from training.checkpoints.checkpoint import Position
from training.checkpoints.done import DoneMarker, done_path
from training.checkpoints.saved import state_path, weights_path
from training.checkpoints.saver import Saver
from training.checkpoints.state import WEIGHTS, Tensors, gathered_weights, own_state, under
from training.distributed import World, wait_for_all
from training.orders import TrainOrder
from training.sharding import is_spread

LEASE_POLL_S = 10.0
"""So often a rank looks whether its attempt still holds: one that was left behind wastes its GPUs."""

GATHERED = "gathered."
"""Begins the names of whole weights beside those of a rank's stretches."""


class Keeper:
    """Writes beside training; an error in that ends it, at the next update or save.

    Args:
        order: what is trained.
        model: laid out as the order says.
        optimizer: its own.
        world: the ranks.
        restored: samples seen of the state from which training went on.
    """

    def __init__(
        self,
        order: TrainOrder,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        world: World,
        restored: int,
    ) -> None:
        self._order, self._model, self._optimizer, self._world = order, model, optimizer, world
        self._is_spread = is_spread(order.item.resources, world)
        self._newest, self._looked_at = restored, time.monotonic()
        self.saver = Saver(optimizer)

    def save(self, position: Position, *, as_milestone: bool, as_state: bool) -> None:
        """Begin to write weights, a state or both.

        Raises:
            Superseded: a later attempt holds the lease.
            Exception: what the save before raised.
        """
        if not (self._world.is_first or self._is_spread):
            return
        if self._world.is_first:
            self.refuse_superseded()
        live = own_state(self._model, self._optimizer if as_state else None)
        if self._is_spread and as_milestone:
            live |= self._gathered()
        if self._is_spread and as_state:
            self.finish()
        if self._world.is_first or as_state:
            self.saver.begin(live, partial(self._write, position, as_milestone, as_state, self._newest))
        if as_state:
            self._newest = position.samples_seen

    def refuse_superseded(self, every_s: float = 0.0) -> None:
        """Check that this attempt still holds, unless that was done less than `every_s` seconds ago.

        Raises:
            Superseded: a later attempt holds the lease.
        """
        now = time.monotonic()
        if now - self._looked_at < every_s:
            return
        self._looked_at, attempt = now, self._order.attempt
        if durable.newest_generation(self._order.folder, "lease") > attempt:
            raise Superseded(f"a later attempt than {attempt} trains this segment")

    def finish(self) -> None:
        """Wait until all ranks have written what they have begun."""
        self.saver.finish()
        wait_for_all(self._world)

    def publish(self, position: Position) -> None:
        """Say that the segment is trained, once all is written; drop states that nobody needs."""
        self.finish()
        weights = gathered_weights(self._model, self._world)
        if not self._world.is_first:
            return
        self.refuse_superseded()
        segment, folder = self._order.item.segment, self._order.folder
        marker = DoneMarker(
            key=segment.key,
            samples_seen=position.samples_seen,
            samples_trained=position.samples_trained,
            steps=position.steps,
            weights_sha256=checkpoint.tensors_digest(weights),
            train_s=position.train_s,
            rank_s=position.rank_s,
            attempt=self._order.attempt,
            finished_at=time.time(),
        )
        durable.publish(done_path(folder), durable.encode(marker))
        checkpoint.prune_states(folder, but={position.samples_seen} if segment.keep_state else ())

    def _gathered(self) -> Tensors:
        found = gathered_weights(self._model, self._world)
        return {f"{GATHERED}{name}": tensor for name, tensor in found.items()}

    def _write(
        self, position: Position, as_milestone: bool, as_state: bool, before: int, copies: Tensors
    ) -> None:
        """Write what was copied; of states keep this one and the one before it."""
        folder, samples, world = self._order.folder, position.samples_seen, self._world
        gathered = under(copies, GATHERED)
        if as_milestone and world.is_first:
            checkpoint.write(
                weights_path(folder, samples), gathered or under(copies, WEIGHTS), position
            )
        if as_state:
            own = {name: t for name, t in copies.items() if not name.startswith(GATHERED)}
            part = (world.rank, world.size) if self._is_spread else (0, 1)
            checkpoint.write(state_path(folder, samples, *part), own, position)
            if world.is_first:
                checkpoint.prune_states(folder, but={before, samples})
