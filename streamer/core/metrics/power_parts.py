"""Parts of mechanical power, its closed form, and power by body and lung size (algorithms §5.2-5.3).

    mp = mp_peep + mp_elastic + mp_resistive        K·RR·VT·(total PEEP), K·RR·½·VT·ΔP, and what is left

The three come from one pair of pressures (``elastic_pressure``) and are there together or not at all, so that they add
up to ``mp`` breath by breath and, weighted by time alike, in a window whose breaths all have them. Where what is left
would be negative, all three are withheld: the lung cannot store more than was delivered, so the plateau, total PEEP or
the work is wrong, and nothing says which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streamer.core.metrics.elastic_pressure import (
    ESTIMATED,
    MEASURED,
    METHODS,
    PCV_FULL,
    VCV_SIMPLE,
    closed_form,
    elastic,
)
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import PREDICTED, STATED, MeasurementContext, OnsetState, weight_kg
from streamer.core.metrics.power import MAX_POWER, POWER
from streamer.core.metrics.registry import Graded, Maybe, NotMeasurable, Volume, metric
from streamer.model.flags import Asks
from streamer.model.reasons import Reason
from streamer.model.units import JOULE_PER_L_CMH2O, ML_PER_L

PRESSURES = ("pplat", "pplat_est", "peep_total_est")


@metric(
    unit="J/min",
    about="Mechanical power by the closed form that fits the breath: a check on mp, not a better number",
    bounds=(POWER[0], MAX_POWER),
    weighted_by="ttot",
    methods=(VCV_SIMPLE, PCV_FULL),
    absent=Reason.NO_CLOSED_FORM,
    asks=Asks.PASSIVE,
    source="Gattinoni 2016, Becher 2019",
    maybe=(*PRESSURES, "rrs_insp_est"),
    volume=Volume.TIGHT,
)
def mp_surrogate(  # noqa: PLR0917 (names are what it needs)
    features: BreathFeatures,
    vt: float,
    rr: float,
    start: OnsetState,
    pplat: Maybe,
    pplat_est: Maybe,
    peep_total_est: Maybe,
    rrs_insp_est: Maybe,
) -> Graded:
    """Square flow: ``vcv_simple``; level pressure: ``pcv_full``, its rise time from the waveform. J/min."""
    lung = elastic(start, pplat, pplat_est, peep_total_est)
    return closed_form(features, vt / ML_PER_L, rr, lung, rrs_insp_est)


class Parts(NamedTuple):
    """Parts of the power of a breath, J/min, with their quality and method."""

    peep: float
    elastic: float
    resistive: float
    quality: str
    method: str


def _parts(mp: float, rr: float, vt: float, pressures: tuple[OnsetState, Maybe, Maybe, Maybe]) -> Parts:
    """The parts of one breath. Raises ``NotMeasurable`` where no pair of pressures is known or the rest is negative."""
    lung = elastic(*pressures)
    per_cmh2o = JOULE_PER_L_CMH2O * rr * vt / ML_PER_L
    peep, stretch = per_cmh2o * lung.rest, per_cmh2o * 0.5 * lung.above
    resistive = mp - peep - stretch
    if resistive < 0.0:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return Parts(peep, stretch, resistive, lung.quality, lung.method)


def _part(key: str, about: str, doc: str, pick: Callable[[Parts], float]) -> None:
    """Declare one of the three parts: they need the same and are withheld together."""

    def formula(  # noqa: PLR0917 (names are what it needs)
        mp: float,
        rr: float,
        vt: float,
        start: OnsetState,
        pplat: Maybe,
        pplat_est: Maybe,
        peep_total_est: Maybe,
    ) -> Graded:
        parts = _parts(mp, rr, vt, (start, pplat, pplat_est, peep_total_est))
        return Graded(pick(parts), parts.quality, parts.method)

    formula.__name__, formula.__doc__ = key, doc
    metric(
        unit="J/min",
        about=about,
        bounds=POWER,
        weighted_by="ttot",
        methods=METHODS,
        asks=Asks.PASSIVE,
        maybe=PRESSURES,
        volume=Volume.TIGHT,
    )(formula)


_part(
    "mp_peep",
    "Part of mechanical power that moves the tidal volume against total PEEP",
    "K·RR·VT·(total PEEP), J/min.",
    lambda parts: parts.peep,
)
_part(
    "mp_elastic",
    "Part of mechanical power that stretches the lung and chest wall, above total PEEP",
    "K·RR·½·VT·(plateau - total PEEP), J/min.",
    lambda parts: parts.elastic,
)
_part(
    "mp_resistive",
    "Part of mechanical power that resistance dissipates in inspiration",
    "What the other two leave of the integral, J/min; never negative.",
    lambda parts: parts.resistive,
)


@metric(
    unit="J/min/kg",
    about="Mechanical power by body weight: predicted for adults, as stated for children and newborns",
    bounds=(-5.0, 30.0),
    weighted_by="ttot",
    methods=(PREDICTED, STATED),
)
def mp_pbw(mp: float, given: MeasurementContext) -> Graded:
    """``mp`` over weight, J/min/kg."""
    weight, method = weight_kg(given.context)
    return Graded(mp / weight, None, method)


@metric(
    unit="J/min/(mL/cmH2O)",
    ucum="J/min/(mL/cm[H2O])",
    about="Mechanical power by compliance of the respiratory system",
    bounds=(-5.0, 100.0),
    weighted_by="ttot",
    methods=METHODS,
    asks=Asks.MECHANICS,
    maybe=("crs", "crs_est"),
)
def mp_crs(mp: float, crs: Maybe, crs_est: Maybe) -> Graded:
    """``mp`` over ``crs`` where this breath has a hold, else over ``crs_est``, J/min per mL/cmH2O."""
    found = crs if isinstance(crs, Graded) else crs_est
    if not isinstance(found, Graded):
        raise NotMeasurable(found)
    return Graded(mp / found.value, found.quality, MEASURED if found is crs else ESTIMATED)
