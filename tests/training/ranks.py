"""Ranks of an order as processes of their own, forked from one that has torch imported already."""

import os
import signal
import socket
import sys
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from sweeps import durable
from sweeps.folders import CHECKOUT
from tests.commands import PATIENCE_S
from training.orders import TrainOrder

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["training.rank"])


class RankProcess:
    """One rank: what `python -m training.rank ORDER` is, without the seconds that importing takes."""

    def __init__(self, order: Path, env: Mapping[str, str], log: Path) -> None:
        self._process: ForkServerProcess = _FORKS.Process(target=_become_rank, args=(order, env, log))
        self._process.start()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._process.exitcode is not None

    def wait(self) -> int | None:
        """Return its exit code once it has ended; None if it does not end."""
        self._process.join(PATIENCE_S)
        return self._process.exitcode

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process.pid and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)


def start_ranks(order: TrainOrder) -> list[RankProcess]:
    """Start the ranks of an order, with the environment that a supervisor would give them."""
    path = order.folder / "order.json"
    durable.replace(path, durable.encode(order))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    num_ranks = order.item.resources.num_ranks
    meeting = {
        "WORLD_SIZE": str(num_ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    log = order.folder / "log.txt"
    return [
        RankProcess(path, {**meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)}, log)
        for rank in range(num_ranks)
    ]


def _become_rank(order: Path, env: Mapping[str, str], log: Path) -> None:
    from training import rank

    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    os.chdir(CHECKOUT)
    os.environ.update(env)
    sys.argv = ["training.rank", str(order)]
    sys.exit(rank.main())
