"""A continuous signal into breaths. Between ``align`` and ``metrics``; the compiled scan is in ``_state_machine.py``.

A breath ends at the confirmed onset of the next one, back-dated to where flow began to rise. What a run of samples
begins and ends with is labelled, since nobody knows what came before or would have come after:

```
first breath of a run     truncated (start of the session) or after_gap
open when a gap ends it   gap, truncated
open at close()           truncated
open for 15 s             apnoea; ends there, and no breath is open until the next onset
ended without expiration  stacked
```
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.core.segment._ends import levels_of
from streamer.core.segment._leak_frac import LeakFraction
from streamer.core.segment._learned import Leak
from streamer.core.segment._settings import Internal, SegmentSettings, internal_values, limit_values, segment_settings
from streamer.core.segment._state import APNOEA, MORE, Closed, Limits, State, Sums
from streamer.core.segment._survey import MEMORY, ROWS
from streamer.core.segment.capnogram_only import CapnogramSegmenter
from streamer.model.breath import Breath
from streamer.model.chunk import Block, FloatArray, Mark
from streamer.model.flags import Flag
from streamer.model.units import S_PER_MIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CapnogramSegmenter", "SegmentSettings", "Segmenter", "segment_settings"]

BEGINNING = {"open": -1, "first": -1, "candidate": -1, "exp_start": -1, "stack": -1, "x": math.inf}
STANDBY_S, LOOKED_AT_S, BEFORE_S = 2.0, 10.0, 0.5
"""A quiet stretch that shows the zero of flow; where it is looked for; it ends so long before the next onset."""
DOUBT = 3.0
"""Standard errors of its mean."""
SPARE_S = 15.0
"""Signal the buffers hold beyond the longest breath: how rarely they are moved up."""


class Segmenter:
    """Blocks in, breaths out; one per bed. Memory is bounded by the apnoea limit."""

    def __init__(self, settings: SegmentSettings | None = None) -> None:
        from streamer.core.segment import (  # noqa: PLC0415 (loads the compiler)
            _breath_sums,
            _levels,
            _state_machine,
            _survey,
        )

        self._scan: Any = _state_machine
        self._adapt: Any = _survey.adapt
        self._tally: Any = _breath_sums.tally
        self._levels: Any = _levels.levels
        self._standby: Any = _levels.standby
        self._settings = settings or SegmentSettings()
        self._number = 0
        self._run = -1
        self._is_first_run = True
        self._closed_s = -math.inf
        self._learned = self._nothing_learned()

    @property
    def watermark_s(self) -> float:
        """Every breath still to come ends after this instant of the device's clock; -inf before the first sample."""
        if self._run < 0:
            return self._closed_s
        index = self._scan.watermark(self._state, self._limits)
        self._closed_s = max(self._closed_s, self._origin_s + index / self._rate_hz)
        return self._closed_s

    def push(self, block: Block) -> list[Breath]:
        """Breaths whose successor is confirmed by the samples of ``block``."""
        breaths: list[Breath] = []
        if block.run != self._run:
            breaths += self._end_run({Flag.GAP, Flag.TRUNCATED})
            self._begin_run(block)
        first, size = 0, block.flow.size
        while first < size:
            taken = min(size - first, self._capacity - self._filled)
            self._store(block, first, taken)
            first += taken
            breaths += self._advance()
            if self._filled == self._capacity:
                self._move_up()
        return breaths

    def close(self) -> list[Breath]:
        """The breath still open, labelled ``truncated``."""
        return self._end_run({Flag.TRUNCATED})

    def _begin_run(self, block: Block) -> None:
        """Forget everything but the sensor's zero: a new origin, an unknown phase, no leak known."""
        self._run = block.run
        self._origin_s, self._rate_hz = block.origin_s, block.rate_hz
        longest_s = 2.0 * self._settings.apnoea_s + SPARE_S
        self._capacity = math.ceil(longest_s * block.rate_hz)
        self._samples: FloatArray = np.empty((2, self._capacity))
        self._marks: NDArray[np.uint8] = np.zeros(self._capacity, dtype=np.uint8)
        self._rows: tuple[FloatArray, ...] = tuple(self._samples)
        self._base, self._filled = block.first, 0
        self._begin_state(block.first)
        self._first_flag: Flag | None = Flag.TRUNCATED if self._is_first_run else Flag.AFTER_GAP
        self._is_first_run = False
        settings, before = self._settings, self._learned
        self._learned = self._nothing_learned()
        self._learned.stood_by(before.zero, before.zero_doubt)
        self._volumes: deque[float] = deque(maxlen=settings.leak_breaths)
        self._leak_frac = LeakFraction(settings.leak_frac_breaths, settings.min_leak_frac_breaths)

    def _nothing_learned(self) -> Leak:
        settings = self._settings
        return Leak(settings.leak_breaths, settings.settled_breaths, settings.max_leak_l_min / S_PER_MIN)

    def _begin_state(self, first: int) -> None:
        """Records of the scan; ``_open`` and others are views of fields that are read or written here."""
        self._state = _filled(self._scan, State, BEGINNING | {"next": first, "survey_at": first})
        self._limits = _filled(self._scan, Limits, limit_values(self._settings, self._rate_hz))
        self._internal = _filled(self._scan, Internal, internal_values(self._settings))
        self._state["survey_at"] += self._limits["survey_n"]
        self._memory: FloatArray = np.zeros((ROWS, MEMORY))
        self._scratch: FloatArray = np.zeros(int(self._limits["survey_n"][0]))
        self._adapt(self._limits, self._internal)
        self._open = self._state["open"]

    def _store(self, block: Block, first: int, taken: int) -> None:
        here, there = slice(self._filled, self._filled + taken), slice(first, first + taken)
        flow, paw = self._rows
        flow[here] = block.flow[there]
        paw[here] = math.nan if block.paw is None else block.paw[there]
        self._marks[here] = block.mark
        self._filled += taken

    def _advance(self) -> list[Breath]:
        """Scan what is stored but not yet looked at; one turn per confirmed event."""
        scan, state, limits, (flow, paw) = self._scan, self._state, self._limits, self._rows
        given = state, limits, self._internal, self._memory, self._scratch, flow, paw
        breaths: list[Breath] = []
        while (event := scan.scan(*given, self._base, self._base + self._filled)) != MORE:
            closed = Closed(*scan.turn_page(state, event))
            if closed.first < 0:
                self._stand_by()
                continue
            leak, zero = self._learned.conductance, self._learned.zero
            breaths.append(self._breath(closed, {Flag.APNOEA} if event == APNOEA else set()))
            if (self._learned.conductance, self._learned.zero) != (leak, zero):
                scan.reconsider(state, limits, flow, paw, self._base, leak, zero)
        return breaths

    def _stand_by(self) -> None:
        """A breath begins, and none was open: what flow was before."""
        rate_hz, limits = self._rate_hz, self._limits
        last = int(self._open[0]) - self._base - round(BEFORE_S * rate_hz)
        first, width = max(last - round(LOOKED_AT_S * rate_hz), 0), round(STANDBY_S * rate_hz)
        if last - first < width or self._marks[first:last].any():
            return
        flow, paw = (samples[first:last] for samples in self._rows)
        noise = float(limits["noise"][0])
        level = self._standby(flow, paw, width, noise, float(limits["scale"][0]))
        self._learned.stood_by(level, DOUBT * noise / math.sqrt(width))

    def _move_up(self) -> None:
        """Make room: drop samples that no breath can need any more."""
        oldest = int(self._open[0])
        if oldest < 0:
            oldest = self._scan.watermark(self._state, self._limits)
        oldest = min(oldest, int(self._state["survey_at"][0] - self._limits["survey_n"][0]))
        shift = min(max(oldest - self._base, 0), self._filled)
        kept = self._filled - shift
        self._samples[:, :kept] = self._samples[:, shift : self._filled].copy()
        self._marks[:kept] = self._marks[shift : self._filled].copy()
        self._base += shift
        self._filled = kept

    def _end_run(self, flags: set[Flag]) -> list[Breath]:
        """Close the open breath at the last sample there is."""
        if self._run < 0 or self._open[0] < 0:
            return []
        self._state["end"] = self._state["end_at"] = self._base + self._filled - 1
        breath = self._breath(Closed(*self._scan.turn_page(self._state, APNOEA)), flags)
        self._closed_s = max(self._closed_s, breath.end_s)
        return [breath]

    def _breath(self, closed: Closed, flags: set[Flag]) -> Breath:
        """Cut a breath out of the buffers and let it teach the segmenter its leak and its size."""
        rate_hz, origin_s = self._rate_hz, self._origin_s
        expired = closed.exp_first > closed.first
        insp_end = (min(closed.exp_first, closed.last) if expired else closed.last) - closed.first
        here = slice(closed.first - self._base, closed.last + 1 - self._base)
        flow, paw = (_locked(samples[here]) for samples in self._rows)
        sums = Sums(*self._tally(flow, paw, self._marks[here], insp_end, 1.0 / rate_hz))
        flags |= self._flags(closed, sums)
        leak, noise = self._learned, float(self._limits["noise"][0])
        corrections = leak.conductance, leak.zero, leak.zero_doubt
        self._learn(sums, flags, flow, paw, insp_end)
        self._number += 1
        return Breath(
            number=self._number - 1,
            start_s=origin_s + closed.first_at / rate_hz,
            end_s=origin_s + closed.last_at / rate_hz,
            rate_hz=rate_hz,
            onset_s=origin_s + closed.first / rate_hz,
            paw=paw,
            flow=flow,
            pco2=None,
            insp_end=insp_end,
            insp_end_s=origin_s + (closed.exp_first_at if expired else closed.last_at) / rate_hz,
            leak_conductance=corrections[0],
            leak_frac=self._leak_frac.value,
            interpolated=sums.filled,
            flags=frozenset(flags),
            draw_s=(closed.first_at - closed.drawn_at) / rate_hz,
            flow_zero=corrections[1],
            flow_zero_doubt=corrections[2],
            flow_noise=noise,
            doubt_s=closed.doubt / rate_hz,
        )

    def _flags(self, closed: Closed, sums: Sums) -> set[Flag]:
        flags = {Flag.STACKED} if closed.is_stacked else set()
        if self._first_flag is not None:
            flags.add(self._first_flag)
            self._first_flag = None
        if sums.worst_mark == Mark.GAP or sums.is_paw_patchy:
            flags.add(Flag.GAP)
        elif sums.worst_mark == Mark.GAP_SHORT:
            flags.add(Flag.GAP_SHORT)
        return flags

    def _learn(self, sums: Sums, flags: set[Flag], flow: FloatArray, paw: FloatArray, insp_end: int) -> None:
        """Adapt leak, zero and usual sizes to complete breaths (docs/algorithms.md §2.1, §2.3)."""
        limits, duration_s = self._limits, (flow.size - 1) / self._rate_hz
        if not flags - {Flag.STACKED, Flag.GAP_SHORT, Flag.TRUNCATED, Flag.AFTER_GAP}:
            self._volumes.append(sums.vti)
            ordered = sorted(self._volumes)
            limits["usual_volume"] = ordered[(len(ordered) - 1) // 2]
            limits["large_volume"] = ordered[3 * (len(ordered) - 1) // 4]
        if Flag.APNOEA in flags and not flags - {Flag.APNOEA, Flag.TRUNCATED, Flag.AFTER_GAP} and sums.net > 0.0:
            self._learned.restart(sums, duration_s)
        elif not flags - {Flag.STACKED, Flag.GAP_SHORT}:
            self._leak_frac.add(sums.vti, sums.vte)
            noise, scale = float(limits["noise"][0]), float(limits["scale"][0])
            levels = levels_of(self._levels(flow, paw, insp_end, self._rate_hz, noise, scale))
            if sums.root > 0.0:
                self._learned.add(sums, levels, duration_s, scale)
        else:
            return
        limits["leak"], limits["zero"] = self._learned.conductance, self._learned.zero
        self._adapt(limits, self._internal)


def _filled(scan: Any, kind: np.dtype[np.void], values: dict[str, float]) -> Any:
    """An array of one record with these values, the rest 0."""
    record = scan.one_record(kind)
    for name, value in values.items():
        record[name] = value
    return record


def _locked(samples: FloatArray) -> FloatArray:
    copy = samples.copy()
    copy.flags.writeable = False
    return copy
