"""One breath's expired PCO2 over expired volume, with what was found in it: for pictures and notebooks.

    seen = []
    bed = Bed("bench", context=…, on_breath=lambda *one: seen.append(one))
    …
    expirogram = expirogram_of(*seen[-1])

Curves come from the kernels that measured the breath and numbers from its record, so that a picture shows what was
measured. Marks are there where ``vd_aw`` is, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamer.core.metrics import BreathFeatures, MeasurementContext, NotMeasurable, scale_of
from streamer.core.metrics.gases import arterial_pco2
from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.reasons import Reason
from streamer.model.records import BreathRecord
from streamer.model.units import ML_PER_L

PHASE_1_MMHG = 2.0
"""Phase I ends where PCO2 comes this much above what is inspired (algorithms §6.3)."""
ARTERIAL = "pco2_art"
LEVELS = ("petco2", "pco2_alv", "pco2_mixed_exp")


class Line(NamedTuple):
    """A straight line: mmHg at no volume, mmHg per litre, and between which volumes (mL) it was fitted or touches."""

    start: float
    slope: float
    from_ml: float
    to_ml: float

    def at(self, volume_ml: float) -> float:
        """PCO2 in mmHg at an expired volume in mL."""
        return self.start + self.slope * volume_ml / ML_PER_L


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Where the phases and the dead space lie; mL of expired volume.

    Attributes:
        dead_ml: Airway dead space: Fowler's line.
        phase_1_ml: End of phase I.
        phase_2_ml: End of phase II, where its tangent meets the line of phase III; None where ``slope_2`` is withheld.
        phase_3: The line of phase III, from and to where it was fitted.
        tangent: Of phase II where it is steepest, up to the line of phase III; None likewise.
        fitted_mmhg: (200,) the fitted curve of four parameters; NaN where the fit did not settle.
    """

    dead_ml: float
    phase_1_ml: float
    phase_2_ml: float | None
    phase_3: Line
    tangent: Line | None
    fitted_mmhg: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expirogram:
    """Expired PCO2 at body conditions over expired, leak-corrected volume.

    Attributes:
        expired_ml: Expired volume.
        inspired_mmhg: PCO2 that areas and phases are counted from.
        volume_ml: (200,) middles of equal parts of the expired volume.
        pco2_mmhg: (200,) mean PCO2 of each.
        sample_ml: (m,) volume at which each sample of the capnogram lies.
        sample_mmhg: (m,) those samples.
        levels: PCO2 in mmHg by metric key, and ``pco2_art`` of a blood gas that holds; empty where the capnogram gives
            nothing over volume.
        withheld: Why there is no airway dead space.
        marks: Phases and dead space; None where ``withheld``.
    """

    expired_ml: float
    inspired_mmhg: float
    volume_ml: FloatArray
    pco2_mmhg: FloatArray
    sample_ml: FloatArray
    sample_mmhg: FloatArray
    levels: Mapping[str, float]
    withheld: Reason | None
    marks: Marks | None

    def areas(self) -> tuple[float, float]:
        """The two areas that Fowler's line makes equal, mmHg·mL: below the curve before it, above the curve after it.

        Raises:
            ValueError: The dead space is withheld.
        """
        if self.marks is None:
            raise ValueError(f"no airway dead space: {self.withheld}")
        dead, step = self.marks.dead_ml, self.expired_ml / self.volume_ml.size
        after = np.clip((self.volume_ml + step / 2.0 - dead) / step, 0.0, 1.0)
        line = self.marks.phase_3.at((dead + self.expired_ml) / 2.0) * (self.expired_ml - dead)
        before = float(np.sum((self.pco2_mmhg - self.inspired_mmhg) * (1.0 - after))) * step
        return before, line - float(np.sum(self.pco2_mmhg * after)) * step


def expirogram_of(breath: Breath, record: BreathRecord, given: MeasurementContext) -> Expirogram | None:
    """The expirogram of a breath as ``Bed`` hands it to its observer; None without a whole capnogram on volume."""
    if breath.pco2 is None or not breath.flow.size:
        return None
    from streamer.core.metrics.features.expirogram import cells  # noqa: PLC0415 (loads the compiler)
    from streamer.core.metrics.features.extract import features_and_grid, tail_of  # noqa: PLC0415 (loads the compiler)

    features, tidal, grid = features_and_grid(breath)
    if not grid.size or math.isnan(grid[0]):
        return None
    scale = scale_of(given.context)
    inspired = features.co2_inspired * scale
    edges, samples, _ = cells(breath.pco2, tidal, breath.rate_hz, breath.insp_end, 0.0, tail_of(breath))
    volume = (np.arange(grid.size) + 0.5) * features.co2_volume / grid.size * ML_PER_L
    withheld = record.missing.get("vd_aw")
    return Expirogram(
        expired_ml=features.co2_volume * ML_PER_L,
        inspired_mmhg=inspired,
        volume_ml=volume,
        pco2_mmhg=grid * scale + inspired,
        sample_ml=(edges[:-1] + edges[1:]) / 2.0 * ML_PER_L,
        sample_mmhg=samples * scale,
        levels=_levels(record, given),
        withheld=None if withheld is None else Reason(withheld),  # type: ignore[call-arg]  # looks up a member
        marks=_marks(features, record, grid * scale, volume, scale) if withheld is None else None,
    )


def _levels(record: BreathRecord, given: MeasurementContext) -> dict[str, float]:
    """Pressures to compare with the curve, where there is one to compare with."""
    if "pco2_mixed_exp" not in record.values:
        return {}
    found = {key: record.values[key] for key in LEVELS if key in record.values}
    with suppress(NotMeasurable):
        found[ARTERIAL] = arterial_pco2(given)
    return found


def _marks(
    features: BreathFeatures, record: BreathRecord, above: FloatArray, volume_ml: FloatArray, scale: float
) -> Marks:
    """``above``: (200,) mmHg above what is inspired."""
    inspired, dead = features.co2_inspired * scale, record.values["vd_aw"]
    step = volume_ml[0] * 2.0
    fitted = features.co2_line_from * ML_PER_L, features.co2_line_to * ML_PER_L
    phase_3 = Line(features.co2_start * scale + inspired, features.co2_slope * scale, *fitted)
    low = np.flatnonzero((above < PHASE_1_MMHG) & (volume_ml < dead))
    tangent = _tangent(features, record, phase_3, scale)
    return Marks(
        dead_ml=dead,
        phase_1_ml=float(volume_ml[low[-1]] + step / 2.0) if low.size else 0.0,
        phase_2_ml=None if tangent is None else tangent.to_ml,
        phase_3=phase_3,
        tangent=tangent,
        fitted_mmhg=_fitted(features, volume_ml / ML_PER_L) * scale + inspired,
    )


def _tangent(features: BreathFeatures, record: BreathRecord, phase_3: Line, scale: float) -> Line | None:
    """Through the middle of the fitted edge, from what is inspired up to the line of phase III."""
    slope, middle_ml = record.values.get("slope_2"), record.values.get("vd_aw_fit")
    if slope is None or middle_ml is None or slope <= phase_3.slope:
        return None
    half, inspired = features.co2_fit_p0 * scale / 2.0, features.co2_inspired * scale
    start = half + inspired - slope * middle_ml / ML_PER_L
    meet_ml = (phase_3.start - start) / (slope - phase_3.slope) * ML_PER_L
    return Line(start, slope, middle_ml - half / slope * ML_PER_L, meet_ml)


def _fitted(features: BreathFeatures, volume_l: FloatArray) -> FloatArray:
    """(p0 + s·x) / (1 + exp(-x/w)), x = V - VD, in mmHg above what is inspired, as the sensor gives it."""
    x = volume_l - features.co2_fit_dead
    edge = 1.0 / (1.0 + np.exp(np.clip(-x / features.co2_fit_width, -700.0, 700.0)))
    curve: FloatArray = (features.co2_fit_p0 + features.co2_fit_slope * x) * edge
    return curve
