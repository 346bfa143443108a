"""How ranks come together: all of one attempt, and nobody else."""

import socket
import subprocess
import sys

import pytest

from tests.commands import CHECKOUT, PATIENCE_S, wait_for
from tests.training.ranks import meeting_place

LONG_S, SHORT_S = PATIENCE_S, 10.0

Place = tuple[str, int]


@pytest.fixture
def place() -> Place:
    return meeting_place()


def rank(number: int, place: Place, name: str, patience_s: float) -> "subprocess.Popen[str]":
    """Start one of two ranks that meet under a name."""
    address, port = place
    env = {
        "RANK": str(number),
        "WORLD_SIZE": "2",
        "LOCAL_RANK": str(number),
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "MEETING_NAME": name,
        "GLOO_SOCKET_IFNAME": socket.if_indextoname(1),
    }
    command = [sys.executable, "-m", "tests.training.meeting", str(patience_s)]
    return subprocess.Popen(command, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    return process.communicate(timeout=2 * LONG_S)[0].strip()


def listens(place: Place) -> bool:
    try:
        socket.create_connection(place, timeout=1).close()
    except OSError:
        return False
    return True


def test_a_stranger_at_the_same_port_stays_outside(place: Place) -> None:
    first = rank(0, place, "ours", LONG_S)
    wait_for(lambda: listens(place), "the first rank to listen")
    stranger = rank(1, place, "theirs", SHORT_S)
    assert said(stranger) == "DistStoreError: ranks [0] of 2 did not come within 10 s"
    second = rank(1, place, "ours", LONG_S)
    assert said(first) == said(second) == "joined, the first says 41"


def test_who_does_not_come_is_named_in_time(place: Place) -> None:
    words = said(rank(0, place, "ours", SHORT_S))
    assert words == "DistStoreError: ranks [1] of 2 did not come within 10 s"


def test_a_taken_port_is_said_at_once(place: Place) -> None:
    with socket.create_server(place):
        words = said(rank(0, place, "ours", LONG_S))
    assert words == f"PortTaken: somebody else listens at port {place[1]} of {place[0]}"
