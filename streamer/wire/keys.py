"""The metric table as the wire needs it, imported on first use, since compiled metrics are slow to load."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Protocol, cast


class MetricInfo(Protocol):
    """What ``streamer.core.metrics.METRICS`` states of a key."""

    @property
    def unit(self) -> str:
        """For a reader, such as ``mL/cmH2O``."""
        ...

    @property
    def ucum(self) -> str | None:
        """Code of the unit in UCUM, where it has one."""
        ...

    @property
    def mdc(self) -> int | str | None:
        """Code of the quantity in IEEE 11073, where it has one."""
        ...

    @property
    def about(self) -> str:
        """The definition in one line."""
        ...

    @property
    def weighted_by(self) -> str | None:
        """The key that weights its mean in summaries; None: summaries give the median."""
        ...

    @property
    def held(self) -> bool:
        """Whether summaries keep its last value beyond the window."""
        ...


@cache
def key_table() -> Mapping[str, MetricInfo]:
    """Metric key → unit, codes and one line, in the order in which they are shown."""
    from streamer.core.metrics import METRICS  # noqa: PLC0415 (a client that only decodes should not load the compiler)

    return cast("Mapping[str, MetricInfo]", METRICS)
