"""Limits that are promised, and whether a figure meets its own."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A figure that may be no more than its limit."""

    name: str
    value: float
    limit: float

    def shown(self) -> dict[str, Any]:
        """Return it as plain data, with whether it is met."""
        return {**asdict(self), "met": self.value <= self.limit}


def at_least(name: str, value: float, least: float) -> dict[str, Any]:
    """Return a figure that may be no less than its limit, with whether it is met."""
    return {"name": name, "value": value, "at_least": least, "met": value >= least}
