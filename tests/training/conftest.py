"""Data that tests of training share."""

from pathlib import Path

import pytest

from tests.training.segments import expansion_of
from training.generate import Generation, generate


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shards of `tiny`."""
    folder = tmp_path_factory.mktemp("data")
    generator = expansion_of("sweep=tiny").runs[0].config.data.generator
    assert generator is not None
    generate(Generation(folder=folder / "tiny", generator=generator))
    return folder
