"""What Slurm knows of nodes: which there are, and which of them fail."""

from collections.abc import Iterator

from launcher.machines.slurm_client import client

FAILING = {"down", "drain", "drained", "draining", "fail", "failing", "error", "inval"}
NOT_RESPONDING = "*"


def failing_nodes(nodes: str, timeout_s: float) -> tuple[str, ...]:
    """Return which of some nodes, written as Slurm writes them, are down, drained or do not respond.

    Raises:
        QueueUnknown: the controller did not answer.
    """
    command = ["sinfo", "--noheader", "--Node", f"--nodes={nodes}", "--format=%N|%T"]
    return tuple(dict.fromkeys(parse_failing(client(command, timeout_s))))


def nodes_of(partition: str | None, timeout_s: float) -> set[str]:
    """Return the nodes of a partition; without one, of the cluster.

    Raises:
        QueueUnknown: the controller did not answer.
    """
    chosen = [f"--partition={partition}"] if partition else []
    shown = client(["sinfo", "--noheader", "--Node", "--format=%N", *chosen], timeout_s)
    return set(shown.split())


def parse_failing(shown: str) -> Iterator[str]:
    """Yield the nodes that fail from lines of name and state; `*` marks one that does not respond."""
    for line in shown.splitlines():
        node, _, state = line.strip().partition("|")
        if state.rstrip("*~#!%$@^-+") in FAILING or NOT_RESPONDING in state:
            yield node
