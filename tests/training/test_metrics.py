"""Metrics of an attempt."""

from pathlib import Path

from training.metrics import MetricsWriter, Moment, last_moment, metrics_path


def moment(samples: int) -> Moment:
    return Moment(
        samples_seen=samples,
        time=1.0,
        samples_per_s=2.0,
        lr=1e-3,
        skipped_steps=0,
        shown={"logit_scale": 13.5},
        grad_norm=1.0,
        losses={"contrastive_loss": 4.0},
    )


def test_the_last_moment_is_seen_while_the_file_is_open(tmp_path: Path) -> None:
    with MetricsWriter(metrics_path(tmp_path, 1)) as writer:
        for samples in (64, 128):
            writer.write(moment(samples))
            assert last_moment(metrics_path(tmp_path, 1)) == moment(samples)


def test_a_torn_tail_is_dropped(tmp_path: Path) -> None:
    path = metrics_path(tmp_path, 1)
    with MetricsWriter(path) as writer:
        writer.write(moment(64))
    for tail in (b'{"samples_seen":128,"ti', b'{"samples_seen":128}\n'):
        with path.open("ab") as file:
            file.write(tail)
        assert last_moment(path) == moment(64)


def test_nothing_written_is_none(tmp_path: Path) -> None:
    assert last_moment(metrics_path(tmp_path, 1)) is None
    metrics_path(tmp_path, 1).touch()
    assert last_moment(metrics_path(tmp_path, 1)) is None


def test_only_the_tail_of_a_long_file_is_read(tmp_path: Path) -> None:
    with MetricsWriter(metrics_path(tmp_path, 1)) as writer:
        for samples in range(1000):
            writer.write(moment(samples))
    assert last_moment(metrics_path(tmp_path, 1)) == moment(999)
