"""What came of a breath, as its truth says it: the contract's keys and units. Used by ``_engine``."""

from __future__ import annotations

from typing import NamedTuple

from adapters import _lung as lung
from adapters import _places as at
from adapters._constants import gas_constants
from adapters._course import PlannedBreath
from adapters._effort import Pull
from adapters._scenario import Scenario, Segment, Span
from adapters._truth import BreathTruth, CapnogramTruth, EffortTruth, HoldTruth
from streamer.chunk import FloatArray
from streamer.units import JOULE_PER_L_CMH2O, ML_PER_L

MIN_EXHALED_L = 1e-3


class Ran(NamedTuple):
    """How a planned breath went. Pressures in cmH2O: static, or static and alveolar."""

    tally: FloatArray
    insp_end_s: float
    end_s: float
    triggers: bool
    before: float
    turn: tuple[float, float]
    end: tuple[float, float]


def tell_breath(scenario: Scenario, breath: PlannedBreath, ran: Ran, *, triggered: bool) -> BreathTruth:
    """The truth of one breath; ``triggered`` by the patient or begun by the ventilator."""
    zero, tally = scenario.start_s, ran.tally
    pmus_insp, pmus_exp = (float(tally[place]) or None for place in (at.PMUS_INSP, at.PMUS_EXP))
    effort = max(abs(pmus_insp or 0.0), abs(pmus_exp or 0.0)) or None
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
        peep_total_before=ran.before,
        peep_total=ran.end[0],
        energy=JOULE_PER_L_CMH2O * float(tally[at.WORK]),
        insp_hold_s=breath.insp_hold_s,
        exp_hold_s=breath.exp_hold_s,
        disconnected=_happens(scenario.disconnect, breath, ran),
        co2=_capnogram(breath.segment, tally),
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


def _capnogram(segment: Segment, tally: FloatArray) -> CapnogramTruth | None:
    part, exhaled = segment.capnogram, float(tally[at.VT_EXP])
    if part is None or exhaled < MIN_EXHALED_L:
        return None
    alveolar = max(exhaled - part.dead_space_ml / ML_PER_L, 0.0)
    mixed = float(tally[at.CO2_AREA]) / exhaled
    pco2_alv = part.plateau_mmhg + part.slope_mmhg_l * alveolar / 2
    return CapnogramTruth(
        petco2=float(lung.exhaled_co2(exhaled, gas_constants(segment))),
        pco2_alv=pco2_alv,
        pco2_mixed_exp=mixed,
        vd_aw=part.dead_space_ml,
        vd_vt_bohr=(pco2_alv - mixed) / (pco2_alv - part.inspired_mmhg),
    )
