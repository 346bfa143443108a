"""Where stages of a root have been cut already: states that lie there, or are being trained."""

from sweeps import frozen
from sweeps.folders import Root


def standing_cuts(root: Root) -> dict[str, set[int]]:
    """Return by stage, in samples, the ends of all segments that any launched sweep has begun.

    A sweep that cuts its stages there too starts from what stands, and trains only what is missing.
    """
    standing: dict[str, set[int]] = {}
    for sweep in frozen.launched(root):
        for cut in frozen.load_cuts(root, sweep):
            if root.segment(cut.key).is_dir():
                standing.setdefault(cut.stage, set()).add(cut.end)
    return standing
