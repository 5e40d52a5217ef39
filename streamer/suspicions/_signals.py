"""What one look at a source's samples shows, in the words of the rules. Floor 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from streamer.chunk import Channel, FloatArray

ENOUGH = 1000
"""Samples for a quantile."""
TAIL = 0.005
"""Share of the samples left out on either side of the spread."""
LOG_CHANCE = math.log(1e-6)
"""Of the chance that noise, as it is elsewhere in the look, repeats a value so often."""
CLIPPED_VISITS = 2
FROZEN_S, NOISY_TURNS, NOISY_FROZEN_S = 10.0, 0.15, 3.0
"""A channel that repeats one value for so long while another moves is frozen; the shorter time where it has noise."""
WRAPS, WRAPPED_MIDDLE = 2, 0.2
"""Jumps over the whole range, at least one each way, and the share of samples away from both ends: a counter passes the
middle slowly and its ends at once; a valve that switches within a sample does the opposite."""


BREATHES = {Channel.FLOW: 0.03, Channel.PAW: 3.0, Channel.PCO2: 10.0}
"""L/s, cmH2O, mmHg: a range that no idle sensor shows."""
IN_SHARE, REST_SHARE = 0.2, 0.1
"""Of the flow that 5 % of the samples exceed: gas flows above the first, hardly below the second."""


class Spread(NamedTuple):
    """One channel of a look; NaN and False where it is absent. ``low`` and ``high`` leave out 0.5 % either way."""

    low: float = math.nan
    high: float = math.nan
    usual: float = math.nan
    """Largest magnitude but for 5 % of the samples at either end."""
    bottom: float = math.nan
    top: float = math.nan
    mean: float = math.nan
    is_clipped_high: bool = False
    is_clipped_low: bool = False
    is_wrapped: bool = False
    frozen: tuple[int, int] = (0, 0)
    """Samples, from and to, at which it repeated one value for too long; empty where there are none."""
    frozen_s: float = 0.0
    """For how long it did while another channel moved."""

    @property
    def swing(self) -> float:
        return self.high - self.low

    @property
    def most(self) -> float:
        """Largest magnitude."""
        return max(abs(self.low), abs(self.high))


class Signals(NamedTuple):
    """A look: its channels, and what is seen between them."""

    flow: Spread
    paw: Spread
    pco2: Spread
    paw_step: float
    """Median pressure while gas flows in, less that while it flows out; cmH2O."""
    pco2_step: float
    """The same of PCO2, mmHg; NaN where that of pressure is not negative."""
    paw_above: float
    """Median pressure while gas flows out, less the lower quartile of that while hardly any flows."""
    flow_in: float
    flow_out: float
    """Mean over the whole look, L/s."""
    pco2_top: float
    """Highest PCO2 (``high``) of this look and all before it."""
    patient_class: str | None


def signals_of(
    channels: Mapping[Channel, FloatArray], rate_hz: float, scan: Any, *, pco2_top: float, patient_class: str | None
) -> Signals:
    """Describe one look. ``channels``: arrays (n,); ``scan``: the compiled pass over one of them."""
    spreads = {name: _spread(name, samples, rate_hz, scan) for name, samples in channels.items()}
    spreads = {name: _with_frozen(name, spread, channels, spreads, rate_hz) for name, spread in spreads.items()}
    thin = {name: _thinned(samples) for name, samples in channels.items()}
    paw_step, paw_above = _steps(thin.get(Channel.FLOW), thin.get(Channel.PAW))
    pco2_step = _steps(thin.get(Channel.FLOW), thin.get(Channel.PCO2))[0] if paw_step < 0.0 else math.nan
    gas_in, gas_out = _volumes(thin.get(Channel.FLOW))
    pco2 = spreads.get(Channel.PCO2, Spread())
    return Signals(
        flow=spreads.get(Channel.FLOW, Spread()),
        paw=spreads.get(Channel.PAW, Spread()),
        pco2=pco2,
        flow_in=gas_in,
        flow_out=gas_out,
        paw_step=paw_step,
        pco2_step=pco2_step,
        paw_above=paw_above,
        pco2_top=max(pco2_top, pco2.high),  # the first where the second is NaN
        patient_class=patient_class,
    )


def _known(samples: FloatArray) -> FloatArray:
    """Those that are finite; all of them without a copy, which is the rule."""
    return samples if math.isfinite(float(samples.sum())) else samples[np.isfinite(samples)]


def _thinned(samples: FloatArray) -> FloatArray:
    """Every so many-th sample, a thousand or so: quantiles need no more."""
    return samples[:: max(samples.size // ENOUGH, 1)]


def _spread(name: Channel, samples: FloatArray, rate_hz: float, scan: Any) -> Spread:
    known = _known(samples)
    if not known.size:
        return Spread()
    bottom, top = float(known.min()), float(known.max())
    known = np.sort(_thinned(known))
    tail = int(TAIL * known.size)
    low, high = float(known[tail]), float(known[-1 - tail])
    seen: FloatArray = np.empty(scan.SEEN_SIZE)
    scan.look(samples, bottom, top, seen)
    breathes, turns = high - low >= BREATHES[name], float(seen[scan.TURNS])
    up, down = seen[scan.JUMPS_UP], seen[scan.JUMPS_DOWN]
    is_counter = up + down >= WRAPS and min(up, down) >= 1.0 and seen[scan.MIDDLE] >= WRAPPED_MIDDLE
    first, count = int(seen[scan.FROZEN_AT]), int(seen[scan.FROZEN_N])
    is_frozen = count >= rate_hz * (NOISY_FROZEN_S if turns >= NOISY_TURNS else FROZEN_S)
    return Spread(
        low=low,
        high=high,
        usual=max(abs(float(known[known.size // 20])), abs(float(known[-1 - known.size // 20]))),
        bottom=bottom,
        top=top,
        mean=float(known.sum()) / known.size,
        is_clipped_high=breathes and _is_clipped(turns, seen[scan.TOP_VISITS], seen[scan.TOP_N]),
        is_clipped_low=breathes and _is_clipped(turns, seen[scan.LOW_VISITS], seen[scan.LOW_N]),
        is_wrapped=bool(breathes and is_counter),
        frozen=(first, first + count if is_frozen else first),
    )


def _with_frozen(
    name: Channel,
    spread: Spread,
    channels: Mapping[Channel, FloatArray],
    spreads: Mapping[Channel, Spread],
    rate_hz: float,
) -> Spread:
    """``frozen_s``, if another channel moves in the stretch."""
    first, last = spread.frozen
    moved = last > first and any(
        _moves(channels[other][first:last], max(0.5 * spreads[other].swing, BREATHES[other]))
        for other in spreads
        if other is not name
    )
    return spread._replace(frozen_s=(last - first) / rate_hz) if moved else spread


def _is_clipped(turns: float, visits: float, repeats: float) -> bool:
    """Whether a value at the end of the range is held where noise would move it, in several breaths."""
    return bool(
        visits >= CLIPPED_VISITS and turns >= NOISY_TURNS and repeats * math.log(1.0 - min(turns, 0.99)) < LOG_CHANCE
    )


def _moves(samples: FloatArray, least: float) -> bool:
    """Whether a channel goes through so much in these samples."""
    known = samples[np.isfinite(samples)]
    return known.size > 0 and float(known.max() - known.min()) > least


def _steps(flow: FloatArray | None, paw: FloatArray | None) -> tuple[float, float]:
    """``paw_step``, ``paw_above``, or the same of PCO2; NaN where a side is missing."""
    if flow is None or paw is None:
        return math.nan, math.nan
    both = np.isfinite(flow) & np.isfinite(paw)
    flow, paw = flow[both], paw[both]
    if not flow.size:
        return math.nan, math.nan
    outward, inward = _at(flow, 0.05), _at(flow, 0.95)
    gas_in, gas_out = paw[flow > IN_SHARE * inward], paw[flow < IN_SHARE * outward]
    rest = paw[np.abs(flow) < REST_SHARE * max(inward, -outward)]
    if inward <= 0.0 or outward >= 0.0 or not rest.size:
        return math.nan, math.nan
    out = _at(gas_out, 0.5)
    return _at(gas_in, 0.5) - out, out - _at(rest, 0.25)


def _volumes(flow: FloatArray | None) -> tuple[float, float]:
    """``flow_in``, ``flow_out``."""
    if flow is None or not flow.size:
        return math.nan, math.nan
    known = _known(flow)
    gas_in = float(np.maximum(known, 0.0).sum())
    return gas_in / flow.size, (gas_in - float(known.sum())) / flow.size


def _at(samples: FloatArray, share: float) -> float:
    """A quantile."""
    place = int(share * samples.size)
    return float(np.partition(samples, place)[place])
