"""Columns of one table that were measured at rates of their own: empty fields between their values.

Programs that join signals on their times write a row for each time of any of them. So a signal that has a value in
every fourth row has a quarter of the rate, and its other fields are no missing samples. Such a signal becomes a source
of its own; pressure, which needs flow's rate, is interpolated between its own samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, FloatArray

LEAST = 5
"""Values of a signal from which its rate can be told."""
EVEN = 0.8
"""Share of the steps between its values that must be equal."""
ALIKE = 0.95
"""Share of the rows in which two signals that belong together are both there or both not."""
NEAR = 0.25
"""Of a step in time: others as near are equal to it."""
MIN_PAW_HZ = 20.0
ROUNDING = 1e-4
REACH = 2.5
"""Steps of its own over which pressure is interpolated."""
MAX_HELD = 4096
"""Rows that wait for the next pressure."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Which channels go together, by their values in the first rows.

    Attributes:
        flow_rows: Whether the main source has only the rows in which flow, or pressure without flow, has a value.
        between: Rows from one pressure to the next where it is interpolated; 0: it is not.
        co2_hz: Rate of CO2 as a source of its own; 0: it has the main source's rows.
        left_out: Channels whose rate cannot be used, with it.
        rates: Rates in Hz of the channels that have one of their own.
    """

    flow_rows: bool = False
    between: int = 0
    co2_hz: float = 0.0
    left_out: Mapping[Channel, float] = field(default_factory=dict)
    rates: Mapping[Channel, float] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether all channels share all rows."""
        return not (self.flow_rows or self.between or self.co2_hz or self.left_out)

    def notes(self) -> list[str]:
        """What a reader should know, one line each."""
        found = [
            f"{channel} has values at {hz:.4g} Hz, too few, and is left out" for channel, hz in self.left_out.items()
        ]
        said = [f"{c} at {hz:.4g} Hz" for c, hz in self.rates.items() if c not in self.left_out]
        if said:
            found.append(f"empty fields between values are taken as rates of their own: {', '.join(said)}")
        if self.between:
            found.append("paw is interpolated at the times of flow")
        return found


def find_lanes(stamps: FloatArray, there: Mapping[Channel, NDArray[np.bool_]]) -> Lanes:
    """Look at the first rows: ``stamps (n,)`` s, and for each channel ``(n,)`` whether it has a value.

    Stamps that do not advance are none; rows are then taken as even.
    """
    leader = Channel.FLOW if Channel.FLOW in there else next(iter(there), None)
    if leader is None or stamps.size < LEAST:
        return Lanes()
    steps = {channel: _own_step(stamps, mask) for channel, mask in there.items()}
    rates = {channel: 1.0 / step for channel, step in steps.items() if step}
    if not rates:
        return Lanes()
    main = there[leader]
    flow_rows = leader in rates
    others = {channel: hz for channel, hz in rates.items() if channel is not leader}
    others = {channel: hz for channel, hz in others.items() if not flow_rows or (there[channel] == main).mean() < ALIKE}
    if flow_rows:  # a signal with a value in every row of any signal is not known; one with fewer has its own
        others |= {c: _rate(stamps, m) for c, m in there.items() if c not in rates and (m == main).mean() < ALIKE}
    left_out = {channel: hz for channel, hz in others.items() if not _is_usable(channel, hz)}
    between = 0
    if Channel.PAW in others and Channel.PAW not in left_out and leader is Channel.FLOW:
        between = int(np.diff(np.flatnonzero(there[Channel.PAW])).max())
    co2_hz = others.get(Channel.PCO2, 0.0) if Channel.PCO2 not in left_out else 0.0
    return Lanes(flow_rows, between, co2_hz, left_out, others | ({leader: rates[leader]} if flow_rows else {}))


def _is_usable(channel: Channel, hz: float) -> bool:
    least = MIN_PAW_HZ if channel is Channel.PAW else MIN_RATE_HZ
    return least * (1.0 - ROUNDING) <= hz <= MAX_RATE_HZ * (1.0 + ROUNDING)


def _rate(stamps: FloatArray, mask: NDArray[np.bool_]) -> float:
    passed = np.diff(stamps[mask])
    return 1.0 / float(np.median(passed)) if passed.size and np.median(passed) > 0 else 0.0


def _own_step(stamps: FloatArray, mask: NDArray[np.bool_]) -> float:
    """Seconds between the values of a signal that has some rows only, evenly; 0 for any other."""
    rows = np.flatnonzero(mask)
    if rows.size < LEAST or rows.size == mask.size:
        return 0.0
    apart, passed, every = np.diff(rows), np.diff(stamps[rows]), np.diff(stamps)
    usual = int(np.median(apart))
    step_s = float(np.median(passed))
    if step_s <= 0.0:
        return 0.0
    if usual > 1 and (apart == usual).mean() >= EVEN:
        return step_s
    is_even = (np.abs(passed - step_s) <= NEAR * step_s).mean() >= EVEN
    middle = float(np.median(every))
    are_even = middle > 0.0 and (np.abs(every - middle) <= NEAR * middle).mean() >= EVEN
    gaps = np.count_nonzero(apart > 1)
    return step_s if is_even and not are_even and gaps >= LEAST else 0.0


class Between:
    """Rows in pieces, in one column of which what is missing between two values is interpolated."""

    def __init__(self, column: int, reach: int) -> None:
        """``reach``: rows from one value to the next over which it is interpolated, at most."""
        self._column, self._reach = column, min(reach, MAX_HELD)
        self._rows = np.empty((0, 0))
        self._stamps = np.empty(0)

    def _filled(self, stamps: FloatArray, column: FloatArray, known: NDArray[np.intp]) -> FloatArray:
        rows = np.arange(column.size)
        after = known[np.searchsorted(known, rows, side="left").clip(0, known.size - 1)]
        before = known[(np.searchsorted(known, rows, side="right") - 1).clip(0)]
        passed = stamps[after] - stamps[before]
        fits = (before < rows) & (rows < after) & (after - before <= self._reach) & (passed > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            part = (stamps - stamps[before]) / passed
            between = column[before] + (column[after] - column[before]) * part
        filled: FloatArray = np.where(fits, between, column)
        return filled

    def push(self, stamps: FloatArray, values: FloatArray, *, final: bool = False) -> tuple[FloatArray, FloatArray]:
        """Stamps and rows that are settled: those up to the last value, and those that waited too long."""
        if self._rows.size:
            stamps, values = np.concatenate([self._stamps, stamps]), np.concatenate([self._rows, values])
        column = values[:, self._column]
        known = np.flatnonzero(np.isfinite(column))
        if known.size:
            values = values.copy()
            values[:, self._column] = self._filled(stamps, column, known)
        last = int(known[-1]) if known.size else 0
        settled = len(values) if final else max(last, len(values) - self._reach, 0)
        self._stamps, self._rows = stamps[settled:], values[settled:]
        return stamps[:settled], values[:settled]
