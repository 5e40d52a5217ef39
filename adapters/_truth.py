"""What the simulator knows and a measurement has to find: the truth of a recording. Written by ``simulator``.

Names and units are those of contract.md §3, so that a truth and a breath record can be compared key by key. Pressures
of a lung (``pplat``, ``peep_total``) are its own, alveolar ones, whether or not a hold ever showed them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from adapters._scenario import Capnogram, Circuit, Lung, Span, Ventilator


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class SegmentTruth(_Part, frozen=True, kw_only=True):
    """The constants of the lung and the settings of the ventilator from ``start_s`` (device clock) on."""

    start_s: float
    lung: Lung
    ventilator: Ventilator
    circuit: Circuit
    capnogram: Capnogram | None = None


class HoldTruth(_Part, frozen=True, kw_only=True):
    """A hold that took place, and the lung's pressure when it ended, cmH2O."""

    kind: Literal["inspiratory", "expiratory"]
    start_s: float
    end_s: float
    pressure: float


class CapnogramTruth(_Part, frozen=True, kw_only=True):
    """The expirogram of one breath (algorithms.md §11.3).

    Attributes:
        petco2: At the very end of expiration, mmHg.
        pco2_alv: Phase III at the midpoint of the alveolar volume, mmHg.
        pco2_mixed_exp: Mean over the expired volume, mmHg.
        vd_aw: mL.
        vd_vt_bohr: (pco2_alv - pco2_mixed_exp) / (pco2_alv - inspired).
    """

    petco2: float
    pco2_alv: float
    pco2_mixed_exp: float
    vd_aw: float
    vd_vt_bohr: float


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
        pplat: Alveolar pressure at the end of inspiration, cmH2O.
        peep: Set, cmH2O.
        peep_total_before: Alveolar pressure at the onset, cmH2O.
        peep_total: Alveolar pressure at the end of expiration, cmH2O.
        energy: Integral of airway pressure, PEEP included, over the volume that enters the lung, J.
        insp_hold_s: Zero-flow time at the end of inspiration, pause and hold.
        exp_hold_s: Zero-flow time at the end of expiration.
        disconnected: The circuit was open at some time of this breath.
        co2: None without a capnograph or expiration.
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


class Truth(_Part, frozen=True, kw_only=True, tag_field="schema", tag="truth/1"):
    """The truth of a recording. Breaths are those that begin in it; the last may end after it."""

    rate_hz: float
    start_s: float
    duration_s: float
    segments: tuple[SegmentTruth, ...]
    breaths: tuple[BreathTruth, ...]
    holds: tuple[HoldTruth, ...] = ()
    disconnects: tuple[Span, ...] = ()
    gaps: tuple[Span, ...] = ()


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
