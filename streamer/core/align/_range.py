"""How far values of late lie apart."""

from __future__ import annotations

from collections import deque


class Range:
    """Largest less smallest of the values of the last ``over_s`` seconds; a push costs the same however many they are.

    A value is kept for as long as none that came after it is as large, or as small: only those can become the extreme.
    """

    def __init__(self, over_s: float) -> None:
        self._over_s = over_s
        self._falling: deque[tuple[float, float]] = deque()
        self._rising: deque[tuple[float, float]] = deque()

    def add(self, now_s: float, value: float) -> float:
        """Add a value, no older than those before it; the range with it."""
        falling, rising = self._falling, self._rising
        while falling and falling[-1][1] <= value:
            falling.pop()
        while rising and rising[-1][1] >= value:
            rising.pop()
        for kept in (falling, rising):
            kept.append((now_s, value))
            while kept[0][0] < now_s - self._over_s:
                kept.popleft()
        return falling[0][1] - rising[0][1]
