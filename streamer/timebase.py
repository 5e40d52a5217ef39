"""Device seconds ↔ UTC. Floor 3, pure: fed with arrival times by the shell, never read by the core.

A recording has one fixed offset, from the ``start_utc`` of its sidecar, which is the instant of its first sample. A
live source's offset is the smallest recent (arrival - device) difference: the least delayed delivery is the truest
(the clock filter of NTP, RFC 5905 §10, keeps the sample of least delay for the same reason). It steps when the
device's clock is set back.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from streamer.wire.topics import EPOCH

NS_PER_S = 1_000_000_000


class RecordedTime:
    """The clock of a recording.

    Args:
        start_utc: Aware instant of the first sample, or None when the recording does not say.
    """

    def __init__(self, start_utc: datetime | None) -> None:
        self._start_ns = None if start_utc is None else (start_utc - EPOCH) // timedelta(microseconds=1) * 1000
        self._first_s: float | None = None

    def arrived(self, start_s: float, end_s: float, arrival_ns: int) -> None:  # noqa: ARG002 (as LiveTime's)
        """Samples of ``start_s`` to ``end_s`` came; the first ever fixes the offset."""
        if self._first_s is None:
            self._first_s = start_s

    def utc_ns(self, device_s: float) -> int | None:
        """UTC of a device instant, or None while unknown."""
        if self._start_ns is None or self._first_s is None:
            return None
        return self._start_ns + round((device_s - self._first_s) * NS_PER_S)

    @property
    def offset_s(self) -> float | None:
        """UTC minus device clock."""
        at_zero = self.utc_ns(0.0)
        return None if at_zero is None else at_zero / NS_PER_S


class LiveTime:
    """The clock of a live source.

    Args:
        window_s: How long a lucky fast delivery counts; the device's clock may drift by no more than a few
            milliseconds meanwhile.
        back_s: A device clock that goes back by more than this was set anew.
    """

    def __init__(self, *, window_s: float = 60.0, back_s: float = 1.0) -> None:
        self._window_ns = round(window_s * NS_PER_S)
        self._back_s = back_s
        self._smallest: deque[tuple[int, int]] = deque()
        self._end_s: float | None = None

    def arrived(self, start_s: float, end_s: float, arrival_ns: int) -> None:
        """Samples of ``start_s`` to ``end_s`` (device) came at ``arrival_ns`` (UTC)."""
        if self._end_s is not None and start_s < self._end_s - self._back_s:
            self._smallest.clear()
        self._end_s = end_s
        offset = arrival_ns - round(end_s * NS_PER_S)
        # Sliding minimum: what is older and larger than the newcomer can never be the smallest again.
        while self._smallest and self._smallest[-1][1] >= offset:
            self._smallest.pop()
        self._smallest.append((arrival_ns, offset))
        while self._smallest[0][0] < arrival_ns - self._window_ns:
            self._smallest.popleft()

    def utc_ns(self, device_s: float) -> int | None:
        """UTC of a device instant, or None while unknown."""
        return self._smallest[0][1] + round(device_s * NS_PER_S) if self._smallest else None

    @property
    def offset_s(self) -> float | None:
        """UTC minus device clock."""
        return self._smallest[0][1] / NS_PER_S if self._smallest else None


def device_s(clock: RecordedTime | LiveTime, utc_ns: int) -> float | None:
    """Device instant of a UTC time, or None while the offset is unknown."""
    offset_s = clock.offset_s
    return None if offset_s is None else utc_ns / NS_PER_S - offset_s
