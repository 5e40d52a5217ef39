"""A metric declared for a test."""

from __future__ import annotations

from streamer.core.metrics.registry import Metric


def declare(key: str, *needs: str, **rest: object) -> Metric:
    fields = {"unit": "1", "ucum": "1", "about": key, "bounds": (0.0, 1.0), "formula": lambda *_: 0.0}
    return Metric(key=key, needs=needs, **fields | rest)  # type: ignore[arg-type]
