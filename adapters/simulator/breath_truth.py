"""What came of a breath, as its truth says it: the contract's keys and units. Used by ``engine``."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from adapters.simulator import array_layout as at
from adapters.simulator.constants import gas_constants
from adapters.simulator.course import Segment
from adapters.simulator.expired_gas import exhaled_co2
from adapters.simulator.muscles import Pull
from adapters.simulator.scenario import PPM, Capnograph, Scenario, Span
from adapters.simulator.truth import BreathTruth, CapnogramTruth, EffortTruth, HoldTruth
from adapters.simulator.ventilator import PlannedBreath
from streamer.model.chunk import FloatArray
from streamer.model.units import JOULE_PER_L_CMH2O, ML_PER_L, PH2O_BODY_MMHG, STANDARD_MMHG, btps_to_stpd

MIN_EXHALED_L = 1e-3
LEAST_DRAWN_ML = 0.01
CO2_ML_PER_MMHG_L = ML_PER_L * btps_to_stpd() / (STANDARD_MMHG - PH2O_BODY_MMHG)
"""mL STPD in the integral of PCO2 over volume, both BTPS (algorithms §6.3). The barometric pressure cancels."""


class Ran(NamedTuple):
    """How a planned breath went. Airway and lung pressures in cmH2O: static, or static and alveolar."""

    tally: FloatArray
    insp_end_s: float
    end_s: float
    triggers: bool
    before: tuple[float, float]
    turn: tuple[float, float]
    end: tuple[float, float]
    inspired: float
    """PCO2 at the sensor when inspiration ends, mmHg."""
    lowest: tuple[float, float]
    """Least volume of the lung since the expiration before began, and that at the onset, L."""
    exhaled: float
    """Of the patient's gas in expiration, L: what passed the sensor less what was added on the way."""


def tell_breath(scenario: Scenario, breath: PlannedBreath, ran: Ran, *, triggered: bool) -> BreathTruth:
    """The truth of one breath; ``triggered`` by the patient or begun by the ventilator."""
    zero, tally = scenario.start_s, ran.tally
    pmus_insp, pmus_exp = (float(tally[place]) or None for place in (at.PMUS_INSP, at.PMUS_EXP))
    effort = max(abs(pmus_insp or 0.0), abs(pmus_exp or 0.0)) or None
    drawn = ML_PER_L * (ran.lowest[1] - ran.lowest[0])
    return BreathTruth(
        start_s=zero + breath.start_s,
        insp_end_s=zero + ran.insp_end_s,
        end_s=zero + ran.end_s,
        segment=breath.number,
        vt_insp=ML_PER_L * float(tally[at.VT_INSP]),
        vt_exp=ML_PER_L * float(tally[at.VT_EXP]),
        vt_lung=ML_PER_L * float(tally[at.VT_LUNG]),
        ppeak=float(tally[at.PPEAK]),
        pplat=ran.turn[0],
        peep=breath.segment.ventilator.peep_cmh2o,
        peep_total_before=ran.before[0],
        peep_total=ran.end[0],
        energy=JOULE_PER_L_CMH2O * float(tally[at.WORK]),
        energy_net=JOULE_PER_L_CMH2O * float(tally[at.NET_WORK]),
        vt=ML_PER_L * (float(tally[at.TOP]) - ran.lowest[0]),
        drawn=drawn if drawn > LEAST_DRAWN_ML else None,
        palv_before=None if ran.before[1] == ran.before[0] else ran.before[1],
        supported=breath.is_supported,
        insp_hold_s=breath.insp_hold_s,
        exp_hold_s=breath.exp_hold_s,
        disconnected=_happens(scenario.disconnect, breath, ran),
        co2=_capnogram(scenario, breath, ran),
        palv=None if ran.turn[1] == ran.turn[0] else ran.turn[1],
        suctioned=_happens(scenario.suction, breath, ran),
        triggered=triggered,
        pmus_insp=pmus_insp,
        pmus_exp=pmus_exp,
        effort=effort,
        effort_phase=None if effort is None else "inspiration" if abs(pmus_insp or 0.0) == effort else "expiration",
    )


def tell_holds(breath: PlannedBreath, truth: BreathTruth, ran: Ran) -> tuple[HoldTruth, ...]:
    """Its holds, with the pressure that each showed at last."""
    ends = {"inspiratory": (truth.insp_end_s, ran.turn[1]), "expiratory": (truth.end_s, ran.end[1])}
    spans = {"inspiratory": breath.insp_hold_s, "expiratory": breath.exp_hold_s}
    return tuple(
        HoldTruth(
            kind=hold.kind,
            start_s=ends[hold.kind][0] - spans[hold.kind],
            end_s=ends[hold.kind][0],
            pressure=ends[hold.kind][1],
        )
        for hold in breath.held
    )


def tell_effort(scenario: Scenario, pull: Pull) -> EffortTruth:
    """One time that the muscles acted."""
    return EffortTruth(
        start_s=scenario.start_s + pull.start_s,
        end_s=scenario.start_s + pull.end_s,
        amplitude=pull.amplitude,
        effort=pull.effort,
        triggered=tuple(scenario.start_s + at_s for at_s in pull.triggered),
    )


def _happens(spans: tuple[Span, ...], breath: PlannedBreath, ran: Ran) -> bool:
    return any(span.at_s < ran.end_s and span.at_s + span.duration_s > breath.start_s for span in spans)


def _capnogram(scenario: Scenario, breath: PlannedBreath, ran: Ran) -> CapnogramTruth | None:
    part, exhaled = breath.segment.capnogram, ran.exhaled
    if part is None or exhaled < MIN_EXHALED_L:
        return None
    gas = gas_constants(breath.segment)
    alveolar = max(exhaled - part.dead_space_ml / ML_PER_L, 0.0)
    mixed = float(ran.tally[at.CO2_EXP]) / exhaled
    pco2_alv = float(gas[at.PLATEAU] + gas[at.SLOPE] * alveolar / 2)
    expirogram = CapnogramTruth(
        petco2=float(exhaled_co2(exhaled, 0.0, gas)),
        pco2_alv=pco2_alv,
        pco2_mixed_exp=mixed,
        vd_aw=part.dead_space_ml,
        vd_vt_bohr=(pco2_alv - mixed) / (pco2_alv - part.inspired_mmhg),
    )
    if not scenario.tells_co2(breath.segment):
        return expirogram
    told = _timing(scenario, breath.start_s) | _arterial(breath.segment, expirogram, ML_PER_L * exhaled)
    return msgspec.structs.replace(
        expirogram,
        vtco2=CO2_ML_PER_MMHG_L * float(ran.tally[at.CO2_EXP] - ran.tally[at.CO2_INSP]),
        pico2=ran.inspired,
        slope_3=float(gas[at.SLOPE]),
        vt_alv=ML_PER_L * alveolar,
        **told,
    )


def _arterial(segment: Segment, expirogram: CapnogramTruth, exhaled_ml: float) -> dict[str, float]:
    """What takes a blood gas to know."""
    arterial = segment.gas_exchange.arterial_mmhg if segment.gas_exchange else None
    if arterial is None:
        return {}
    enghoff = (arterial - expirogram.pco2_mixed_exp) / arterial
    return {
        "pco2_art": arterial,
        "vd_vt_enghoff": enghoff,
        "vd_alv": enghoff * exhaled_ml - expirogram.vd_aw,
    }


def _timing(scenario: Scenario, onset_s: float) -> dict[str, float]:
    """How late, how slow and by what clock the capnograph shows what passes at ``onset_s``."""
    device, delay_s = scenario.capnograph or Capnograph(), scenario.delays.of_gas(onset_s)
    timing = {"co2_delay": delay_s}
    if device.time_constant_s:
        timing["co2_rise"] = device.rise_s
    if device.rate_hz is not None:
        timing["co2_clock"] = device.clock_offset_s + PPM * device.clock_ppm * (onset_s + delay_s)
    return timing
