"""How ranks meet: the name of the first host, and the interfaces that NCCL and gloo are told to use."""

import re
import socket
from collections.abc import Iterable, Iterator, Mapping

from launcher.doctor.findings import Finding, ok, problem, warning

INTERFACES = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")
IB_TIMEOUT = "NCCL_IB_TIMEOUT"
MOST_IB_TIMEOUT = 31
"""InfiniBand's local ACK timeout, 4.096 us times two to that power, has five bits."""

SUFFIX = "cluster.host_suffix"


def check_host(host: str, suffix: str, *, is_on_node: bool) -> Iterator[Finding]:
    """Look whether the name resolves at which ranks of several nodes meet.

    Args:
        host: a compute node's name, as Slurm writes it.
        suffix: what the preset appends to it.
        is_on_node: whether this is one of them; a login node may know no such names.
    """
    name = host + suffix
    if resolves(name):
        yield ok("host", f"{name} resolves")
    elif suffix and resolves(host):
        yield problem(
            "host",
            f"{name} does not resolve, but {host} does",
            f"set {SUFFIX} to what the site appends",
        )
    elif is_on_node:
        yield problem("host", f"{name} does not resolve", f"set {SUFFIX} to what the site appends")
    else:
        yield warning("host", f"{name} does not resolve on this host", "make sure by submit=true")


def check_interfaces(
    env: Mapping[str, str], present: Iterable[str], *, is_on_node: bool
) -> Iterator[Finding]:
    """Look whether the interfaces that the preset names exist."""
    names = sorted(present)
    for variable in INTERFACES:
        missing = missing_interfaces(env.get(variable, ""), names)
        what = f"{variable}={env.get(variable)}: there is no {', '.join(missing)}"
        if missing and is_on_node:
            known = ", ".join(names)
            yield problem("interface", what, f"set cluster.env.{variable} to one of: {known}")
        elif missing:
            yield warning("interface", f"{what} on this host", "make sure by submit=true")
        elif variable in env:
            yield ok("interface", f"{variable}={env[variable]} exists")


def check_timeout(env: Mapping[str, str]) -> Iterator[Finding]:
    """Look whether a timeout fits its field: what does not is cut, and waits less, not longer."""
    text = env.get(IB_TIMEOUT)
    if text is not None and not (text.isdigit() and int(text) <= MOST_IB_TIMEOUT):
        yield problem(
            IB_TIMEOUT,
            f"{text} does not fit the five bits of InfiniBand's timeout",
            f"set cluster.env.{IB_TIMEOUT} to 18 … 23, or leave it out",
        )


def interfaces() -> list[str]:
    """Return the names of this machine's network interfaces."""
    return [name for _, name in socket.if_nameindex()]


def missing_interfaces(wanted: str, present: Iterable[str]) -> list[str]:
    """Return which names of NCCL's `ib0,=hsn1,^docker` nothing answers to.

    A name is the beginning of an interface's, or all of it behind `=`; `^` excludes, so needs none.
    """
    if wanted.startswith("^"):
        return []
    exact = wanted.startswith("=")
    names = [name for name in re.split(r"[,;]", wanted.lstrip("=")) if name]
    known = list(present)
    return [
        name
        for name in names
        if not any(other == name if exact else other.startswith(name) for other in known)
    ]


def resolves(name: str) -> bool:
    """Return whether this machine knows the address of a host."""
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return False
    return True
