"""From where an attempt goes on if what was saved is damaged or gone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps import hidden
from sweeps.errors import LostState
from sweeps.runs.expansion import Segment
from tests.commands import PATIENCE_S, wait_for
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints.done import done_path
from training.checkpoints.saved import saved_samples, state_path


def stages() -> tuple[Segment, Segment]:
    """Return a segment of two steps, and one of two more that begins where the first one ends."""
    expansion = expansion_of("sweep=staged", "recipe=staged")
    low, high = (expansion.segments[key] for key in expansion.runs[0].segments)
    return replace(low, end=96, milestones=()), replace(high, start=96, stage_start=96, end=160)


def test_a_parents_end_that_is_lost_is_named_and_can_be_trained_again(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidden, "HIDDEN_S", 0.0)
    low, high = stages()
    first, second = order_for(low, tmp_path, data), order_for(high, tmp_path, data)
    digest = train(first).weights_sha256
    state = state_path(first.folder, low.end)
    state.write_bytes(state.read_bytes()[:-1])
    marker = done_path(first.folder)
    with pytest.raises(LostState, match=f"state-96.safetensors: .* delete {marker} and resume"):
        train(second)
    state.unlink()
    with pytest.raises(LostState, match=f"{first.folder} has no full state at 96 .* delete {marker}"):
        train(second)
    marker.unlink()
    assert train(first).weights_sha256 == digest
    assert saved_samples(first.folder, "state") == [low.end]


def test_a_parents_end_that_another_host_has_just_written_is_waited_for(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hidden, "POLL_S", 0.01)
    monkeypatch.setattr(hidden, "HIDDEN_S", PATIENCE_S)
    low, high = stages()
    first, second = order_for(low, tmp_path, data), order_for(high, tmp_path, data)
    train(first)
    unseen = state_path(first.folder, low.end).rename(tmp_path / "unseen")
    with ThreadPoolExecutor(1) as pool:
        trained = pool.submit(train, second)
        wait_for(lambda: "has no full state at 96 samples; looking again" in caplog.text, "a look")
        unseen.rename(state_path(first.folder, low.end))
        assert trained.result(PATIENCE_S).samples_seen == high.end


def test_a_state_that_cannot_be_read_is_passed_over_but_never_the_last_one(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidden, "HIDDEN_S", 0.0)
    low, _ = stages()
    order = order_for(low, tmp_path, data)
    unreadable = state_path(order.folder, 48)
    unreadable.symlink_to(unreadable)
    with pytest.raises(OSError, match="state-48"):
        train(order)
    unreadable.unlink()
    train(order)
    done_path(order.folder).unlink()
    later = state_path(order.folder, 144)
    later.symlink_to(later)
    longer = replace(order, item=replace(order.item, segment=replace(low, end=192)))
    assert train(longer).samples_seen == 192
    assert saved_samples(order.folder, "state") == [192]
