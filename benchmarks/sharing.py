"""How many samples a sweep over horizons trains when they share a trunk, and when each run is alone."""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.grids import expansion_of

UNIT = 64_000
HORIZONS = (1, 2, 4, 8)


def units() -> dict[str, Any]:
    """Return the samples of {1, 2, 4, 8}× under constant + 20 % cooldown, in units of the shortest."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "sweep" / "horizons.yaml"
        sweep.parent.mkdir()
        sweep.write_text(
            "name: horizons\n"
            "set: {schedule: constant_cooldown, schedule.warmup: 10 steps, data: shapes-clean,\n"
            "      eval: quickstart, global_batch_size: 64}\n"
            f"blocks: [{{axes: {{samples_seen: {[UNIT * times for times in HORIZONS]}}}}}]\n"
        )
        expansion = expansion_of([f"hydra.searchpath=[file://{folder}]", "sweep=horizons"])
    shared = sum(segment.end - segment.start for segment in expansion.segments.values())
    alone = sum(run.samples_seen for run in expansion.runs)
    return {"unit": "shortest horizons", "isogrid": shared / UNIT, "alone": alone / UNIT}
