"""Whether a sweep that was frozen is still cut where the stages of its root are."""

from itertools import pairwise

from sweeps.folders import Root
from sweeps.runs.expansion import SHARED_SHAPE, Expansion, cuts_of
from sweeps.runs.frozen import standing_cuts


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
