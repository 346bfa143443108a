"""Fixtures that many tests share, and how the suite is spread over worker processes.

Each worker starts a Slurm cluster of its own, once a test asks for it. What is costly to make and only
read afterwards is made once for all workers. Long tests come first, so that no worker is left with one
when the others have ended.
"""

import fcntl
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import gpus
from tests.commands import HERE, run, wait_for
from tests.slurm.cluster import (
    ACCOUNTING_DAEMONS,
    INSTALL,
    SlurmCluster,
    missing_daemons,
    running_cluster,
)

gpus.hide()

ONE_WORKER = {"slurm_with_limits": "accounting"}
"""Fixtures that are made by one worker only, which gets all the tests that use them."""

hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail if a test was skipped")


def pytest_configure(config: pytest.Config) -> None:
    # A shell lets what it starts in the background ignore Ctrl-C, which commands here are tested with.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        threading.Thread(target=leave_with_parent, args=(os.getppid(),), daemon=True).start()


def leave_with_parent(parent: int) -> None:
    """End this worker process once the one that hands out the tests is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in set(getattr(item, "fixturenames", ())) & set(ONE_WORKER):
            item.add_marker(pytest.mark.xdist_group(ONE_WORKER[name]))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say at a failed test where its cluster's logs are, and let them stay."""
    report = yield
    used = getattr(item, "funcargs", {}).values() if report.failed else ()
    for cluster in {one for one in used if isinstance(one, SlurmCluster)}:
        cluster.is_kept = True
        report.sections.append(("Slurm cluster", f"logs: {cluster.folder}/log"))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that does not exist yet."""
    return tmp_path / "root"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` fills in one worker, while the others wait for it."""
    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder, complete = shared / name, shared / f"{name}.complete"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shards of `tiny`."""
    from tests.training.segments import expansion_of  # torch, which most tests do without
    from training.data.generate import Generation, generate

    def make(folder: Path) -> None:
        generator = expansion_of("sweep=tiny").runs[0].config.data.generator
        assert generator is not None
        generate(Generation(folder=folder / "tiny", generator=generator))

    return made_once(tmp_path_factory, "data", make)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root in which the tiny sweep ran to its end on this machine."""

    def make(folder: Path) -> None:
        done = run("launcher", *HERE, root=folder / "root")
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "undisturbed", make) / "root"


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    """A real Slurm cluster of four nodes, started once by each worker."""
    if missing := missing_daemons():
        pytest.skip(f"{', '.join(missing)} not found; install with: {INSTALL}")
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(slurm: SlurmCluster, tmp_path: Path) -> Iterator[SlurmCluster]:
    """The cluster, whole and without jobs before the test and after it, whose folder is still there."""
    yield slurm
    slurm.repair()
    slurm.client("scancel", "--me")
    wait_for(lambda: not slurm.client("squeue", "--me", "--noheader"), "the queue to be empty")


@pytest.fixture(scope="session")
def slurm_with_limits() -> Iterator[SlurmCluster]:
    """A real Slurm cluster with accounting: the QOS `few` admits three jobs."""
    if missing := missing_daemons(*ACCOUNTING_DAEMONS):
        pytest.skip(f"{', '.join(missing)} not found; install with: {INSTALL}")
    with running_cluster(num_nodes=2, has_accounting=True) as cluster:
        yield cluster
