"""Ranks: who they are, how they meet, and the two things on which they must agree.

They meet at a port of the first one's host, in a part of its store that bears their own name: a rank
of another run that comes to the same port finds nobody there.
"""

import errno
import os
import socket
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
from torch.distributed import DistStoreError

from sweeps.errors import PortTaken

TIMEOUT = timedelta(minutes=30)
"""For one collective."""

JOIN_TIMEOUT = timedelta(minutes=10)
"""For all ranks to come: some import torch from a cold file system, but a lost node never comes."""

MEETING_NAME = "MEETING_NAME"
"""Environment variable: under which the ranks of one attempt meet."""

AGENT_LISTENS, RESTARTS = "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT"
"""Environment variables of torchrun: whether it listens itself where its ranks meet, and how often it
has started them again."""


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
    """Meet the other ranks, as torchrun's or Slurm's environment variables say; alone without them.

    Raises:
        PortTaken: somebody else listens where the ranks are to meet.
        DistError: some ranks do not come, or the network fails.
    """
    world = _world_from_environment()
    if world.size > 1:
        torch.distributed.init_process_group(
            "nccl" if world.device.type == "cuda" else "gloo",
            store=_meet(world, JOIN_TIMEOUT),
            rank=world.rank,
            world_size=world.size,
            timeout=TIMEOUT,
        )
    return world


def leave_world(world: World) -> None:
    """Part from the other ranks."""
    if world.size > 1:
        torch.distributed.destroy_process_group()


def sum_over_ranks(value: torch.Tensor, world: World) -> torch.Tensor:
    """Return the sum of all ranks' values, on all of them; no gradient passes through."""
    if world.size == 1:
        return value
    total = value.detach().clone()
    torch.distributed.all_reduce(total)
    return total


def mean_over_ranks(values: dict[str, torch.Tensor], world: World) -> list[torch.Tensor]:
    """Return the mean over all ranks of each of some scalars, in their order."""
    return list(sum_over_ranks(torch.stack(list(values.values())), world) / world.size)


def first_decides(value: int, world: World) -> int:
    """Return the first rank's `value` on all ranks."""
    if world.size == 1:
        return value
    box = torch.tensor([value], device=world.device)
    torch.distributed.broadcast(box, src=0)
    return int(box.item())


def all_agree(value: bool, world: World) -> bool:
    """Return whether `value` holds on all ranks; none goes on before all have come here."""
    return int(sum_over_ranks(torch.tensor(int(value), device=world.device), world)) == world.size


def wait_for_all(world: World) -> None:
    """Wait until all ranks have come here.

    A rank that left earlier would have others killed in the middle of writing.
    """
    all_agree(True, world)


def _world_from_environment() -> World:
    if "RANK" in os.environ:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif "SLURM_STEP_ID" in os.environ:
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return World()
    return World(*(int(os.environ[name]) for name in names))


def _meet(world: World, timeout: timedelta) -> Store:
    """Return the ranks' store once all have come to it."""
    store = _store(world, os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), timeout)
    named = PrefixStore(_meeting_name(), store)
    named.set(f"rank {world.rank}", "here")
    if named.add("arrived", 1) == world.size:
        named.set("all", "here")
    try:
        named.wait(["all"], timeout)
    except DistStoreError as error:
        missing = [rank for rank in range(world.size) if not named.check([f"rank {rank}"])]
        raise DistStoreError(
            f"ranks {missing} of {world.size} did not come within {timeout.total_seconds():g} s"
        ) from error
    return named


def _meeting_name() -> str:
    return os.environ.get(MEETING_NAME, os.environ.get(RESTARTS, ""))


def _store(world: World, address: str, port: int, timeout: timedelta) -> TCPStore:
    """Return the meeting point; the first rank listens on `address` only, not on every network."""
    if not world.is_first or os.environ.get(AGENT_LISTENS) == "True":
        return TCPStore(address, port, world.size, False, timeout)
    try:
        listener = socket.create_server((address, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(f"somebody else listens at port {port} of {address}") from error
    return TCPStore(
        address,
        port,
        world.size,
        True,
        timeout,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
