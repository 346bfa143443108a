"""This machine: its name, its cores, and whether one of its processes still lives."""

import os
import socket

import psutil


def this_host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def is_alive(pid: int, started_at: float) -> bool:
    """Return whether the process that had this id then is still there."""
    try:
        process = psutil.Process(pid)
        return process.create_time() == started_at and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def process_started_at() -> float:
    """Return when this process started, as `is_alive` wants it."""
    return psutil.Process().create_time()
