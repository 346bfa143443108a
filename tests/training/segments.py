"""Train segments of the tests' own sweeps in this process."""

from pathlib import Path

import torch

from conf.schema import ResourceConfig
from sweeps.composing.compose import compose_request
from sweeps.runs.expansion import Expansion, Segment, expand
from sweeps.runs.sources import SourceFiles
from sweeps.work.items import TrainItem
from tests.commands import OWN_CONF
from training.checkpoints.done import DoneMarker, read_done
from training.distributed import World
from training.loop import train_segment
from training.orders import TrainOrder


def expansion_of(*arguments: str) -> Expansion:
    """Return the expansion of a sweep in tests/conf."""
    request = compose_request([OWN_CONF, *arguments])
    return expand(request.sweep, request.cells, request.configs)


def order_for(
    segment: Segment,
    folder: Path,
    data: Path,
    *,
    resources: ResourceConfig | None = None,
    save_every_s: float = 1e9,
    attempt: int = 1,
) -> TrainOrder:
    """Return the order to train `segment` below `folder` on the shards in `data`."""
    own = folder / segment.key
    own.mkdir(parents=True, exist_ok=True)
    return TrainOrder(
        item=TrainItem(
            segment=segment,
            sources=(SourceFiles(name="tiny", shards=f"{data}/tiny/{{00000..00002}}.tar"),),
            resources=resources or ResourceConfig(),
            save_every_s=save_every_s,
        ),
        folder=own,
        parent_folder=folder / segment.parent if segment.parent else None,
        index_folder=data,
        attempt=attempt,
        stop_file=own / f"stop-{attempt}",
        verdict_file=own / f"verdict-{attempt}",
    )


def train(order: TrainOrder) -> DoneMarker:
    """Train in this process, with one thread; return the marker."""
    torch.set_num_threads(1)
    assert train_segment(order, World())
    marker = read_done(order.folder)
    assert marker is not None
    return marker
