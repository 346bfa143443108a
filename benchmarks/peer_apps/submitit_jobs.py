"""`submitit_jobs.py submit|map_array N`: N jobs by plain submitit, which look for a file."""

import os
import sys

import submitit


def look(path: str, number: int) -> bool:
    """Return whether a file is there."""
    return os.path.exists(path) and number >= 0  # noqa: PTH110


if __name__ == "__main__":
    how, jobs, marker = sys.argv[1], range(int(sys.argv[2])), os.environ["MARKER"]
    executor = submitit.AutoExecutor(folder=f"submitit-{how}")
    if how == "submit":
        given = [executor.submit(look, marker, number) for number in jobs]
    else:
        given = executor.map_array(look, [marker] * len(jobs), jobs)
