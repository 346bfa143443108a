"""A Hydra app that looks for a file; its submitit launcher makes a job of each run of a multirun."""

import os

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=".", config_name="hydra_jobs")
def look(config: DictConfig) -> bool:
    """Return whether a file is there."""
    return os.path.exists(os.environ["MARKER"]) and config.number >= 0  # noqa: PTH110


if __name__ == "__main__":
    look()
