"""A metric of Acme's: the share of a breath that inspiration takes."""

from __future__ import annotations

from streamer.core.metrics.registry import metric


@metric(unit="1", about="Inspiratory share of the breath (Acme)", bounds=(0.0, 1.0))
def acme_duty(ti: float, te: float) -> float:
    """Ti / (Ti + Te)."""
    return ti / (ti + te)
