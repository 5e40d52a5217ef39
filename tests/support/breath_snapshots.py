"""One breath, and the numbers that a history keeps of it."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.analytic_breaths import vcv

ONE = vcv()


class BreathSnapshot(NamedTuple):
    plain: float = 20.0
    error: float = 0.01
    strained: bool = False
