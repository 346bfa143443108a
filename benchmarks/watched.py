"""`python -m benchmarks.watched REPORT [--opens] -m MODULE …` runs a module, then reports on it.

REPORT becomes one JSON object: the peak memory in KiB, and with `--opens`, which slows it down, the
path of each file that it opened.
"""

import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

report, sys.argv = Path(sys.argv[1]), sys.argv[2:]
opened: list[str] = []


def note(event: str, arguments: tuple[Any, ...]) -> None:
    """Note a file that is opened (an audit hook; folders are listed, not opened)."""
    if event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])


def peak_kib() -> int:
    """Return the peak memory of this program alone: getrusage(2) counts what was there before exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


if sys.argv[0] == "--opens":
    sys.argv = sys.argv[1:]
    sys.addaudithook(note)
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    report.write_text(json.dumps({"memory_kib": peak_kib(), "opened": list(opened)}))
