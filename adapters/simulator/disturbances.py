"""The tables of a segment that disturb an otherwise plain recording: the gas path, and what the sensors report.

The first three act on the gas: what they do to pressure and flow comes out of the lung model. A transducer is a fault
of measuring: the lung does not know of it. Used by ``scenario``; absent by default.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from adapters.simulator.scenario_tables import Table


class Ringing(Table, frozen=True, kw_only=True):
    """A pressure controller that overshoots: a damped sine on its level, so that flow swings through zero.

    Attributes:
        amplitude_cmh2o: On inspiratory pressure, from the moment that its level is reached.
        rate_hz: Of the sine in inspiration.
        decay_s: Time constant of both; 0: they do not decay.
        peep_amplitude_cmh2o: On PEEP: pressure first falls below it, then the valve blows gas in to restore it.
        peep_rate_hz: Of the sine at PEEP; None: as in inspiration.
        peep_after_s: How long after pressure has fallen to PEEP that begins.
    """

    amplitude_cmh2o: Annotated[float, Meta(ge=0, le=20)] = 1.5
    rate_hz: Annotated[float, Meta(ge=0.2, le=20)] = 2.0
    decay_s: Annotated[float, Meta(ge=0, le=10)] = 0.4
    peep_amplitude_cmh2o: Annotated[float, Meta(ge=0, le=20)] = 0.0
    peep_rate_hz: Annotated[float, Meta(ge=0.2, le=20)] | None = None
    peep_after_s: Annotated[float, Meta(ge=0, le=10)] = 0.5


class Water(Table, frozen=True, kw_only=True):
    """Condensate that moves to and fro in the tube: pressure at the airway, and the flow that it drives through it.

    While the ventilator sets flow, or both valves are closed, the same slug pushes ``amplitude_cmh2o`` over the
    airway's resistance through the sensor; both channels swing together. It waxes and wanes by half, at 0.3 Hz.
    """

    amplitude_cmh2o: Annotated[float, Meta(ge=0, le=10)] = 1.0
    rate_hz: Annotated[float, Meta(ge=0.5, le=20)] = 5.0


class Nebuliser(Table, frozen=True, kw_only=True):
    """Gas added between the flow sensor and the patient: it enters the lung unmeasured, and leaves measured.

    Attributes:
        flow_l_min: Of gas without CO2.
        dilutes: It joins before the CO2 sensor, which then sees expired gas diluted; otherwise between both sensors.
    """

    flow_l_min: Annotated[float, Meta(ge=0, le=20)] = 6.0
    dilutes: bool = False


class Transducer(Table, frozen=True, kw_only=True):
    """What one sensor makes of its channel, in the channel's unit: cmH2O, L/min, mmHg.

    Gain, zero and drift come before noise and steps, the limits after them. ``wraps`` are the ends of a counter's
    range: a value beyond one reappears at the other, as 16 bits do.
    """

    gain: Annotated[float, Meta(ge=-10, le=10)] = 1.0
    offset: Annotated[float, Meta(ge=-2000, le=2000)] = 0.0
    drift_per_min: Annotated[float, Meta(ge=-60, le=60)] = 0.0
    lowest: Annotated[float, Meta(ge=-2000, le=2000)] | None = None
    highest: Annotated[float, Meta(ge=-2000, le=2000)] | None = None
    wraps: tuple[float, float] | None = None
