"""The value of one quantity in one window, or the reason why there is none (algorithms §8.1, §8.2).

A value comes from one series only: the breaths of the most frequent combination of method and sensor. Other breaths in
the window are left out.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.core.metrics import METRICS
from streamer.core.rolling import QUARTILES, RollingSettings
from streamer.model.chunk import FloatArray
from streamer.model.context import PointSettings, doubts
from streamer.model.reasons import Reason
from streamer.model.units import S_PER_MIN
from streamer.study.collect import GRADES, METHODS, REASONS
from streamer.study.points import Window, is_settled
from streamer.study.quantities import KEYS, QUANTITIES, Quantity, Rule
from streamer.study.refusals import Refusal
from streamer.study.timeline import SAME_S, StudyEvent, Timeline

AROUND_S = 5.0 * S_PER_MIN
"""Breaths of this time after a draw belong to the blood gas, s; as in the core."""
USUAL = RollingSettings()
HELD = {Rule.BREATHS: False, Rule.HOLDS: True, Rule.GAS: False}
OF_HOLDS = (Reason.HOLD_NOT_PASSIVE, Reason.HOLD_UNCLEAR)
"""Reasons that come before ``no_hold``, the reason of every breath without a hold."""
GRADE_SHARE = 0.9
"""Share of the breaths that have at least the grade of the value."""

Places = NDArray[np.intp]
Series = tuple[int, tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The value of a quantity in a window, or the reason why there is none.

    Attributes:
        quantity: Which.
        value: In the quantity's unit; None where ``reason`` says why.
        n: Breaths that it rests on; holds, or 1 for a value of a draw.
        breaths: Breaths in the window.
        p25: Lower quartile.
        p75: Upper quartile.
        coverage: Share of the window that whole breaths fill, 0 to 1.
        method: How the breaths found it.
        quality: Grade that 90 % of the breaths reach.
        sensor: Values of the context keys in ``Quantity.sensor``, in that order.
        reason: Code; empty if there is a value.
        detail: The same for a reader.
    """

    quantity: Quantity
    value: float | None = None
    n: int = 0
    breaths: int = 0
    p25: float | None = None
    p75: float | None = None
    coverage: float | None = None
    method: str = ""
    quality: str = ""
    sensor: tuple[object, ...] = ()
    reason: str = ""
    detail: str = ""


def value_of(timeline: Timeline, window: Window, quantity: Quantity, settings: PointSettings) -> Value:
    """The value of a quantity at a time point."""
    if window.reason and quantity.rule is not Rule.DRAW:
        return Value(quantity=quantity, reason=window.reason, detail=window.detail)
    if quantity.rule in {Rule.GAS, Rule.DRAW}:
        return _at_draw(timeline, window, quantity, settings)
    coverage = _coverage(timeline, window)
    if quantity.rule is Rule.BREATHS and coverage < settings.min_coverage:
        detail = f"whole, settled breaths fill {coverage:.0%} of the window; asked for: {settings.min_coverage:.0%}"
        return Value(
            quantity=quantity,
            breaths=window.breaths.size,
            coverage=coverage,
            reason=Reason.LOW_COVERAGE,
            detail=detail,
        )
    return replace(summarised(timeline, window.breaths, quantity), coverage=coverage)


def _coverage(timeline: Timeline, window: Window) -> float:
    kept = window.breaths[timeline.whole[window.breaths]]
    starts = np.maximum(timeline.start_s[kept], window.start_s)
    return float((timeline.end_s[kept] - starts).sum()) / (window.end_s - window.start_s)


def _at_draw(timeline: Timeline, window: Window, quantity: Quantity, settings: PointSettings) -> Value:
    """The value by the draw in the window that is nearest to its middle."""
    inside = [
        gas
        for gas in timeline.gases
        if window.start_s <= gas.at_s <= window.end_s and is_settled(timeline, window, settings, gas.at_s)
    ]
    if not inside:
        reason, detail = _no_draw(timeline, window)
        return Value(quantity=quantity, reason=reason, detail=detail)
    gas = min(inside, key=lambda one: abs(one.at_s - window.middle_s))
    found = of_draw(timeline, gas, quantity)
    return replace(found, detail=found.detail or f"drawn {timeline.text(gas.at_s)}")


def _no_draw(timeline: Timeline, window: Window) -> tuple[str, str]:
    if math.isnan(window.start_s):
        return window.reason, window.detail
    earlier = [gas for gas in timeline.gases if gas.at_s <= window.end_s]
    if not timeline.gases:
        return Reason.ABG_MISSING, "no blood gas is stated"
    nearest = min(timeline.gases, key=lambda one: abs(one.at_s - window.middle_s))
    away_s = max(window.start_s - nearest.at_s, nearest.at_s - window.end_s)
    where = (
        f"lies {away_s / S_PER_MIN:.0f} min outside the window"
        if away_s > 0
        else "lies within a turn or in another position"
    )
    return (Reason.ABG_STALE if earlier else Reason.ABG_MISSING), (
        f"the nearest draw, {timeline.text(nearest.at_s)}, {where}"
    )


def of_draw(timeline: Timeline, gas: StudyEvent, quantity: Quantity) -> Value:
    """The value at one draw: a number of the laboratory, or of the breaths in the five minutes after it."""
    if quantity.rule is Rule.DRAW:
        told = getattr(gas.gas, quantity.key)
        if told is None:
            return Value(quantity=quantity, reason=Reason.ABG_MISSING, detail="this blood gas does not state it")
        if gas.gas is not None and (doubt := doubts(gas.gas).get(quantity.key)):
            return Value(quantity=quantity, reason=Reason.IMPLAUSIBLE, detail=doubt)
        return Value(quantity=quantity, value=told, n=1)
    is_its = np.abs(timeline.drawn_s - gas.at_s) < SAME_S
    since_s = timeline.end_s - gas.at_s
    breaths = np.flatnonzero(is_its & (since_s >= 0.0) & (since_s <= AROUND_S))
    if not breaths.size:
        detail = "no breath was recorded in the five minutes after the draw"
        return Value(quantity=quantity, reason=Refusal.NOT_RECORDED, detail=detail)
    found = summarised(timeline, breaths, quantity)
    return replace(found, n=1) if quantity.is_of_blood and found.value is not None else found


def summarised(timeline: Timeline, breaths: Places, quantity: Quantity) -> Value:
    """Median or weighted mean of one series of these breaths, or the reason why there is none.

    A hold prolongs its own breath. The power of such breaths is therefore their energy times the respiratory rate of
    all these breaths.
    """
    row = KEYS.index(quantity.key)
    values = timeline.values[row, breaths]
    chosen, method, sensor = _series(timeline, breaths, quantity)
    n = int(chosen.size)
    needed = 1 if HELD[quantity.rule] else max(USUAL.min_breaths, USUAL.min_coverage * breaths.size)
    if n < needed:
        found = timeline.reasons[row, breaths[np.isnan(values)]]
        return Value(
            quantity=quantity,
            n=n,
            breaths=breaths.size,
            reason=_reason(found, quantity),
            detail=f"{n} of {breaths.size} breaths give it",
        )
    numbers = timeline.values[row, chosen]
    if quantity.is_power:
        rate = summarised(timeline, breaths, QUANTITIES["rr"])
        if rate.value is None:
            return replace(rate, quantity=quantity, detail=f"the rate of the window is not known: {rate.detail}")
        numbers = numbers * _lasted_s(timeline, chosen) * rate.value / S_PER_MIN
    p25, median, p75 = np.quantile(numbers, QUARTILES).tolist()
    grades = np.sort(timeline.grades[row, chosen])
    return Value(
        quantity=quantity,
        value=_mean(numbers, _weights(timeline, chosen, quantity)) if _is_mean(quantity) else median,
        n=n,
        breaths=breaths.size,
        p25=p25,
        p75=p75,
        method=method,
        quality=GRADES[int(grades[math.ceil(GRADE_SHARE * n) - 1])],
        sensor=sensor,
    )


def _series(timeline: Timeline, breaths: Places, quantity: Quantity) -> tuple[Places, str, tuple[object, ...]]:
    """The most frequent series: its breaths, its method, its sensor."""
    row, names = KEYS.index(quantity.key), METHODS[quantity.key]
    having = breaths[~np.isnan(timeline.values[row, breaths] * _weights(timeline, breaths, quantity))]
    methods, places = timeline.methods[row, having], timeline.context[having]
    if quantity.method:
        kept = methods == names.index(quantity.method)
        having, methods, places = having[kept], methods[kept], places[kept]
    sensors = timeline.sensors(quantity.sensor)
    counts: Counter[Series] = Counter()
    for (method, place), count in Counter(zip(methods.tolist(), places.tolist(), strict=True)).items():
        counts[method, sensors[place]] += count
    if not counts:
        return having, "", ()
    (method, sensor), _ = counts.most_common(1)[0]
    is_sensor = np.array([one == sensor for one in sensors])
    return having[(methods == method) & is_sensor[places]], names[method], sensor


def _reason(found: NDArray[np.int8], quantity: Quantity) -> str:
    """The most frequent reason. For a quantity of holds, a reason about a hold comes before ``no_hold``."""
    counts = Counter(REASONS[place] for place in found.tolist())
    if HELD[quantity.rule]:
        return next((reason for reason in OF_HOLDS if reason in counts), Reason.NO_HOLD)
    return counts.most_common(1)[0][0] if counts else Reason.LOW_COVERAGE


def _is_mean(quantity: Quantity) -> bool:
    return METRICS[quantity.key].weighted_by is not None and not HELD[quantity.rule]


def _weights(timeline: Timeline, breaths: Places, quantity: Quantity) -> FloatArray:
    """Weights as the metric declares. Weighted by duration, the mean of a rate or power is its total over time."""
    by = METRICS[quantity.key].weighted_by
    is_kept = by in KEYS and _is_mean(quantity)
    weights: FloatArray = timeline.values[KEYS.index(by), breaths] if is_kept else _lasted_s(timeline, breaths)
    return weights


def _lasted_s(timeline: Timeline, breaths: Places) -> FloatArray:
    lasted_s: FloatArray = timeline.end_s[breaths] - timeline.start_s[breaths]
    return lasted_s


def _mean(numbers: FloatArray, weights: FloatArray) -> float:
    return float((numbers * weights).sum() / weights.sum())
