"""What recent breaths of a bed say about the next one. Floor 1; between two calls of ``measure``.

A passive lung on a ventilator repeats itself: one elastance, one period. Efforts do not. A breath alone can hide an
effort that bends nothing (a ramp under square flow, a plateau under constant pressure); its neighbours seldom do.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streamer.breath import Breath
from streamer.metrics._folded import Fold
from streamer.metrics._running import middle

MEMORY, VOLUMES = 8, 20
ENOUGH = 3
MIN_SIZE = 0.25
"""A breath of less than a quarter of the largest recent one is none: some ventilators blow in gas to keep PEEP."""
UNSETTLED = 0.10
NORMAL = 1.4826
"""Median absolute deviation → standard deviation of normal noise."""


class Past(NamedTuple):
    """Medians over up to eight breaths before this one, and their spread (as a share; from absolute deviations).

    ``breaths`` counts them. ``elastance`` is each breath's own estimate, trusted or not (a breath without one is far
    off); ``error`` its median standard error as a share. ``unclosed``: share of the inspired volume that did not come
    back; ``efforts``: share of the breaths in which the patient was seen to breathe. ``hold_crs``: the last compliance
    from a hold, mL/cmH2O, measured in the breath that ended at ``hold_at_s``. ``volumes``: inspired and expired volume
    of up to twenty breaths, L. ``unsettled``: breaths whose volumes differ by a tenth more, or less, than the others'.
    """

    breaths: int = 0
    elastance: float = math.nan
    spread: float = math.nan
    error: float = math.nan
    period_spread: float = math.nan
    ti_spread: float = math.nan
    unclosed: float = math.nan
    efforts: float = 0.0
    hold_crs: float = math.nan
    hold_at_s: float = -math.inf
    volumes: tuple[tuple[float, float], ...] = ()
    unsettled: int = 0


NO_PAST = Past()


class Estimate(Protocol):
    """What is remembered of an estimate."""

    @property
    def elastance(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def strained(self) -> bool: ...


class Memory:
    """Collects ``Past`` breath by breath. ``forget`` where a run of breaths is broken; holds and volumes outlive it."""

    def __init__(self) -> None:
        self.hold: tuple[float, float] = (math.nan, -math.inf)
        self._volumes: deque[tuple[float, float]] = deque(maxlen=VOLUMES)
        self.forget()

    def forget(self) -> None:
        """A new run of breaths."""
        self._inspired: deque[float] = deque(maxlen=MEMORY)
        self._rows: deque[tuple[float, float, float, float, float, float]] = deque(maxlen=MEMORY)

    def push(self, breath: Breath, folded: Fold, estimate: Estimate, *, labelled: bool = False) -> None:
        """Add a complete breath; ``labelled``: an effort was seen in it.

        Holds, the operator's, count neither in its period nor in its inspiratory time.
        """
        inspired = folded.tidal_insp
        self._inspired.append(inspired)
        if inspired > 0.0:
            self._volumes.append((inspired, folded.tidal_exp))
        if not inspired > MIN_SIZE * max(self._inspired):
            return
        hold_s = folded.hold_s if folded.is_hold else 0.0
        exp_hold_s = folded.exp_hold_s if folded.is_exp_hold else 0.0
        elastance = estimate.elastance if estimate.elastance > 0.0 else math.inf
        period_s = breath.end_s - breath.start_s - hold_s - exp_hold_s
        ti_s = breath.insp_end_s - breath.start_s - hold_s
        unclosed = 1.0 - folded.tidal_exp / inspired
        self._rows.append((elastance, estimate.error, period_s, ti_s, unclosed, float(labelled or estimate.strained)))

    def past(self) -> Past:
        """What is known before the next breath."""
        volumes = tuple(self._volumes)
        if not self._rows:
            return NO_PAST._replace(hold_crs=self.hold[0], hold_at_s=self.hold[1], volumes=volumes)
        elastances, errors, periods, inspirations, unclosed, efforts = zip(*self._rows, strict=True)
        middle, typical = _median(elastances), _median(unclosed)
        return Past(
            len(self._rows),
            middle,
            _spread(elastances, middle),
            _median([error for error in errors if error > 0.0] or [math.nan]),
            _spread(periods, _median(periods)),
            _spread(inspirations, _median(inspirations)),
            typical,
            sum(efforts) / len(efforts),
            *self.hold,
            volumes,
            sum(abs(one - typical) > UNSETTLED for one in unclosed),
        )


def _median(values: Sequence[float]) -> float:
    return middle(sorted(values))


def _spread(values: Sequence[float], middle: float) -> float:
    if not 0.0 < middle < math.inf:
        return math.inf
    return NORMAL * _median([abs(value - middle) for value in values]) / middle
