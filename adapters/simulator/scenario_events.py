"""What happens in a scenario at times of its own, whatever segment holds. Used by ``scenario``."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from adapters.simulator.scenario_tables import Second, Table

EARLIEST_S, LATEST_S = -1.0, 10.0
DelayS: TypeAlias = Annotated[float, Meta(ge=EARLIEST_S, le=LATEST_S)]


class Hold(Table, frozen=True, kw_only=True):
    """Both valves closed at the end of inspiration or of expiration."""

    at_s: Second
    kind: Literal["inspiratory", "expiratory"]
    duration_s: Annotated[float, Meta(gt=0, le=20)]


class Span(Table, frozen=True, kw_only=True):
    """A disconnect, or a gap in the recording."""

    at_s: Second
    duration_s: Annotated[float, Meta(gt=0, le=86_400)]


class Suction(Span, frozen=True, kw_only=True):
    """A catheter that pulls the airway down to ``pressure_cmh2o``, so that gas leaves through the sensor."""

    pressure_cmh2o: Annotated[float, Meta(ge=-100, lt=0)] = -12.0


Shown: TypeAlias = Literal["paw", "flow", "pco2"]


class Fault(Span, frozen=True, kw_only=True):
    """What a recorder writes instead of samples, again every ``every_s`` where that is stated.

    ``repeats``: the last values before it. ``packet``: the samples of as long before it, once more. ``zero``: zeros, as
    a sensor that zeroes itself. ``missing``: nothing, in its place. ``counter``: a number that grows by one every
    sample from 0, and wraps at 16 bits.
    """

    kind: Literal["repeats", "packet", "zero", "missing", "counter"] = "repeats"
    channels: Annotated[tuple[Shown, ...], Meta(min_length=1, max_length=3)] = ("paw", "flow", "pco2")
    every_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None


class Effort(Table, frozen=True, kw_only=True):
    """Muscles that pull (positive: inspiratory) or push (negative: a cough, forced expiration), again and again.

    Pmus rises as the first quarter of a sine, stays for ``plateau_s`` and falls as the second quarter: half a sine, if
    there is no plateau and the times are equal. It acts from ``at_s`` on for ``duration_s`` (to the end, if absent),
    either with every ``every``-th breath, ``offset_s`` after its onset (negative: before the onset that is due next
    unless something triggers earlier), or freely ``rate_per_min`` times a minute, the first at ``at_s``.

    Attributes:
        amplitude_cv: Coefficient of variation of the amplitude, drawn from the seed of the scenario, never below zero.
        timing_sd_s: Standard deviation of the time about the planned one, likewise.
    """

    amplitude_cmh2o: Annotated[float, Meta(ge=-200, le=100)]
    at_s: Second = 0.0
    duration_s: Annotated[float, Meta(gt=0, le=1e7)] | None = None
    offset_s: Annotated[float, Meta(ge=-30, le=30)] | None = None
    every: Annotated[int, Meta(ge=1, le=1000)] = 1
    rate_per_min: Annotated[float, Meta(ge=0.5, le=600)] | None = None
    rise_s: Annotated[float, Meta(ge=0.01, le=10)] = 0.4
    plateau_s: Annotated[float, Meta(ge=0, le=30)] = 0.0
    fall_s: Annotated[float, Meta(ge=0.01, le=10)] = 0.4
    amplitude_cv: Annotated[float, Meta(ge=0, le=2)] = 0.0
    timing_sd_s: Annotated[float, Meta(ge=0, le=5)] = 0.0

    @property
    def lasts_s(self) -> float:
        """From its first pull to its last."""
        return self.rise_s + self.plateau_s + self.fall_s


class Delay(Table, frozen=True, kw_only=True):
    """From ``at_s`` on the capnograph is ``delay_s`` late (absent: what it was then), and drifts from there.

    A step later shows some gas twice, a step earlier leaves some out; of samples none is lost.
    """

    at_s: Second
    delay_s: DelayS | None = None
    drift_ms_per_min: Annotated[float, Meta(ge=-1000, le=1000)] = 0.0
