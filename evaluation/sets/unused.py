"""Files of decoded test sets: what they take, when they were last used, and deleting some. No torch.

Who opens such a file touches it, so the time of its last change tells when it was last used; a file in
the making is touched all the time. A process that has mapped a file keeps it when it is deleted.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DAY_S = 86_400


def unused_for(folder: Path, days: float) -> dict[Path, os.stat_result]:
    """Return the files in a folder that nobody used for so many days, and how they look."""
    seen: dict[Path, os.stat_result] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # it was a part, and is complete by now
            seen[path] = path.stat()
    latest = time.time() - days * DAY_S
    return {path: one for path, one in seen.items() if one.st_mtime <= latest}


def described(files: Mapping[Path, os.stat_result]) -> "pd.DataFrame":
    """Return a row for each file: `file`, `size_mib` and `last_used`, a time in UTC."""
    import pandas as pd

    times = [datetime.fromtimestamp(one.st_mtime, UTC) for one in files.values()]
    return pd.DataFrame(
        {
            "file": [str(path) for path in files],
            "size_mib": [round(one.st_size / 2**20, 3) for one in files.values()],
            "last_used": [one.isoformat(" ", "seconds") for one in times],
        }
    )


def delete(files: Iterable[Path]) -> None:
    """Delete files."""
    for path in files:
        path.unlink(missing_ok=True)
