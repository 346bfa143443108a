"""Of which kind an error is that ends a rank: what the supervisor does next depends on it."""

import os
import socket

import torch
import torch.distributed

from sweeps import durable
from sweeps.errors import DataError, LostState, NotFinite, PortTaken, Superseded, UsageError
from training.exits import RankExit, Verdict

KINDS: tuple[tuple[type[BaseException], RankExit], ...] = (
    (Superseded, RankExit.superseded),
    (DataError, RankExit.bad_data),
    (NotFinite, RankExit.not_finite),
    (UsageError, RankExit.user_error),
    (LostState, RankExit.lost_state),
    (PortTaken, RankExit.port_taken),
    (torch.OutOfMemoryError, RankExit.out_of_memory),
    (MemoryError, RankExit.out_of_memory),
    (torch.distributed.DistError, RankExit.communication),
    (ConnectionError, RankExit.communication),
)

PHRASES = (
    ("can't allocate memory", RankExit.out_of_memory),  # torch's allocator on the CPU
    ("out of memory", RankExit.out_of_memory),  # CUDA outside torch's allocator
    ("dataloader's workers are out of shared memory", RankExit.out_of_memory),
    ("uncorrectable ECC error", RankExit.device_failure),
    ("hardware error", RankExit.device_failure),
    ("NVLink error", RankExit.device_failure),
    ("no CUDA-capable device is detected", RankExit.device_failure),
    ("CUDA driver initialization failed", RankExit.device_failure),
    ("NCCL error", RankExit.communication),
    ("/gloo/", RankExit.communication),
    ("Connection closed by peer", RankExit.communication),
    ("Connection reset by peer", RankExit.communication),
)  # fmt: skip
"""What a plain RuntimeError of torch or a library under it says."""


def verdict_of(error: BaseException) -> Verdict | None:
    """Return what a rank says that gives up for an error; None if the error is a plain crash."""
    code = _code(error)
    if code is None:
        return None
    words = str(error).strip().splitlines()
    reason = words[0] if words else type(error).__name__
    host = os.environ.get("SLURMD_NODENAME", socket.gethostname())  # the name that Slurm knows
    return Verdict(code=code, host=host, reason=reason)


def _code(error: BaseException) -> RankExit | None:
    if durable.is_full(error):
        return RankExit.no_room
    for kind, code in KINDS:
        if isinstance(error, kind):
            return code
    if isinstance(error, RuntimeError):
        for phrase, code in PHRASES:
            if phrase in str(error):
                return code
    return None
