"""Measured throughput: published figures (`conf/rates.yaml`), and what a root's own trainings showed.

One architecture's rate varies up to 3.7 times with batch, nodes and data, so a rate is asked for by
all of them. Own measurements of exactly that layout count before published ones; else the nearest
rate of the same model on the same GPU does. The range is that of the rates which were chosen from.
What a rate means for the cost of a run is left to `sweeps.costs.cost`.
"""

import functools
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sweeps.folders import CONF


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What was trained and on what; a rank is a GPU, or where `gpu` is None a CPU process.

    `num_nodes`, `samples_seen`: None where the source does not tell.
    """

    model: str
    data: str
    gpu: str | None
    batch_per_rank: int
    num_ranks: int
    num_nodes: int | None = None
    samples_seen: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """One measurement: samples per second of all ranks together."""

    of: Setting
    samples_per_s: float

    @property
    def per_rank(self) -> float:
        """Samples per second of one rank."""
        return self.samples_per_s / self.of.num_ranks


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Samples per second of one rank: what is likely, and the range of what was measured."""

    likely: float
    slowest: float
    fastest: float


class Rates:
    """Answers how fast a setting trains; each setting is looked up once."""

    def __init__(self, published: Iterable[Rate], own: Iterable[Rate] = ()) -> None:
        """Take in measurements.

        Args:
            published: by others, or by us on other machines.
            own: of the root's finished segments; of equal settings the median counts.
        """
        self._own = _grouped(own)
        medians = (_median(setting, speeds) for setting, speeds in self._own.items())
        self._all: dict[tuple[str, str | None], list[Rate]] = {}
        for rate in (*medians, *published):
            self._all.setdefault((rate.of.model, rate.of.gpu), []).append(rate)
        self._known: dict[Setting, Speed | None] = {}

    def speed(self, setting: Setting) -> Speed | None:
        """Return the speed of one rank, or None where the model was never measured on that GPU."""
        if setting not in self._known:
            self._known[setting] = self._look_up(setting)
        return self._known[setting]

    def _look_up(self, setting: Setting) -> Speed | None:
        own = {of: speeds for of, speeds in self._own.items() if _is_same_layout(of, setting)}
        if own:
            every = [speed for speeds in own.values() for speed in speeds]
            likely = own.get(replace(setting, samples_seen=None), every)
            return Speed(likely=statistics.median(likely), slowest=min(every), fastest=max(every))
        rates = self._all.get((setting.model, setting.gpu))
        if not rates:
            return None
        nearest = min(rates, key=lambda rate: _distance(rate.of, setting))
        speeds = [rate.per_rank for rate in rates]
        return Speed(likely=nearest.per_rank, slowest=min(speeds), fastest=max(speeds))


@functools.cache
def published_rates(path: Path = CONF / "rates.yaml") -> tuple[Rate, ...]:
    """Return the published measurements."""
    return msgspec.yaml.decode(path.read_bytes(), type=tuple[Rate, ...])


def _grouped(rates: Iterable[Rate]) -> dict[Setting, list[float]]:
    """Return the speeds of one rank by setting, however many samples were trained."""
    groups: dict[Setting, list[float]] = {}
    for rate in rates:
        groups.setdefault(replace(rate.of, samples_seen=None), []).append(rate.per_rank)
    return groups


def _median(setting: Setting, speeds: list[float]) -> Rate:
    return Rate(of=setting, samples_per_s=statistics.median(speeds) * setting.num_ranks)


def _is_same_layout(one: Setting, other: Setting) -> bool:
    return replace(one, data=other.data, samples_seen=other.samples_seen) == other


def _distance(one: Setting, other: Setting) -> float:
    """Return how unlike two settings are: other data counts as an e-fold change of any quantity."""
    return (
        (one.data != other.data)
        + _apart(one.batch_per_rank, other.batch_per_rank)
        + _apart(one.num_ranks, other.num_ranks)
        + _apart(one.num_nodes, other.num_nodes)
        + _apart(one.samples_seen, other.samples_seen)
    )


def _apart(one: int | None, other: int | None) -> float:
    return abs(math.log(one / other)) if one and other else 0.0
