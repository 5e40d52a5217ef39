"""Device clocks against arrival, and against each other. Arrival times come with the samples.

The offset of a live clock is the smallest recent (arrival - device) difference: the least delayed delivery is the
truest (the clock filter of NTP, RFC 5905 §10, keeps the sample of least delay for the same reason). It steps when the
device's clock is set back.

``OneClock`` brings the streams of one bed onto the clock of its first source. What it gives depends on nothing but the
chunks and the order in which they came, so a recording of them comes to the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from streamer.model.chunk import Chunk
from streamer.model.records import Notice, NoticeKind

NS_PER_S = 1_000_000_000
SETTLE_S = 2.0
"""Arrivals of so long tell an offset well enough; until then a further source waits."""
STEP_S = 0.5
"""An offset so far from the one in use replaces it. Smaller differences belong to the timing of CO2 (``align``), which
follows them without a break."""
MAX_HELD_S = 30.0
"""A further source is kept for so long while the first one has not been heard at all."""


class LiveTime:
    """The clock of a live source, against arrivals.

    Args:
        window_s: How long a lucky fast delivery counts; the device's clock may drift by no more than a few
            milliseconds meanwhile.
        back_s: A device clock that goes back by more than this was set anew.
    """

    def __init__(self, *, window_s: float = 60.0, back_s: float = 1.0) -> None:
        self._window_ns = round(window_s * NS_PER_S)
        self._back_s = back_s
        self._smallest: deque[tuple[int, int]] = deque()
        self._reference: tuple[int, int] | None = None
        self._end_s: float | None = None

    def arrived(self, start_s: float, end_s: float, arrival_ns: int) -> None:
        """Samples of ``start_s`` to ``end_s`` (device) came at ``arrival_ns`` (UTC)."""
        if self._end_s is not None and start_s < self._end_s - self._back_s:
            self._smallest.clear()
            self._reference = None
        self._end_s = end_s
        offset = arrival_ns - round(end_s * NS_PER_S)
        if self._smallest and offset < self._smallest[0][1] - self._back_s * NS_PER_S:
            self._reference = None  # set ahead: no drift
        # Sliding minimum: what is older and larger than the newcomer can never be the smallest again.
        while self._smallest and self._smallest[-1][1] >= offset:
            self._smallest.pop()
        self._smallest.append((arrival_ns, offset))
        while self._smallest[0][0] < arrival_ns - self._window_ns:
            self._smallest.popleft()
        first_ns, least = self._reference or (arrival_ns, offset)
        if arrival_ns - first_ns <= self._window_ns:
            self._reference = first_ns, min(least, offset)

    def utc_ns(self, device_s: float) -> int | None:
        """UTC of a device instant, or None while unknown."""
        return self._smallest[0][1] + round(device_s * NS_PER_S) if self._smallest else None

    @property
    def offset_s(self) -> float | None:
        """UTC minus device clock."""
        return self._smallest[0][1] / NS_PER_S if self._smallest else None

    @property
    def drift_s(self) -> float | None:
        """What the device's clock has gained on arrival since its first window; None until a second one has passed."""
        if self._reference is None or self._smallest[-1][0] - self._reference[0] <= 2 * self._window_ns:
            return None
        return (self._reference[1] - self._smallest[0][1]) / NS_PER_S

    @property
    def drift_ppm(self) -> float | None:
        """The same as a rate: how much faster the device's clock runs, in millionths."""
        if self.drift_s is None or self._reference is None:
            return None
        return 1e6 * self.drift_s * NS_PER_S / (self._smallest[-1][0] - self._reference[0] - self._window_ns)


@dataclass
class _Lane:
    """A further source.

    Attributes:
        time: Its clock against arrival.
        offset_s: Added to its device time; None while it is not known.
        is_declared: Somebody said so: never estimated.
        held: Chunks that wait for it.
        first_ns: Its first arrival since its clock began.
        end_s: Where its clock was last.
    """

    time: LiveTime = field(default_factory=LiveTime)
    offset_s: float | None = None
    is_declared: bool = False
    held: list[Chunk] = field(default_factory=list)
    first_ns: int | None = None
    end_s: float = 0.0


class OneClock:
    """Chunks of several sources in, in the order they came; the same on one clock out.

    Args:
        offsets_s: Source → seconds to add to its device time, where somebody knows; the first source's is 0.
        first: Whose clock it is; None: of whoever comes first.
    """

    def __init__(self, offsets_s: Mapping[str, float] | None = None, *, first: str | None = None) -> None:
        self._first = first
        self._time = LiveTime()
        self._first_ns: int | None = None
        self._lanes = {name: _Lane(offset_s=offset, is_declared=True) for name, offset in (offsets_s or {}).items()}

    def push(self, item: Chunk | Notice) -> list[Chunk | Notice]:
        """What can be given on. A source without arrival times is taken to run on the first one's clock."""
        if isinstance(item, Notice) or len(item) == 0:
            return [item]
        self._first = self._first or item.source
        end_s = item.start_s + len(item) / item.rate_hz
        if item.source == self._first:
            if item.received_ns is not None:
                self._time.arrived(item.start_s, end_s, item.received_ns)
                self._first_ns = self._first_ns or item.received_ns
            return [*self._released(item.received_ns), item]
        lane = self._lanes.setdefault(item.source, _Lane())
        if item.received_ns is None or lane.is_declared:
            return [_moved(item, lane.offset_s or 0.0)]
        if lane.first_ns is None or item.start_s < lane.end_s - STEP_S:
            lane.first_ns, lane.offset_s = item.received_ns, None
        lane.end_s = end_s
        lane.time.arrived(item.start_s, end_s, item.received_ns)
        lane.held.append(item)
        return self._settled(item.source, lane, item.received_ns)

    def close(self) -> list[Chunk | Notice]:
        """What still waits, placed as well as is known."""
        if self._first_ns is None:
            return []
        return [given for name, lane in self._lanes.items() for given in self._give(name, lane)]

    def _released(self, now_ns: int | None) -> list[Chunk | Notice]:
        """What waited for the first source to be known."""
        if now_ns is None:
            return []
        waiting = [(name, lane) for name, lane in self._lanes.items() if lane.held]
        return [given for name, lane in waiting for given in self._settled(name, lane, now_ns)]

    def _settled(self, name: str, lane: _Lane, now_ns: int) -> list[Chunk | Notice]:
        """Give what waits, once both clocks have been heard for long enough."""
        if self._first_ns is None:
            while (now_ns - (lane.held[0].received_ns or now_ns)) / NS_PER_S > MAX_HELD_S:
                lane.held.pop(0)
            return []
        if lane.offset_s is None and now_ns - max(self._first_ns, lane.first_ns or 0) < SETTLE_S * NS_PER_S:
            return []
        return self._give(name, lane)

    def _give(self, name: str, lane: _Lane) -> list[Chunk | Notice]:
        held, lane.held = lane.held, []
        if not held:
            return []
        given: list[Chunk | Notice] = []
        theirs, ours = lane.time.offset_s, self._time.offset_s
        if theirs is not None and ours is not None:
            found_s = theirs - ours
            if lane.offset_s is None or abs(found_s - lane.offset_s) > STEP_S:
                lane.offset_s = found_s
                detail = f"the clock of {name!r} is {-found_s:+.3f} s from the bed's, by arrival; its samples are moved"
                at_s = held[0].start_s + found_s
                values: dict[str, float | str] = {"clock_offset_s": found_s}
                given.append(Notice(bed="", at_s=at_s, kind=NoticeKind.CLOCK_OFFSET, detail=detail, values=values))
        return [*given, *(_moved(chunk, lane.offset_s or 0.0) for chunk in held)]


def _moved(chunk: Chunk, offset_s: float) -> Chunk:
    return replace(chunk, start_s=chunk.start_s + offset_s) if offset_s else chunk
