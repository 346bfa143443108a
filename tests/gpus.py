"""The GPUs of this machine, hidden from all tests but those in `tests/gpu`.

So what a test expects of a CPU is expected on any machine.
"""

import os
from pathlib import Path

VISIBLE, KEPT = "CUDA_VISIBLE_DEVICES", "ISOGRID_TEST_GPUS"
"""Environment variables: what CUDA shows a process, and what it would show if nothing was hidden."""


def hide() -> None:
    """Hide all GPUs from this process and those that it starts."""
    os.environ.setdefault(KEPT, os.environ.get(VISIBLE, ",".join(_devices())))
    os.environ[VISIBLE] = ""


def shown() -> list[str]:
    """Return the GPUs that there are."""
    return [name for name in os.environ.get(KEPT, "").split(",") if name]


def _devices() -> list[str]:
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]
