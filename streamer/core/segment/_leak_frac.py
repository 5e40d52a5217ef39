"""The share of inspired gas that does not come back, over the newest breaths."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection

NEWEST = 3
JUMP, AGREE = 0.1, 3.0
"""The share has changed where it is, in so many breaths, so far off that of all, and so many times their own range."""


class LeakFraction:
    """``1 - sum(expired)/sum(inspired)``; three breaths after it is closed an open circuit is forgotten."""

    def __init__(self, breaths: int, least: int) -> None:
        self._volumes: deque[tuple[float, float]] = deque(maxlen=breaths)
        self._least = least

    def add(self, inspired: float, expired: float) -> None:
        """Volumes of a complete breath, L."""
        self._volumes.append((inspired, expired))
        newest = list(self._volumes)[-NEWEST:]
        if len(self._volumes) <= NEWEST or min(into for into, _ in newest) <= 0.0:
            return
        each = [1.0 - out / into for into, out in newest]
        apart = abs(_share(newest) - _share(self._volumes))
        if apart > JUMP and apart > AGREE * (max(each) - min(each)):
            self._volumes.clear()
            self._volumes.extend(newest)

    @property
    def value(self) -> float:
        """NaN while fewer than ``least`` breaths are known, or none took gas in."""
        return _share(self._volumes) if len(self._volumes) >= self._least else math.nan


def _share(volumes: Collection[tuple[float, float]]) -> float:
    inspired = sum([into for into, _ in volumes])
    return 1.0 - sum([out for _, out in volumes]) / inspired if inspired > 0.0 else math.nan
