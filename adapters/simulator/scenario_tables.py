"""The tables of a segment in a scenario: what the patient, the ventilator and the sensors are. Used by ``scenario``.

What a plain lung and a plain capnogram do without (second compartment, tube, rebreathing …) is a table of its own,
absent by default.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Second: TypeAlias = Annotated[float, Meta(ge=0, le=1e7)]
Noise: TypeAlias = Annotated[float, Meta(ge=0, le=20)]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all tables. Every key has a default, so that a ``[[change]]`` may name any subset of them."""


class Lung(Table, frozen=True, kw_only=True):
    """Airway and first compartment: Paw = V/C + R·F. Expiratory resistance is the inspiratory one unless stated."""

    compliance_ml_cmh2o: Annotated[float, Meta(ge=0.1, le=500)] = 50.0
    resistance_cmh2o_s_l: Annotated[float, Meta(ge=0.5, le=200)] = 10.0
    resistance_exp_cmh2o_s_l: Annotated[float, Meta(ge=0.5, le=200)] | None = None

    @property
    def expiratory(self) -> float:
        """Resistance to expiration, cmH2O·s/L."""
        return self.resistance_cmh2o_s_l if self.resistance_exp_cmh2o_s_l is None else self.resistance_exp_cmh2o_s_l


class SecondCompartment(Table, frozen=True, kw_only=True):
    """A compartment beside the lung's first, behind the common airway and a branch of its own: V2/C2 + R2·F2 = V1/C1.

    The first has no branch, which costs no generality: seen from the airway opening, every pair of linear parallel
    compartments is such a pair, with other numbers (Otis et al., J Appl Physiol 1956;8:427).
    """

    compliance_ml_cmh2o: Annotated[float, Meta(ge=1, le=500)] = 25.0
    resistance_cmh2o_s_l: Annotated[float, Meta(ge=0.5, le=500)] = 30.0
    resistance_exp_cmh2o_s_l: Annotated[float, Meta(ge=0.5, le=500)] | None = None

    @property
    def expiratory(self) -> float:
        """Resistance of the branch while its compartment empties, cmH2O·s/L."""
        return self.resistance_cmh2o_s_l if self.resistance_exp_cmh2o_s_l is None else self.resistance_exp_cmh2o_s_l


class Relaxation(Table, frozen=True, kw_only=True):
    """Stress relaxation, one Kelvin body beside the elastance: dPk/dt = stiffness·F - Pk/time constant (§4.1.4).

    It acts on the volume of both compartments, as the chest wall does.
    """

    stiffness_cmh2o_l: Annotated[float, Meta(ge=0, le=200)] = 8.0
    time_constant_s: Annotated[float, Meta(ge=0.02, le=60)] = 0.75


class Tube(Table, frozen=True, kw_only=True):
    """What a tube adds to the airway's linear resistance: P = R·F + k2·F·abs(F) (Rohrer 1915)."""

    k2_cmh2o_s2_l2: Annotated[float, Meta(ge=0, le=100)] = 0.0


class Valve(Table, frozen=True, kw_only=True):
    """Expiratory valve and its limb: Paw = PEEP - R·F, above PEEP as gas leaves, below it as the patient draws."""

    resistance_cmh2o_s_l: Annotated[float, Meta(ge=0, le=50)] = 0.0


class Ventilator(Table, frozen=True, kw_only=True):
    """``vcv``: square flow, then a pause. ``pcv``: pressure above PEEP for ``ti_s``, rising over ``rise_s``.

    ``psv``: the same pressure until flow has fallen as ``[assist]`` says, for ``ti_s`` at most; ``rate_per_min`` is
    what the ventilator does for a patient who triggers nothing.

    Expiration: airway pressure falls linearly over ``fall_s`` from the lung's to PEEP, as the valve opens.

    Attributes:
        simv_support_cmh2o: SIMV: ``vcv`` or ``pcv`` at the rate, due on a fixed grid whatever the patient does; what
            the patient triggers more than a quarter of the period before the next is due gets this pressure support.
        support_ti_s: The longest such a supported breath lasts.
        sigh_every: Every so many breaths ``sigh_factor`` times the volume, or pressure above PEEP; 0: none.
    """

    mode: Literal["vcv", "pcv", "psv"] = "vcv"
    rate_per_min: Annotated[float, Meta(ge=1, le=150)] = 15.0
    peep_cmh2o: Annotated[float, Meta(ge=0, le=50)] = 5.0
    tidal_volume_ml: Annotated[float, Meta(ge=1, le=3000)] = 500.0
    flow_l_min: Annotated[float, Meta(ge=1, le=180)] = 30.0
    pause_s: Annotated[float, Meta(ge=0, le=10)] = 0.0
    inspiratory_pressure_cmh2o: Annotated[float, Meta(ge=0, le=80)] = 15.0
    ti_s: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    rise_s: Annotated[float, Meta(ge=0, le=2)] = 0.0
    fall_s: Annotated[float, Meta(ge=0, le=1)] = 0.05
    simv_support_cmh2o: Annotated[float, Meta(ge=0, le=40)] | None = None
    support_ti_s: Annotated[float, Meta(ge=0.1, le=5)] = 1.5
    sigh_every: Annotated[int, Meta(ge=0, le=1000)] = 0
    sigh_factor: Annotated[float, Meta(ge=1, le=3)] = 1.5

    @property
    def ti_total_s(self) -> float:
        """Inspiratory time with the pause and without holds; the longest, where the patient may end it."""
        if self.mode != "vcv":
            return self.ti_s
        return self.tidal_volume_ml / 1000 / (self.flow_l_min / 60) + self.pause_s


class Assist(Table, frozen=True, kw_only=True):
    """What lets the patient begin a breath, and end one of pressure support.

    A breath begins as soon as expiration has lasted ``min_te_s`` and flow through the sensor exceeds the trigger (a
    leak counts, so it may trigger by itself) or airway pressure falls by the trigger below PEEP, which needs a
    ``[valve]`` or a base flow that the patient exceeds.
    """

    trigger: Literal["flow", "pressure"] = "flow"
    trigger_flow_l_min: Annotated[float, Meta(ge=0.1, le=60)] = 2.0
    trigger_pressure_cmh2o: Annotated[float, Meta(ge=0.1, le=20)] = 2.0
    cycle_off_fraction: Annotated[float, Meta(ge=0.01, le=0.9)] = 0.25
    """Of the breath's peak flow, at which pressure support ends."""
    delay_s: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    """From the trigger to the opening of the valve."""
    min_te_s: Annotated[float, Meta(ge=0.01, le=1)] = 0.1
    """Of expiration the ventilator is deaf to its trigger so long."""
    spares_leak: bool = False
    """The ventilator knows its leak: neither triggers nor ends a breath by it."""


class Circuit(Table, frozen=True, kw_only=True):
    """Leak on the patient's side of the flow sensor, an orifice: leak flow = g·sqrt(Paw), g by breath.

    Attributes:
        leak_l_min_per_sqrt_cmh2o: g, or what it swings about.
        leak_swing_l_min_per_sqrt_cmh2o: A mask that shifts: g swings so far to either side, never below zero.
        leak_period_s: Of that swing.
        base_flow_l_min: The most that the ventilator lets the patient draw before it opens its valve; None: any flow.
        compliance_ml_cmh2o: Of the tubing between the flow sensor at the ventilator and the wye. The ventilator gives
            the patient what is set, and beyond that what the tubing takes.
    """

    leak_l_min_per_sqrt_cmh2o: Annotated[float, Meta(ge=0, le=30)] = 0.0
    leak_swing_l_min_per_sqrt_cmh2o: Annotated[float, Meta(ge=0, le=30)] = 0.0
    leak_period_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    base_flow_l_min: Annotated[float, Meta(ge=0.5, le=60)] | None = None
    compliance_ml_cmh2o: Annotated[float, Meta(ge=0, le=10)] = 0.0

    def leak_at(self, at_s: float) -> float:
        """Conductance at a time, L/min/sqrt(cmH2O)."""
        swing = self.leak_swing_l_min_per_sqrt_cmh2o
        if not swing:
            return self.leak_l_min_per_sqrt_cmh2o
        return max(self.leak_l_min_per_sqrt_cmh2o + swing * math.sin(math.tau * at_s / self.leak_period_s), 0.0)


class Sensor(Table, frozen=True, kw_only=True):
    """What measuring adds: white noise (standard deviations), steps of the converter (0: none), errors of flow."""

    paw_noise_cmh2o: Noise = 0.0
    flow_noise_l_min: Noise = 0.0
    pco2_noise_mmhg: Noise = 0.0
    paw_step_cmh2o: Noise = 0.0
    flow_step_l_min: Noise = 0.0
    pco2_step_mmhg: Noise = 0.0
    flow_gain: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    flow_gain_exp: Annotated[float, Meta(ge=0.1, le=10)] | None = None
    flow_offset_l_min: Annotated[float, Meta(ge=-20, le=20)] = 0.0


class Capnogram(Table, frozen=True, kw_only=True):
    """Mainstream CO2 at the wye, by expired volume: (p0 + s·(V - VDaw))·Phi((V - VDaw)/sd), from algorithms §11.3.

    A standard deviation of zero makes phase II a step. In inspiration the sensor's volume is washed out.
    """

    dead_space_ml: Annotated[float, Meta(ge=0, le=500)] = 150.0
    phase2_sd_ml: Annotated[float, Meta(ge=0, le=200)] = 18.0
    plateau_mmhg: Annotated[float, Meta(ge=0, le=150)] = 36.0
    slope_mmhg_l: Annotated[float, Meta(ge=0, le=10_000)] = 10.0
    inspired_mmhg: Annotated[float, Meta(ge=0, le=50)] = 0.0
    sensor_volume_ml: Annotated[float, Meta(ge=0.1, le=50)] = 6.0


class GasExchange(Table, frozen=True, kw_only=True):
    """Alveoli without blood, and blood that passes no alveoli.

    Attributes:
        unperfused_share: Of alveolar ventilation. It empties in parallel and in step, with gas as it was inspired, and
            so dilutes phase III to the rest of its height (algorithms §6.5).
        arterial_mmhg: What a blood gas would show. Shunt is what lies between it and the undiluted phase III.
    """

    unperfused_share: Annotated[float, Meta(ge=0, le=0.95)] = 0.0
    arterial_mmhg: Annotated[float, Meta(ge=5, le=250)] | None = None


class Rebreathing(Table, frozen=True, kw_only=True):
    """Apparatus volume before the sensor: so much gas comes back first in each inspiration, as expiration left it."""

    volume_ml: Annotated[float, Meta(ge=0, le=500)] = 30.0


class Cardiogenic(Table, frozen=True, kw_only=True):
    """A sine of the heart, in time from the first sample on: on alveolar gas at the sensor, on the lung's pressure."""

    amplitude_mmhg: Annotated[float, Meta(ge=0, le=20)] = 1.0
    amplitude_cmh2o: Annotated[float, Meta(ge=0, le=5)] = 0.0
    rate_per_min: Annotated[float, Meta(ge=10, le=300)] = 75.0


class Capnograph(Table, frozen=True, kw_only=True):
    """What shows the capnogram; a plain one does at once and beside the ventilator's own channels.

    Attributes:
        time_constant_s: Of its first-order response; from 10 to 90 % of a step it takes ln 9 = 2.197 of them.
        mixing_s: Time constant of one well-mixed volume in a sampling line (trap, filter, cell), first-order as well.
        flow_per_cmh2o: By what share the flow in a sampling line grows with every cmH2O of airway pressure above PEEP.
            The line always holds what is drawn in the delay at PEEP, so gas comes sooner while pressure is high
            (Farmery and Hahn, 2001).
        scale: A dried sample reads F·PB, PB/(PB - 47) of what BTPS reads; PB from the context, 760 mmHg if not there.
        rate_hz: Of a device of its own, a source beside the ventilator; None: the ventilator's own capnograph.
        clock_offset_s: By how much that device's clock is ahead of the ventilator's at the first sample.
        clock_ppm: How many microseconds it gains every second.
    """

    time_constant_s: Annotated[float, Meta(ge=0, le=5)] = 0.0
    mixing_s: Annotated[float, Meta(ge=0, le=5)] = 0.0
    flow_per_cmh2o: Annotated[float, Meta(ge=0, le=0.05)] = 0.0
    scale: Literal["BTPS", "dry"] = "BTPS"
    rate_hz: Annotated[float, Meta(ge=5, le=1000)] | None = None
    clock_offset_s: Annotated[float, Meta(ge=-1e6, le=1e6)] = 0.0
    clock_ppm: Annotated[float, Meta(ge=-10_000, le=10_000)] = 0.0

    @property
    def rise_s(self) -> float:
        """From 10 to 90 % of a step, of the sensor without its line."""
        return math.log(9.0) * self.time_constant_s
