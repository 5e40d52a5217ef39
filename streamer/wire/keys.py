"""The metric table as the wire needs it. Imported on first use, since compiled metrics are slow to load."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Protocol, cast


class MetricInfo(Protocol):
    """What ``streamer.core.metrics.METRICS`` says of a key."""

    @property
    def unit(self) -> str: ...  # noqa: D102 (the names say it)
    @property
    def ucum(self) -> str | None: ...  # noqa: D102
    @property
    def mdc(self) -> int | str | None: ...  # noqa: D102
    @property
    def about(self) -> str: ...  # noqa: D102
    @property
    def weighted_by(self) -> str | None: ...  # noqa: D102
    @property
    def held(self) -> bool: ...  # noqa: D102


@cache
def key_table() -> Mapping[str, MetricInfo]:
    """Metric key → unit, codes and one line, in the order in which they are shown."""
    from streamer.core.metrics import METRICS  # noqa: PLC0415 (a client that only decodes should not load the compiler)

    return cast("Mapping[str, MetricInfo]", METRICS)
