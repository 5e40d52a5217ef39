"""What the simulator knows and a measurement has to find: the truth of a recording. Written by ``simulator``.

Names and units are those of contract.md §3, so that a truth and a breath record can be compared key by key. Pressures
of a lung (``pplat``, ``peep_total``) are its own, whether or not a hold ever showed them: the elastic recoil of all gas
in it over its static compliance, as if both compartments had equalised, everything had relaxed and no muscle pulled.
Where that is not yet so, ``palv`` and a hold's ``pressure`` are what a gauge would have read in the alveoli.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from adapters.simulator.scenario import (
    Assist,
    Capnogram,
    Capnograph,
    Cardiogenic,
    Circuit,
    Delay,
    Fault,
    GasExchange,
    Lung,
    Nebuliser,
    Rebreathing,
    Relaxation,
    Ringing,
    SecondCompartment,
    Shown,
    Span,
    Suction,
    Transducer,
    Tube,
    Valve,
    Ventilator,
    Water,
)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class SegmentTruth(_Part, frozen=True, kw_only=True):
    """The constants of the lung and the settings of the ventilator from ``start_s`` (device clock) on."""

    start_s: float
    lung: Lung
    ventilator: Ventilator
    circuit: Circuit
    capnogram: Capnogram | None = None
    gas_exchange: GasExchange | None = None
    rebreathing: Rebreathing | None = None
    cardiogenic: Cardiogenic | None = None
    second_compartment: SecondCompartment | None = None
    relaxation: Relaxation | None = None
    tube: Tube | None = None
    valve: Valve | None = None
    assist: Assist | None = None
    ringing: Ringing | None = None
    water: Water | None = None
    nebuliser: Nebuliser | None = None
    paw_sensor: Transducer | None = None
    flow_sensor: Transducer | None = None
    pco2_sensor: Transducer | None = None

    @property
    def crs(self) -> float:
        """Static compliance of both compartments, mL/cmH2O."""
        second = self.second_compartment
        return self.lung.compliance_ml_cmh2o + (second.compliance_ml_cmh2o if second else 0.0)


class HoldTruth(_Part, frozen=True, kw_only=True):
    """A hold that took place, and the lung's pressure when it ended, cmH2O."""

    kind: Literal["inspiratory", "expiratory"]
    start_s: float
    end_s: float
    pressure: float


class EffortTruth(_Part, frozen=True, kw_only=True):
    """One time that the muscles acted.

    Attributes:
        start_s: Device clock.
        end_s: When it was over.
        amplitude: Highest Pmus, cmH2O; negative if they pushed.
        effort: Place of its ``[[effort]]`` in the scenario.
        triggered: Onsets of the breaths it began: none (ineffective, or nothing to trigger), one, or two (double).
    """

    start_s: float
    end_s: float
    amplitude: float
    effort: int
    triggered: tuple[float, ...] = ()


class CapnogramTruth(_Part, frozen=True, kw_only=True):
    """The expirogram of one breath (algorithms.md §11.3) at body conditions, whatever scale the capnograph has.

    The attributes below ``vd_vt_bohr`` are set where the scenario has more than a plain ``[capnogram]``; an empty
    ``[capnograph]`` is enough.

    Attributes:
        petco2: At the very end of expiration, mmHg; without the heart's oscillation.
        pco2_alv: Phase III at the midpoint of the alveolar volume, mmHg; likewise.
        pco2_mixed_exp: Mean over the expired volume, mmHg.
        vd_aw: mL.
        vd_vt_bohr: (pco2_alv - pco2_mixed_exp) / (pco2_alv - inspired).
        vtco2: Expired less inspired, through the sensor in the phases of this breath, mL STPD. What stood in the sensor
            and the apparatus when inspiration began counts as inspired.
        pico2: When inspiration ends, where it is lowest, mmHg.
        slope_3: mmHg/L.
        vt_alv: mL.
        pco2_art: As stated, mmHg; this and the next two only where it is.
        vd_vt_enghoff: (pco2_art - pco2_mixed_exp) / pco2_art.
        vd_alv: vd_vt_enghoff of the expired volume, less vd_aw, mL.
        co2_delay: How late the gas at the onset of inspiration begins to be shown, s: its transport at PEEP, without
            what the response and mixing add. The first-order response shows half of a step ln 2 = 0.69 time constants
            later.
        co2_rise: 10-90 % of the response, s; 2.197 time constants.
        co2_clock: By how much the clock of a capnograph of its own is ahead when that gas is shown, s; by its stamps
            the onset is late by the sum of this and co2_delay.
    """

    petco2: float
    pco2_alv: float
    pco2_mixed_exp: float
    vd_aw: float
    vd_vt_bohr: float
    vtco2: float | None = None
    pico2: float | None = None
    slope_3: float | None = None
    vt_alv: float | None = None
    pco2_art: float | None = None
    vd_vt_enghoff: float | None = None
    vd_alv: float | None = None
    co2_delay: float | None = None
    co2_rise: float | None = None
    co2_clock: float | None = None


class BreathTruth(_Part, frozen=True, kw_only=True):
    """One breath as it was.

    Attributes:
        start_s: Onset of inspiration, device clock.
        insp_end_s: Onset of expiration (after pause and hold).
        end_s: Onset of the next inspiration.
        segment: Place of its constants in ``Truth.segments``.
        vt_insp: Through the sensor in inspiration, mL.
        vt_exp: Through the sensor in expiration, mL.
        vt_lung: Into the lung in inspiration, mL; less than ``vt_insp`` by the leak.
        ppeak: cmH2O.
        pplat: Elastic pressure at the end of inspiration, cmH2O.
        peep: Set, cmH2O.
        peep_total_before: Elastic pressure at the onset, cmH2O.
        peep_total: Elastic pressure at the end of expiration, cmH2O.
        energy: Integral of airway pressure, PEEP included, over the volume that enters the lung, J.
        insp_hold_s: Zero-flow time at the end of inspiration, pause and hold.
        exp_hold_s: Zero-flow time at the end of expiration.
        disconnected: The circuit was open at some time of this breath.
        co2: None without a capnograph or expiration.
        palv: Alveolar pressure at the end of inspiration as it was then, cmH2O; None where it is ``pplat``.
        suctioned: Suction pulled at some time of this breath.
        triggered: The patient began it.
        pmus_insp: Pmus in inspiration where it was farthest from zero, cmH2O; negative if muscles pushed, None if none
            acted.
        pmus_exp: Likewise in expiration.
        effort: The larger of the two without sign, cmH2O; None in a passive breath.
        effort_phase: Where that was.
        vt: What the lung holds at most in inspiration, less what it held at least before: gas drawn before the valve
            opened belongs to the breath. mL.
        drawn: Of that, what entered before the valve opened, mL; None if nothing did.
        energy_net: As ``energy``, less what gas gives back that leaves again in inspiration, J.
        palv_before: Alveolar pressure at the onset as it was then, cmH2O; None where it is ``peep_total_before``.
        supported: Pressure support between the mandatory breaths of SIMV.
    """

    start_s: float
    insp_end_s: float
    end_s: float
    segment: int
    vt_insp: float
    vt_exp: float
    vt_lung: float
    ppeak: float
    pplat: float
    peep: float
    peep_total_before: float
    peep_total: float
    energy: float
    insp_hold_s: float = 0.0
    exp_hold_s: float = 0.0
    disconnected: bool = False
    co2: CapnogramTruth | None = None
    palv: float | None = None
    suctioned: bool = False
    triggered: bool = False
    pmus_insp: float | None = None
    pmus_exp: float | None = None
    effort: float | None = None
    effort_phase: Literal["inspiration", "expiration"] | None = None
    vt: float | None = None
    drawn: float | None = None
    energy_net: float | None = None
    palv_before: float | None = None
    supported: bool = False


class Truth(_Part, frozen=True, kw_only=True, tag_field="schema", tag="truth/1"):
    """The truth of a recording.

    Breaths and efforts are those that begin in the recording. The last breath may end after it; an effort that outlasts
    the last breath is left out.

    Examples:
        >>> from adapters.simulator import simulate
        >>> breath = simulate("vcv_hold").truth.breaths[2]
        >>> round(breath.vt_lung), round(breath.peep_total_before, 1)
        (400, 10.1)
    """

    rate_hz: float
    start_s: float
    duration_s: float
    segments: tuple[SegmentTruth, ...]
    breaths: tuple[BreathTruth, ...]
    holds: tuple[HoldTruth, ...] = ()
    disconnects: tuple[Span, ...] = ()
    suctions: tuple[Suction, ...] = ()
    efforts: tuple[EffortTruth, ...] = ()
    gaps: tuple[Span, ...] = ()
    capnograph: Capnograph | None = None
    co2_delays: tuple[Delay, ...] = ()
    faults: tuple[Fault, ...] = ()
    channels: tuple[Shown, ...] | None = None
    exchanged: tuple[Shown, Shown] | None = None


def rounded(truth: Truth) -> Truth:
    """The same to six digits after the point: microseconds, and no pressure or volume needs more."""
    return msgspec.convert(_rounded(msgspec.to_builtins(truth)), Truth)


def _rounded(part: object) -> object:
    if isinstance(part, float):
        return round(part, 6)
    if isinstance(part, dict):
        return {key: _rounded(inner) for key, inner in part.items()}
    if isinstance(part, list | tuple):
        return [_rounded(inner) for inner in part]
    return part
