"""Metrics: one file an attempt, joined to one course."""

import io
from pathlib import Path

import pytest
import torch

from conf.schema import Precision
from training.distributed import World
from training.telemetry.hardware import peak_flops, peak_memory_gib
from training.telemetry.metrics import (
    MetricsWriter,
    Moment,
    begin_metrics,
    last_moment,
    metrics_path,
    read_course,
    read_moments,
)
from training.telemetry.progress import Pace
from training.telemetry.terminal import TerminalLine


def moment(samples: int, *, since: int | None = None, loss: float = 4.0) -> Moment:
    return Moment(
        since=samples - 64 if since is None else since,
        samples_seen=samples,
        time=1.0,
        samples_per_s=2.0,
        samples_per_s_per_rank=1.0,
        flops_utilization=None,
        data_wait=0.25,
        memory_gib=1.5,
        lr=1e-3,
        skipped_steps=0,
        num_broken=0,
        shown={"logit_scale": 13.5},
        grad_norm=1.0,
        losses={"contrastive_loss": loss},
    )


def written(folder: Path, attempt: int, *moments: Moment, tail: bytes = b"") -> Path:
    """Write the file of an attempt, as the attempt does."""
    path = begin_metrics(folder, attempt)
    writer = MetricsWriter(path)
    for one in moments:
        writer.write(one)
    writer.close()
    with path.open("ab") as file:
        file.write(tail)
    return path


def test_the_last_moment_is_seen_while_the_file_is_open(tmp_path: Path) -> None:
    writer = MetricsWriter(metrics_path(tmp_path, 1))
    for samples in (64, 128):
        writer.write(moment(samples))
        assert last_moment(metrics_path(tmp_path, 1)) == moment(samples)
    writer.close()


@pytest.mark.parametrize("tail", [b'{"samples_seen":128,"ti', b'{"samples_seen":128}\n', b"\0\0\n"])
def test_a_torn_tail_is_dropped(tmp_path: Path, tail: bytes) -> None:
    path = written(tmp_path, 1, moment(64), tail=tail)
    assert last_moment(path) == moment(64)
    assert read_moments(path) == [moment(64)]


def test_nothing_written_is_none(tmp_path: Path) -> None:
    assert last_moment(metrics_path(tmp_path, 1)) is None
    metrics_path(tmp_path, 1).touch()
    assert last_moment(metrics_path(tmp_path, 1)) is None
    assert read_course(tmp_path) == []


def test_only_the_tail_of_a_long_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, 1, *(moment(samples) for samples in range(64, 1000)))
    assert last_moment(path) == moment(999)


def test_attempts_are_joined_and_what_was_trained_again_counts_once(tmp_path: Path) -> None:
    written(tmp_path, 1, moment(64), moment(128), moment(192), tail=b'{"sin')
    written(tmp_path, 2, moment(192, since=128, loss=3.0), moment(256))
    assert read_course(tmp_path) == [moment(64), moment(128), moment(192, loss=3.0), moment(256)]


def test_a_moment_of_which_some_samples_were_rewound_is_dropped(tmp_path: Path) -> None:
    written(tmp_path, 1, moment(64), moment(192, since=64))
    written(tmp_path, 2, moment(256, since=128))
    assert read_course(tmp_path) == [moment(64), moment(256, since=128)]


def test_a_segment_of_many_attempts_keeps_two_files(tmp_path: Path) -> None:
    for attempt in (1, 2, 3, 11):
        written(tmp_path, attempt, moment(64 * attempt))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics-11.jsonl", "metrics-3.jsonl"]
    assert [one.samples_seen for one in read_course(tmp_path)] == [64, 128, 192, 704]


def test_a_kill_while_files_are_joined_loses_and_repeats_nothing(tmp_path: Path) -> None:
    for attempt in (1, 2):
        written(tmp_path, attempt, moment(64 * attempt))
    first = metrics_path(tmp_path, 1).read_bytes()
    begin_metrics(tmp_path, 3)
    metrics_path(tmp_path, 1).write_bytes(first)  # which the killed one had not deleted yet
    assert [one.samples_seen for one in read_course(tmp_path)] == [64, 128]


def test_utilisation_takes_three_forward_passes_and_all_devices() -> None:
    pace = Pace(world=World(size=4), gflops_per_sample=10.0, peak_flops=3e14)
    assert pace.utilization(10_000) == pytest.approx(3 * 1e10 * 10_000 / 12e14)
    assert Pace(world=World()).utilization(10_000) is None


def test_a_cpu_has_memory_and_no_known_peak() -> None:
    assert peak_flops(torch.device("cpu"), Precision.fp32) is None
    assert 0.01 < peak_memory_gib(torch.device("cpu")) < 1000


def test_a_terminal_shows_one_line_written_over_again() -> None:
    stream = io.StringIO()
    line = TerminalLine(stream, 256)
    line.write(moment(64))
    line.write(moment(128))
    line.close()
    first, second = stream.getvalue().removeprefix("\r").split("\r")
    assert " 25% " in first
    assert second.startswith("\x1b[K 50% ━━━━━━━━━━━━ ")
    assert second.endswith(" 128/256  2 samples/s  contrastive_loss 4.000  1:04 left\n")
