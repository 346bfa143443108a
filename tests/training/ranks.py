"""Ranks as processes of their own, forked from one that has torch imported already."""

import contextlib
import itertools
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

from launcher.jobs.ranks import LAST_PORT
from sweeps import durable
from sweeps.folders import CHECKOUT
from tests.commands import PATIENCE_S
from training.distributed import World, join_world, leave_world
from training.orders import TrainOrder

_PORTS = itertools.cycle(range(LAST_PORT + 1, 32_768))
"""Above those on which jobs meet, and below those that the kernel gives to clients."""

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["training.rank"])


class RankProcess:
    """One rank, as a process that does a `task`; what it prints goes to `log`."""

    def __init__(self, task: Callable[[], int], env: Mapping[str, str], log: Path) -> None:
        self._process: ForkServerProcess = _FORKS.Process(target=_become_rank, args=(task, env, log))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._process.exitcode is not None

    def wait(self) -> int | None:
        """Return its exit code once it has ended; None if it does not end."""
        self._process.join(PATIENCE_S)
        return self._process.exitcode

    def kill(self) -> None:
        """End it with SIGKILL, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            if self._process.is_alive():
                os.kill(self.pid, signal.SIGKILL)


def start_ranks(order: TrainOrder, **env: str) -> list[RankProcess]:
    """Start what `python -m training.rank ORDER` is, without the seconds that importing takes."""
    path = order.folder / "order.json"
    durable.replace(path, durable.encode(order))
    return _start(partial(_carry_out, path), order.item.resources.num_ranks, order.folder, **env)


def on_ranks(task: Callable[[World], None], num_ranks: int, folder: Path) -> None:
    """Let each of some ranks, that know of each other, do a task to its end."""
    codes = [rank.wait() for rank in _start(partial(_among_others, task), num_ranks, folder)]
    assert codes == [0] * num_ranks, (folder / "log.txt").read_text()


def meeting_place() -> tuple[str, int]:
    """Return a loopback address, which no other process uses, and a port of it where nobody listens.

    A free port of an address that all share may be taken before the ranks come to it.
    """
    pid = os.getpid()
    return f"127.{1 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}", next(_PORTS)


def _start(task: Callable[[], int], num_ranks: int, folder: Path, **env: str) -> list[RankProcess]:
    """Start ranks with the environment that a supervisor would give them."""
    address, port = meeting_place()
    meeting = {
        "WORLD_SIZE": str(num_ranks),
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        **env,
    }
    log = folder / "log.txt"
    return [
        RankProcess(task, {**meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)}, log)
        for rank in range(num_ranks)
    ]


def _carry_out(order: Path) -> int:
    from training import rank

    sys.argv = ["training.rank", str(order)]
    return rank.main()


def _among_others(task: Callable[[World], None]) -> int:
    world = join_world()
    torch.set_num_threads(1)
    task(world)
    leave_world(world)
    return 0


def _become_rank(task: Callable[[], int], env: Mapping[str, str], log: Path) -> None:
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    os.chdir(CHECKOUT)
    os.environ.update(env)
    sys.exit(task())
