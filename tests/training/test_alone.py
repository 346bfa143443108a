"""One run without a sweep, from the command line."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.errors import UsageError
from sweeps.folders import CHECKOUT, Root
from sweeps.work import lease
from sweeps.work.outcome import Outcome
from tests.commands import OWN_CONF, PATIENCE_S, TINY, environment, gated_by, run, wait_for
from tests.training.segments import expansion_of, order_for, train
from training.alone import train_alone
from training.checkpoints.done import read_done
from training.checkpoints.saved import saved_samples

pytestmark = pytest.mark.slow

RUN = (OWN_CONF, "data=tiny", "eval=tiny", "global_batch_size=32", "checkpoints.save_every_s=0.2")
INTERRUPTED = 130


def begun(root: Path, *words: str) -> "tuple[subprocess.Popen[bytes], int]":
    """Start a training on a terminal of its own; return it, and what reads the terminal."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "training", *RUN, *words],
        cwd=CHECKOUT, env=environment(root), stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    return process, terminal


def wait_until_shown(terminal: int, words: bytes) -> None:
    os.set_blocking(terminal, False)
    shown = bytearray()

    def are_shown() -> bool:
        with contextlib.suppress(BlockingIOError):
            shown.extend(os.read(terminal, 4096))
        return words in shown

    wait_for(are_shown, f"{words!r} on the terminal")


def test_a_run_is_interrupted_goes_on_and_counts_in_a_sweep(
    root: Path, data: Path, tmp_path: Path
) -> None:
    words = ("samples_seen=3840", *gated_by(tmp_path / "gate"))
    (segment,) = expansion_of("sweep=tiny", *words).segments.values()
    folder = Root(root).segment(segment.key)
    process, terminal = begun(root, *words)
    wait_until_shown(terminal, b"samples/s")
    process.send_signal(signal.SIGINT)
    wait_for((folder / "stop-1").exists, "the request to stop")
    (tmp_path / "gate").touch()
    assert process.wait(PATIENCE_S) == INTERRUPTED
    os.close(terminal)
    assert 0 < saved_samples(folder, "state")[-1] < segment.end
    done = run("training", *RUN, *words, root=root)
    assert (done.returncode, "samples/s" in done.stderr) == (0, False), done.stderr
    held, marker = lease.newest(folder), read_done(folder)
    assert held is not None
    assert marker is not None
    assert [one.outcome for one in held.attempts] == [Outcome.stopped, Outcome.done]
    assert (
        marker.weights_sha256 == train(order_for(segment, tmp_path / "straight", data)).weights_sha256
    )
    status = run("launcher", "status", *TINY, *words, root=root)
    assert ": 1 run: 1 trained" in status.stdout


def test_a_run_is_not_trained_twice_at_once(root: Path) -> None:
    words = ("samples_seen=1280", *gated_by(root / "no such gate"))
    process, terminal = begun(root, *words)
    wait_for(lambda: [*root.glob("segments/*/metrics-1.jsonl")], "the first step")
    second = run("training", *RUN, *words, root=root)
    assert (second.returncode, f"in other hands: process {process.pid} on" in second.stderr) == (
        2,
        True,
    )
    process.kill()
    process.wait()
    os.close(terminal)


def test_ranks_of_torchrun_train_one_run(root: Path) -> None:
    torchrun = ("--nproc-per-node=2", "--standalone", "-m", "training")
    done = run(
        "torch.distributed.run", *torchrun, *RUN, "samples_seen=640",
        root=root, env={"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder,) = Root(root).segments.iterdir()
    held = lease.newest(folder)
    assert held is not None
    assert (held.attempt.number, held.attempt.num_cores) == (1, 2)


def test_what_is_impossible_is_named_in_one_line(root: Path) -> None:
    done = run("training", "model=ViT-B-33", root=root)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there is no model 'ViT-B-33'. Did you mean ViT-B-32" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["samples_seen=null"], "this run: set samples_seen, or epochs"),
        (["sweep=quickstart"], "leave out sweep=quickstart, or type python -m launcher sweep=quick"),
        (["data=LAION-2B"], "data.shards of LAION-2B is not set"),
        (["data.generator=null"], "tiny: 3 of 3 shards are missing"),
        (["data.shards={3..0}.tar"], "write tar files"),
        (["data.name=../x"], "data.name '../x' becomes part of paths"),
        (["data.generator._target_=nope.x"], "generator: _target_='nope.x': there is no module"),
        (["procedure._target_=nope.X"], "procedure: _target_='nope.X': there is no module 'nope'"),
        (["+procedure.options.a=1"], "procedure.options of training.procedures.clip.Clip: got an"),
        (["procedure=coca"], "procedure=coca: ViT-w32 has no part that writes captions"),
        (["model=coca_ViT-B-32"], "coca_ViT-B-32 also writes captions: take procedure=coca"),
        (["procedure=mammut"], "procedure=mammut: ViT-w32 is no MaMMUT"),
        (["model.config=null", "model.name=ViT-B-31"], "open_clip has no model 'ViT-B-31'. Did you"),
        (["model.config.text_cfg.heads=7"], "model.config of ViT-w32 describes no model: Assertion"),
        (["model.config.text_cfg.tokenizer_kwargs.bpe_path=x"], "ViT-w32: there is no vocabulary"),
    ],
)
def test_nothing_is_written_for_a_run_that_cannot_be(
    root: Path, words: list[str], message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        train_alone([*RUN, "samples_seen=64", f"root={root}", *words])
    assert message in str(refused.value)
    assert not root.exists()
