"""Fixtures that many tests share, and what is said where system packages are missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import TINY, run
from tests.slurm.cluster import (
    ACCOUNTING_DAEMONS,
    INSTALL,
    SlurmCluster,
    missing_daemons,
    running_cluster,
)
from tests.training.segments import expansion_of
from training.generate import Generation, generate


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail if a test was skipped")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that does not exist yet."""
    return tmp_path / "root"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shards of `tiny`."""
    folder = tmp_path_factory.mktemp("data")
    generator = expansion_of("sweep=tiny").runs[0].config.data.generator
    assert generator is not None
    generate(Generation(folder=folder / "tiny", generator=generator))
    return folder


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root in which the tiny sweep ran to its end on this machine."""
    root = tmp_path_factory.mktemp("undisturbed") / "root"
    done = run("launcher", *TINY, root=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    """A real Slurm cluster of four nodes, started once."""
    if missing := missing_daemons():
        pytest.skip(f"{', '.join(missing)} not found; install with: {INSTALL}")
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def slurm_with_limits() -> Iterator[SlurmCluster]:
    """A real Slurm cluster with accounting: the QOS `few` admits three jobs."""
    if missing := missing_daemons(*ACCOUNTING_DAEMONS):
        pytest.skip(f"{', '.join(missing)} not found; install with: {INSTALL}")
    with running_cluster(num_nodes=2, has_accounting=True) as cluster:
        yield cluster
