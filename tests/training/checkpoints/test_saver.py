"""Saves beside training: what is written is the moment, an update waits for the copy alone."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.commands import wait_for
from training.checkpoints import checkpoint
from training.checkpoints.saver import LOWEST_PRIORITY, Saver
from training.checkpoints.state import Tensors, own_state

PATIENCE_S = 60.0


class Training:
    """A model of some megabytes that can take steps, and its saver."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(1024, 1024), torch.nn.BatchNorm1d(1024))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), fused=True)
        self.saver = Saver(self.optimizer)

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.model(torch.ones(2, 1024)).sum().backward()
        self.optimizer.step()

    @property
    def state(self) -> Tensors:
        return own_state(self.model, self.optimizer)


@pytest.fixture
def training() -> Iterator[Training]:
    one = Training()
    one.step()
    with one.saver:
        yield one


def test_what_is_written_is_the_moment_at_which_it_began(training: Training) -> None:
    written: list[str] = []
    for number in range(3):
        before = checkpoint.tensors_digest(training.state)
        training.saver.begin(training.state, lambda s: written.append(checkpoint.tensors_digest(s)))
        training.step()
        training.saver.finish()
        assert written[number] == before != checkpoint.tensors_digest(training.state)


def test_training_goes_on_while_a_state_is_written(training: Training) -> None:
    gate = threading.Event()
    training.saver.begin(training.state, lambda _: _pass(gate))
    training.step()
    training.step()
    assert training.saver.is_busy
    gate.set()
    training.saver.finish()
    assert not training.saver.is_busy


def test_a_second_save_waits_for_the_first(training: Training) -> None:
    order = []
    training.saver.begin(training.state, lambda _: order.append("first"))
    training.saver.begin(training.state, lambda _: order.append(*["second"] * len(order)))
    training.saver.finish()
    assert order == ["first", "second"]


def test_an_error_of_the_writer_ends_training(training: Training, tmp_path: Path) -> None:
    training.saver.begin(training.state, lambda _: (tmp_path / "absent" / "file").touch())
    wait_for(lambda: not training.saver.is_busy, "the writer")
    with pytest.raises(FileNotFoundError):
        training.step()


def test_an_error_of_the_writer_is_not_missed_at_the_end(training: Training, tmp_path: Path) -> None:
    training.saver.begin(training.state, lambda _: (tmp_path / "absent" / "file").touch())
    with pytest.raises(FileNotFoundError):
        training.saver.finish()


def test_the_writer_steps_back_and_no_other_thread_does(training: Training) -> None:
    seen: list[int] = []
    training.saver.begin(training.state, lambda _: seen.append(_priority()))
    training.saver.finish()
    assert (seen, _priority()) == ([LOWEST_PRIORITY], os.getpriority(os.PRIO_PROCESS, os.getpid()))


def _priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def _pass(gate: threading.Event) -> None:
    assert gate.wait(PATIENCE_S)
