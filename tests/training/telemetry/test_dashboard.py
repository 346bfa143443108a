"""wandb: shown what the metrics file holds, and unable to touch training."""

import contextlib
import importlib.util
import logging
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from conf.schema import WandbConfig, WandbMode
from tests.commands import PATIENCE_S, gated_by, wait_for
from tests.training.ranks import start_ranks
from tests.training.segments import expansion_of, order_for, train
from tests.training.telemetry.test_metrics import moment
from tests.training.telemetry.wandbfile import history_of, run_of
from training.checkpoints.done import read_done
from training.exits import RankExit
from training.orders import TrainOrder
from training.telemetry import dashboard
from training.telemetry.dashboard import Dashboard, Opening
from training.telemetry.metrics import read_course

needs_wandb = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None, reason="wandb is not installed"
)
OFFLINE = WandbConfig(mode=WandbMode.offline, project="tests")


def shown(order: TrainOrder) -> TrainOrder:
    """Return the same order, shown on wandb."""
    return replace(order, item=replace(order.item, sweep="tiny", wandb=OFFLINE))


def fed(folder: Path, *, num_moments: int = 1) -> None:
    """Show some moments, and end."""
    one = Dashboard(Opening(id="k", group="g", settings=OFFLINE, folder=folder, config={}))
    for number in range(num_moments):
        one.write(moment(64 * number))
    one.close()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """wandb, which steps back behind all others, may take as long to begin and end as it likes."""
    monkeypatch.setattr(dashboard, "FINISH_S", PATIENCE_S)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that is imported in place of wandb; empty."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    (tmp_path / "modules").mkdir()
    return tmp_path / "modules" / "wandb.py"


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "training.telemetry.dashboard"]


@needs_wandb
def test_a_run_is_shown_offline_and_changes_no_bit(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=tiny", "samples_seen=1280").segments.values()
    straight = train(order_for(segment, tmp_path / "straight" / "segments", data))
    order = shown(order_for(segment, tmp_path / "shown" / "segments", data))
    assert train(order).weights_sha256 == straight.weights_sha256
    run = run_of(tmp_path / "shown")
    assert (run.run_id, run.run_group, run.project, run.job_type) == (
        segment.key, "tiny", "tests", "train",
    )  # fmt: skip
    assert "train" in {item.key for item in run.config.update}
    logged = [(row["samples_seen"], row["lr"]) for row in history_of(tmp_path / "shown")]
    assert logged == [(one.samples_seen, one.lr) for one in read_course(order.folder)]


@needs_wandb
def test_a_run_outlives_the_service_of_wandb_bit_for_bit(tmp_path: Path, data: Path) -> None:
    gate = tmp_path / "gate"
    words = ("sweep=tiny", "samples_seen=1280", "resources.num_ranks=1", *gated_by(gate))
    (segment,) = expansion_of(*words).segments.values()
    order = shown(order_for(segment, tmp_path / "shown" / "segments", data))
    (rank,) = start_ranks(order)

    def services() -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):  # another one ended while it was asked
            below = psutil.Process(rank.pid).children(recursive=True)
            return [process for process in below if process.name() == "wandb-core"]
        return []

    (service,) = wait_for(services, "wandb-core")
    wait_for(lambda: [*tmp_path.glob("shown/wandb/offline-run-*/*.wandb")], "the run")
    service.kill()
    gate.touch()
    assert rank.wait() == RankExit.finished
    assert (order.folder / "log.txt").read_text().count("nothing more is shown on wandb") == 1
    marker, straight = read_done(order.folder), train(order_for(segment, tmp_path / "straight", data))
    assert marker is not None
    assert marker.weights_sha256 == straight.weights_sha256


def test_without_wandb_there_is_one_warning(
    tmp_path: Path, stand_in: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in.write_text("raise ImportError('No module named wandb')")
    fed(tmp_path)
    (warning,) = warnings_of(caplog)
    assert "No module named wandb; pip install 'isogrid[wandb]'" in warning


def test_what_hangs_is_not_waited_for(
    tmp_path: Path, stand_in: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.write_text("import time; time.sleep(3600)")
    monkeypatch.setattr(dashboard, "FINISH_S", 0.5)
    fed(tmp_path, num_moments=2000)
    assert warnings_of(caplog) == ["nothing more is shown on wandb: it did not end in 0.5 s"]


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, stand_in: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        fed(tmp_path / "file" / "folder")
    (warning,) = warnings_of(caplog)
    assert "NotADirectoryError" in warning
    assert "file" in warning
