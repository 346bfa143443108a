"""Asks a results table one question: `python -m benchmarks.asked WHAT ROOT`. Prints one JSON object.

`wall_s` is the time of the call alone, `size` that of the answer.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from sweeps.folders import Root

DATASETS = [*(f"set{number:02d}" for number in range(35)), "flickr30k", "mscoco_captions", "winogavil"]
MODELS = [
    f"{family}-{size}" for family in ("ViT", "MaMMUT") for size in ("S-32", "B-32", "B-16", "L-14")
]

WHERE: dict[str, dict[str, Any]] = {
    "all": {},
    "one_dataset": {"downstream_dataset": DATASETS[7]},
    "one_model": {"model": MODELS[3], "downstream_dataset": DATASETS[:5]},
    "large_runs": {"samples_seen": {"min": 6e9}, "eval": "retrieval"},
    "two_columns": {"columns": ["gflops_total", "acc1"], "eval": "zeroshot_classification"},
}
"""What is loaded."""


def question(what: str, root: Path) -> Callable[[], int]:
    """Return what answers a question, with all that it needs imported."""
    from evaluation import results

    match what:
        case "scored_pairs":
            return lambda: len(results.scored_pairs(Root(root)))
        case "compact":
            from evaluation.results import compaction

            import_module("evaluation.results.arrow")
            return lambda: compaction.compact(Root(root).results)
        case "pandas_one_file":
            import pandas as pd

            import_module("pyarrow.parquet")
            return lambda: len(pd.read_parquet(root / "table.parquet"))
        case _:
            import_module("evaluation.results.frames")
            import_module("evaluation.results.select")
            return lambda: len(results.load(root, **WHERE[what]))


def main() -> None:
    """Answer, and say how long it took."""
    ask = question(sys.argv[1], Path(sys.argv[2]))
    began = time.perf_counter()
    size = ask()
    print(json.dumps({"wall_s": round(time.perf_counter() - began, 3), "size": size}))


if __name__ == "__main__":
    main()
