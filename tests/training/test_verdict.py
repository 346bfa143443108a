"""What a rank says of why it gives up."""

import errno
from pathlib import Path

import pytest
import torch
import torch.distributed

from sweeps.errors import (
    DataError,
    IsogridError,
    LostState,
    NotFinite,
    PortTaken,
    Superseded,
    UsageError,
)
from training.exits import RankExit, Verdict, forget_verdicts, leave_verdict, read_verdict
from training.verdict import verdict_of

GLOO = "[third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]"
ECC = "CUDA error: uncorrectable ECC error encountered"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Superseded("x"), RankExit.superseded),
        (DataError("x"), RankExit.bad_data),
        (NotFinite("x"), RankExit.not_finite),
        (UsageError("x"), RankExit.user_error),
        (LostState("x"), RankExit.lost_state),
        (OSError(errno.ENOSPC, "x"), RankExit.no_room),
        (OSError(errno.EDQUOT, "x"), RankExit.no_room),
        (PortTaken("x"), RankExit.port_taken),
        (MemoryError(), RankExit.out_of_memory),
        (torch.OutOfMemoryError("CUDA out of memory."), RankExit.out_of_memory),
        (torch.AcceleratorError(ECC), RankExit.device_failure),
        (torch.distributed.DistBackendError("NCCL error"), RankExit.communication),
        (torch.distributed.DistStoreError("timed out"), RankExit.communication),
        (RuntimeError(GLOO), RankExit.communication),
        (ConnectionResetError("reset"), RankExit.communication),
    ],
)
def test_an_error_is_of_one_kind(error: Exception, code: RankExit) -> None:
    verdict = verdict_of(error)
    assert verdict is not None
    assert verdict.code is code


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        OSError("disk"),
        IsogridError("x"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    ],
)
def test_what_may_be_anybodys_mistake_is_a_plain_crash(error: Exception) -> None:
    assert verdict_of(error) is None


def test_a_real_lack_of_memory_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    verdict = verdict_of(caught.value)
    assert verdict is not None
    assert verdict.code is RankExit.out_of_memory


def verdict(code: RankExit, host: str = "n1") -> Verdict:
    return Verdict(code=code, host=host, reason="why")


def test_the_verdict_that_says_most_counts_whoever_came_first(tmp_path: Path) -> None:
    path = tmp_path / "verdict-1"
    assert read_verdict(path) is None
    leave_verdict(path, verdict(RankExit.communication))
    leave_verdict(path, verdict(RankExit.out_of_memory, host="n2"))
    leave_verdict(path, verdict(RankExit.out_of_memory, host="n3"))
    assert read_verdict(path) == verdict(RankExit.out_of_memory, host="n2")
    forget_verdicts(path)
    assert list(tmp_path.iterdir()) == []
    leave_verdict(tmp_path / "no folder" / "verdict-1", verdict(RankExit.no_room))
