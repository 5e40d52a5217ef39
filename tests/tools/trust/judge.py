"""What is true of a breath, key by key, and how far a published number may lie from it (the issue's tolerances).

A truth is a range: where quantities that are both right differ (static or alveolar pressure, total PEEP before or after
the breath), a number anywhere between them is right. ``None``: nothing to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from adapters.simulator.truth import BreathTruth, CapnogramTruth, SegmentTruth
from streamer.model.context import Context

ONSET_S = 0.05
"""What the two onsets of a period may be off the valve's together, beyond the tolerance."""
PBW = {"male": 50.0, "female": 45.5}


Numbers: TypeAlias = tuple[float, ...]
UNEXPIRED = 0.02
"""Of what was inspired: less is no expiration, and the gas of two stacked breaths cannot be told apart."""


class Known(NamedTuple):
    """All that a judgement rests on."""

    breath: BreathTruth
    segment: SegmentTruth
    context: Context
    before: BreathTruth | None = None

    @property
    def volumes(self) -> Numbers:
        """Of the breath, mL. Matters of taste are whether gas belongs to it that

        - a controller blew in at PEEP, or an emptied lung took back;
        - a ringing valve let out again before expiration began.
        """
        ringing, drawn = self.segment.ringing, self.breath.drawn or 0.0
        is_blown = ringing is not None and ringing.peep_amplitude_cmh2o > 0.0
        is_blown = is_blown or (
            self.before is not None and self.before.vt_exp - self.before.vt_insp > 0.25 * drawn > 0.0
        )
        found = (self.vt - drawn, self.vt) if is_blown else (self.vt,)
        return found if ringing is None else (*found, self.breath.vt_exp)

    @property
    def is_stacked(self) -> bool:
        """Its gas is not its own: nothing was expired before it, or in it."""
        pair = self.breath if self.before is None else self.before, self.breath
        return any(one.vt_exp < UNEXPIRED * one.vt_insp for one in pair)

    @property
    def is_disturbed(self) -> bool:
        """Disconnected or under suction, or the breath before was."""
        return any(one is not None and (one.disconnected or one.suctioned) for one in (self.breath, self.before))

    @property
    def ttot_s(self) -> float:
        return self.breath.end_s - self.breath.start_s

    @property
    def vt(self) -> float:
        return self.breath.vt or self.breath.vt_lung

    @property
    def palv(self) -> float:
        return self.breath.pplat if self.breath.palv is None else self.breath.palv

    @property
    def energies(self) -> tuple[float, ...]:
        net = self.breath.energy_net
        return self.breath.energy, self.breath.energy if net is None else net


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One key.

    Attributes:
        true: Numbers that span the truth; none where there is none.
        a: Largest error at grade A (and where no grade is given): a share of the truth, or in the key's unit.
        b: Likewise at B; C counts as B.
        is_share: Which of both.
        at_most: In the key's unit, where ``is_share`` and a grade of A.
    """

    true: Callable[[Known], Numbers]
    a: float
    b: float
    is_share: bool = True
    at_most: float = float("inf")

    def error(self, value: float, known: Known) -> float | None:
        """Signed distance from the true range, in the key's unit; None where nothing is true."""
        truths = self.true(known)
        if not truths:
            return None
        low, high = min(truths), max(truths)
        return value - high if value > high else value - low if value < low else 0.0

    def allowed(self, grade: str, known: Known) -> float:
        """In the key's unit."""
        tolerance = self.a if grade == "A" else self.b
        if not self.is_share:
            return tolerance
        allowed = tolerance * max(abs(one) for one in self.true(known))
        return min(allowed, self.at_most) if grade == "A" else allowed


def _co2(read: Callable[[CapnogramTruth], float | None]) -> Callable[[Known], Numbers]:
    def true(known: Known) -> Numbers:
        value = None if known.breath.co2 is None else read(known.breath.co2)
        return () if value is None else (value,)

    return true


def _compliance(known: Known) -> Numbers:
    breath = known.breath
    before = breath.peep_total_before if breath.palv_before is None else breath.palv_before
    rise = known.palv - before
    is_passive = breath.effort is None
    return (known.segment.crs, known.vt / rise) if is_passive and rise > 1.0 else (known.segment.crs,)


def _per_weight(known: Known) -> Numbers:
    context = known.context
    if known.is_stacked:
        return ()
    if context.patient_class == "adult" and context.sex and context.height_cm:
        weight = PBW[context.sex] + 0.91 * (context.height_cm - 152.4)
    elif context.weight_kg:
        weight = context.weight_kg
    else:
        return ()
    return tuple(volume / weight for volume in known.volumes)


def _minute(known: Known) -> Numbers:
    breath = known.breath
    volumes = [breath.vt_exp, *known.volumes]
    if not (
        known.segment.circuit.leak_l_min_per_sqrt_cmh2o or known.segment.nebuliser
    ):  # also what left before the end
        volumes.append(breath.vt_insp + known.segment.crs * (breath.peep_total_before - breath.peep_total))
    return () if known.is_stacked else tuple(0.06 * volume / known.ttot_s for volume in volumes)


def _power(known: Known) -> Numbers:
    return () if known.is_stacked else tuple(60.0 * one / known.ttot_s for one in known.energies)


def _rise(known: Known) -> Numbers:
    breath = known.breath
    floors = breath.peep, breath.peep_total_before
    return tuple(top - floor for top in (breath.pplat, known.palv) for floor in floors)


def _est_rise(known: Known) -> Numbers:
    return tuple(top - known.breath.peep_total_before for top in (known.breath.pplat, known.palv))


def _vco2(known: Known) -> Numbers:
    co2 = known.breath.co2
    return () if co2 is None or co2.vtco2 is None else (60.0 * co2.vtco2 / known.ttot_s,)


def _sn3(known: Known) -> Numbers:
    co2 = known.breath.co2
    return () if co2 is None or not co2.slope_3 else (co2.slope_3 / co2.pco2_alv,)


JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        "rr": Judge(true=lambda k: (60 / (k.ttot_s + ONSET_S), 60 / (k.ttot_s - ONSET_S)), a=0.01, b=0.03),
        "vt": Judge(true=lambda k: () if k.is_stacked else k.volumes, a=0.05, b=0.10),
        "vt_pbw": Judge(true=_per_weight, a=0.05, b=0.10),
        "minute_volume": Judge(true=_minute, a=0.05, b=0.10),
        "ppeak": Judge(true=lambda k: (k.breath.ppeak,), a=1.0, b=1.5, is_share=False),
        "peep": Judge(true=lambda k: (k.breath.peep,), a=1.0, b=1.5, is_share=False),
        "pplat": Judge(true=lambda k: (k.breath.pplat, k.palv), a=1.0, b=1.5, is_share=False),
        "peep_total": Judge(true=lambda k: (k.breath.peep_total,), a=1.0, b=1.5, is_share=False),
        "auto_peep": Judge(true=lambda k: (k.breath.peep_total - k.breath.peep,), a=1.0, b=1.5, is_share=False),
        "driving_pressure": Judge(true=_rise, a=1.0, b=1.5, is_share=False),
        "crs": Judge(true=_compliance, a=0.05, b=0.10),
        "crs_est": Judge(true=_compliance, a=0.05, b=0.10),
        "pplat_est": Judge(true=lambda k: (k.breath.pplat, k.palv), a=1.0, b=1.5, is_share=False),
        "peep_total_est": Judge(
            true=lambda k: (k.breath.peep_total_before, k.breath.peep_total), a=1.0, b=1.5, is_share=False
        ),
        "driving_pressure_est": Judge(true=_est_rise, a=1.0, b=1.5, is_share=False),
        "mp": Judge(true=_power, a=0.05, b=0.10),
        "petco2": Judge(true=_co2(lambda c: c.petco2), a=1.0, b=2.0, is_share=False),
        "pco2_alv": Judge(true=_co2(lambda c: c.pco2_alv), a=1.0, b=2.0, is_share=False),
        "pco2_mixed_exp": Judge(true=_co2(lambda c: c.pco2_mixed_exp), a=1.0, b=2.0, is_share=False),
        "vtco2": Judge(true=_co2(lambda c: c.vtco2), a=0.05, b=0.10),
        "vco2": Judge(true=_vco2, a=0.05, b=0.10),
        "vd_aw": Judge(true=_co2(lambda c: c.vd_aw), a=0.12, b=0.12, at_most=8.0),
        "vd_vt_bohr": Judge(true=_co2(lambda c: c.vd_vt_bohr), a=0.02, b=0.03, is_share=False),
        "slope_3": Judge(true=_co2(lambda c: c.slope_3 or None), a=0.20, b=0.35),
        "sn_3": Judge(true=_sn3, a=0.20, b=0.35),
    }
)  # fmt: skip
"""Key → its truth and tolerance."""
