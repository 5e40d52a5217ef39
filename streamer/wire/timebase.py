"""Convert device seconds to UTC and back. The shell feeds it with arrival times; the core never reads it.

A recording has one fixed offset: ``start_utc`` of its sidecar is the instant of its first sample. The offset of a live
source follows the arrivals of its samples (``model.clocks``).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from streamer.model.clocks import NS_PER_S, LiveTime
from streamer.wire.topics import EPOCH

__all__ = ["NS_PER_S", "LiveTime", "RecordedTime", "device_s"]


class RecordedTime:
    """The clock of a recording: one fixed offset between device clock and UTC.

    Args:
        start_utc: Aware instant of the first sample; None if the recording does not state it.
        start_local: The same by the device's own clock, whose zone is unknown.

    Examples:
        >>> from datetime import UTC
        >>> clock = RecordedTime(datetime(2024, 3, 1, 8, tzinfo=UTC))
        >>> clock.arrived(start_s=100.0, end_s=101.0, arrival_ns=0)
        >>> (clock.utc_ns(160.0) - clock.utc_ns(100.0)) / NS_PER_S
        60.0
    """

    def __init__(self, start_utc: datetime | None, start_local: datetime | None = None) -> None:
        self._start_local = start_local
        self._start_ns = None if start_utc is None else (start_utc - EPOCH) // timedelta(microseconds=1) * 1000
        self._first_s: float | None = None

    def arrived(self, start_s: float, end_s: float, arrival_ns: int) -> None:  # noqa: ARG002 (as LiveTime's)
        """Report that samples from ``start_s`` to ``end_s`` arrived. The first report fixes the offset."""
        if self._first_s is None:
            self._first_s = start_s

    def utc_ns(self, device_s: float) -> int | None:
        """UTC of a device instant, ns; None while unknown."""
        if self._start_ns is None or self._first_s is None:
            return None
        return self._start_ns + round((device_s - self._first_s) * NS_PER_S)

    def local(self, device_s: float) -> str | None:
        """A device instant by the device's own clock, ISO 8601 without a zone, or None while unknown."""
        if self._start_local is None or self._first_s is None:
            return None
        try:
            return (self._start_local + timedelta(seconds=device_s - self._first_s)).isoformat(timespec="milliseconds")
        except OverflowError:
            return None

    drift_s: float | None = None
    drift_ppm: float | None = None
    """Always None: a recording has no second clock to compare with."""

    @property
    def offset_s(self) -> float | None:
        """UTC minus device clock, s; None while unknown."""
        at_zero = self.utc_ns(0.0)
        return None if at_zero is None else at_zero / NS_PER_S


def device_s(clock: RecordedTime | LiveTime, utc_ns: int) -> float | None:
    """Device instant of a UTC time in ns, s; None while the offset is unknown."""
    offset_s = clock.offset_s
    return None if offset_s is None else utc_ns / NS_PER_S - offset_s
