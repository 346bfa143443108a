"""Ranks: who they are, how they meet, and the two things on which they must agree.

Gradients are averaged in one flat buffer in the order of the parameters. torch's own DDP orders its
buffers by when gradients became ready in the first step of a process, so from three ranks on a
resumed run would add in another order than the undisturbed one and end in other bits.
"""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed
from torch._C._distributed_c10d import TCPStore

TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class World:
    """The ranks of a run, as one of them sees it."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this rank writes files and speaks."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """This rank's GPU, or the CPU where there is none."""
        if torch.cuda.is_available():
            return torch.device("cuda", self.local_rank % torch.cuda.device_count())
        return torch.device("cpu")


def join_world() -> World:
    """Meet the other ranks, as torchrun's or Slurm's environment variables say; alone without them."""
    world = _world_from_environment()
    if world.size > 1:
        torch.distributed.init_process_group(
            "nccl" if world.device.type == "cuda" else "gloo",
            store=_store(world, os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])),
            rank=world.rank,
            world_size=world.size,
            timeout=TIMEOUT,
        )
    return world


def leave_world(world: World) -> None:
    """Part from the other ranks."""
    if world.size > 1:
        torch.distributed.destroy_process_group()


def average_gradients(parameters: Iterable[torch.nn.Parameter], world: World) -> None:
    """Replace each gradient by its mean over all ranks."""
    if world.size == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= world.size
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def first_decides(value: int, world: World) -> int:
    """Return the first rank's `value` on all ranks."""
    if world.size == 1:
        return value
    box = torch.tensor([value], device=world.device)
    torch.distributed.broadcast(box, src=0)
    return int(box.item())


def wait_for_first(world: World) -> None:
    """Wait until the first rank, which writes the files, has come here too.

    A rank that left earlier would have the first one killed in the middle of writing.
    """
    first_decides(0, world)


def _world_from_environment() -> World:
    if "RANK" in os.environ:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif "SLURM_STEP_ID" in os.environ:
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return World()
    return World(*(int(os.environ[name]) for name in names))


def _store(world: World, address: str, port: int) -> TCPStore:
    """Return the meeting point; the first rank listens on `address` only, not on every network."""
    if not world.is_first:
        return TCPStore(address, port, world.size, False, TIMEOUT)
    listener = socket.create_server((address, port))
    return TCPStore(
        address,
        port,
        world.size,
        True,
        TIMEOUT,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
