"""Where stages of a root have been cut already: states that lie there, or are being trained."""

from itertools import pairwise

from sweeps import frozen
from sweeps.expansion import SHARED_SHAPE, Expansion, cuts_of
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


def is_cut_as_standing(expansion: Expansion, root: Root) -> bool:
    """Return whether the sweep, expanded now, would be cut where it is cut in `expansion`."""
    if all(s.train.schedule.shape != SHARED_SHAPE for s in expansion.segments.values()):
        return True
    left = _where_runs_leave(expansion)
    own = {(cut.stage, cut.end): cut.key for cut in cuts_of(expansion)}
    last = dict(sorted(own))
    standing = {
        (stage, end)
        for stage, ends in standing_cuts(root).items()
        for end in ends
        if end < last.get(stage, 0) and own.get((stage, end)) not in left
    }
    return standing == {cut for cut, key in own.items() if key not in left}


def _where_runs_leave(expansion: Expansion) -> set[str]:
    """Return the segments at whose end some run leaves their stage: they are cut there in any case."""
    left = {run.run_id for run in expansion.runs}
    for run in expansion.runs:
        for key, following in pairwise(run.segments):
            segment = expansion.segments[following]
            if segment.start == segment.stage_start:
                left.add(key)
    return left
