"""What the breaths and events around a draw of arterial blood say of it (algorithms §6.5, §12).

A blood gas speaks for the breaths around its draw, not for the one that happens to be measured. ``Draw`` follows one
gas through the breaths, before and after it, in their order; it comes to the same whether the gas was known at its
draw or only when the laboratory had answered.

The numbers of the rules are those of algorithms §6.5 and §12; how they are applied is decided here:

- *PCO2 around the draw*: median of the mixed expired PCO2 of the breaths that ended within 5 minutes of it, before and,
  as they come, after it; five at least. Breaths before an event (position, settings) that came before the draw are of
  another state and do not count. One method only: that of the last breath before the draw.
- *Changed since*: breath by breath after the draw, the median minute volume of the last 5 minutes and the median PEEP
  of the last minute against the medians around the draw. A step is seen within 2.5 minutes, also one right after the
  draw, since those are then still of the state before. Once changed a gas stays so: CO2 stores take longer.
- *Not steady*: over the 10 minutes before the draw, a robust line through minute volume and one through mixed expired
  PCO2 (medians of the first and the last third of the breaths, Tukey's resistant line), as a share per 10 minutes. A
  half-way step of 7 % is therefore as much as a steady drift of 10 %. Where both stay, so does CO2 elimination, their
  product. The thirds need five breaths each and centres 3 minutes apart, about 4.5 minutes of breaths in all: over
  less, breaths that differ by some per cent make a slope of 10 % per 10 minutes by chance. Then it is not known.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streamer.core.metrics.running_median import middle
from streamer.model.units import S_PER_MIN

STALE_S = 60.0 * S_PER_MIN
AROUND_S = 5.0 * S_PER_MIN
PEEP_S = S_PER_MIN
STEADY_S = 10.0 * S_PER_MIN
FIO2_STEADY_S = 15.0 * S_PER_MIN
ENOUGH, ENOUGH_PEEP = 5, 3
MAX_CHANGE, MAX_CHANGE_CMH2O = 0.10, 1.0
MAX_DRIFT = 0.10
"""Share per ``STEADY_S``."""
MIN_APART_S = 3.0 * S_PER_MIN


class BreathSnapshot(NamedTuple):
    """A breath as it is remembered: L/min, cmH2O, mmHg; NaN for what it does not have.

    ``method`` and ``grade`` are those of ``pco2_mixed_exp``; ``recent_…`` are medians of the last 5 minutes and of the
    last minute, up to it.
    """

    end_s: float
    minute_volume: float
    peep: float
    pco2_mixed_exp: float
    method: str
    grade: str
    recent_minute_volume: float
    recent_peep: float


class Change(NamedTuple):
    """A position change, or new settings, told by the operator."""

    at_s: float
    is_settings: bool


class BloodGasValidity(NamedTuple):
    """What is known of a draw by now.

    ``pco2_mixed_exp``: mmHg, NaN while fewer than five of ``co2_breaths``; ``method`` and ``grade``: how it was found,
    and the worst quality among them. ``has_changed``: ventilation, PEEP, settings or position since the draw.
    ``has_new_fio2``: settings were changed less than 15 minutes before it, and FiO2 may be among them. ``is_unsteady``:
    ventilation or CO2 was moving before it; None where there is too little before it to tell. ``is_watched``: there are
    breaths enough, around the draw and of late, to notice a change.
    """

    pco2_mixed_exp: float = math.nan
    co2_breaths: int = 0
    method: str = ""
    grade: str = "A"
    has_changed: bool = False
    has_new_fio2: bool = False
    is_unsteady: bool | None = None
    is_watched: bool = False


NOTHING_AROUND = BloodGasValidity()


class Draw:
    """One draw at ``drawn_s``, followed from breath to breath.

    Args:
        drawn_s: When the blood was drawn.
        changes: All changes known, before and after it.
        history: The breaths so far, in order.
    """

    def __init__(self, drawn_s: float, changes: Sequence[Change], history: Iterable[BreathSnapshot]) -> None:
        self._drawn_s = drawn_s
        self._has_changed = any(one.at_s >= drawn_s for one in changes)
        self._has_new_fio2 = any(one.is_settings and 0.0 < drawn_s - one.at_s < FIO2_STEADY_S for one in changes)
        self._co2: list[float] = []
        self._minute_volumes: list[float] = []
        self._peeps: list[float] = []
        self._method, self._grade = "", "A"
        self._last: BreathSnapshot | None = None
        before, after = _parted(drawn_s, history)
        from_s = max((drawn_s - AROUND_S, *(one.at_s for one in changes if one.at_s < drawn_s)))
        near = [one for one in before if one.end_s > from_s]
        self._method = next((one.method for one in reversed(near) if one.method), "")
        for one in near:
            self._add(one)
        self._is_unsteady = _is_unsteady(before, self._method)
        for one in after:
            self.follow(one)

    def follow(self, seen: BreathSnapshot) -> None:
        """The next breath."""
        if seen.end_s <= self._drawn_s + AROUND_S:
            self._method = self._method or seen.method
            self._add(seen)
        self._last = seen
        self._has_changed = self._has_changed or self._differs(seen)

    def around(self, end_s: float) -> BloodGasValidity:
        """What is known of the draw for a breath that ends at ``end_s``."""
        return BloodGasValidity(
            middle(self._co2, ENOUGH),
            len(self._co2),
            self._method,
            self._grade,
            self._has_changed,
            self._has_new_fio2,
            self._is_unsteady,
            self._is_watched(end_s),
        )

    def _is_watched(self, end_s: float) -> bool:
        if len(self._minute_volumes) < ENOUGH:
            return False
        if self._last is None:
            return end_s - self._drawn_s <= AROUND_S
        return end_s - self._last.end_s <= AROUND_S and not math.isnan(self._last.recent_minute_volume)

    def _add(self, seen: BreathSnapshot) -> None:
        if seen.method and seen.method == self._method:
            insort(self._co2, seen.pco2_mixed_exp)
            self._grade = max(self._grade, seen.grade)
        insort(self._minute_volumes, seen.minute_volume)
        if not math.isnan(seen.peep):
            insort(self._peeps, seen.peep)

    def _differs(self, seen: BreathSnapshot) -> bool:
        """Comparisons with NaN, where there are too few breaths, are false."""
        usual, peep = middle(self._minute_volumes, ENOUGH), middle(self._peeps, ENOUGH_PEEP)
        is_other = abs(seen.recent_minute_volume - usual) > MAX_CHANGE * usual
        return is_other or abs(seen.recent_peep - peep) > MAX_CHANGE_CMH2O


def _parted(drawn_s: float, history: Iterable[BreathSnapshot]) -> tuple[list[BreathSnapshot], list[BreathSnapshot]]:
    """The breaths of the ten minutes before the draw, and those that ended at it or later."""
    before: list[BreathSnapshot] = []
    after: list[BreathSnapshot] = []
    for one in history:
        if one.end_s >= drawn_s:
            after.append(one)
        elif one.end_s > drawn_s - STEADY_S:
            before.append(one)
    return before, after


def _is_unsteady(before: Sequence[BreathSnapshot], method: str) -> bool | None:
    """Whether ventilation or CO2 moved; None where either cannot be told and the other did not."""
    ventilation = [(one.end_s, one.minute_volume) for one in before]
    co2 = [(one.end_s, one.pco2_mixed_exp) for one in before if one.method and one.method == method]
    drifts = abs(drift(ventilation)), abs(drift(co2))
    if any(one > MAX_DRIFT for one in drifts):
        return True
    return None if any(math.isnan(one) for one in drifts) else False


def drift(points: Sequence[tuple[float, float]]) -> float:
    """Change per ten minutes as a share of the median, by the medians of the first and the last third of ``points``.

    Args:
        points: Time in s and value, in the order of time.

    Returns:
        NaN where the thirds have fewer than five points or their centres lie less than three minutes apart.
    """
    third = len(points) // 3
    if third < ENOUGH:
        return math.nan
    times, values = zip(*points, strict=True)
    apart_s = middle(times[-third:]) - middle(times[:third])
    if apart_s < MIN_APART_S:
        return math.nan
    change = middle(sorted(values[-third:])) - middle(sorted(values[:third]))
    return change / middle(sorted(values)) * STEADY_S / apart_s
