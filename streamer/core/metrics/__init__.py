"""Every metric of a breath.

``extract_features`` reduces its arrays, ``measure`` turns the fold into values and reasons.

    features = extract_features(breath) measures = measure(breath, features, MeasurementContext(context=…, blood_gas=…,
    blood_gas_age_s=…, around=…, before=…), flags)

Each public file beside this one is found by itself and holds one family of metrics, in the words of ``BreathFeatures``.
``METRICS`` (key → unit, codes, one line) drives tables, messages and summaries; reading it needs no compiler.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import NamedTuple

from streamer.core.metrics import (
    capnography,
    dead_space,
    estimates,
    expired_co2,
    gases,
    mechanics,
    power,
    power_parts,
    pressures,
    timing,
    volumes,
)
from streamer.core.metrics.blood_gas_tracker import BloodGasTracker
from streamer.core.metrics.breath_history import BreathHistory, RecentBreaths
from streamer.core.metrics.capnogram_gates import capnogram_of, scale_of
from streamer.core.metrics.features.breath_features import BreathFeatures, no_features
from streamer.core.metrics.measurement_context import MeasurementContext, OnsetState, start_of
from streamer.core.metrics.metric_plan import Plan, plan_of
from streamer.core.metrics.passive_estimate import Estimate, estimate_of
from streamer.core.metrics.power_cross_check import CrossCheck
from streamer.core.metrics.registry import (
    Graded,
    Metric,
    NotMeasurable,
    Volume,
    declared,
    in_order,
    metric,
    withheld,
)
from streamer.core.metrics.volume_balance import balance_of
from streamer.model import entry_points
from streamer.model.breath import Breath
from streamer.model.flags import WITHHELD, Flag
from streamer.model.reasons import Reason

__all__ = [
    "HELD",
    "METRICS",
    "WEIGHTED_BY",
    "BloodGasTracker",
    "BreathFeatures",
    "BreathHistory",
    "CrossCheck",
    "Estimate",
    "Graded",
    "MeasurementContext",
    "Measures",
    "Metric",
    "NotMeasurable",
    "OnsetState",
    "RecentBreaths",
    "Volume",
    "extract_features",
    "measure",
    "metric",
    "no_features",
    "scale_of",
]

FAMILIES = (
    timing, volumes, pressures, mechanics, estimates, power, power_parts, capnography, expired_co2, dead_space, gases,
)  # fmt: skip
"""Each declares its metrics when it is imported; they are shown in this order, others' after them."""
MIN_FULL_RATE_HZ = 50.0
"""Below, quality is B at best (algorithms §1)."""

entry_points.loaded(entry_points.METRICS, ModuleType)

METRICS: Mapping[str, Metric] = declared()
WEIGHTED_BY: Mapping[str, str] = MappingProxyType({k: one.weighted_by for k, one in METRICS.items() if one.weighted_by})
HELD = frozenset(key for key, one in METRICS.items() if one.held)
_ORDERED = in_order(METRICS)
CONTRADICTED, EFFORT = Reason.PASSIVITY_CONTRADICTED.value, Reason.PATIENT_EFFORT.value
"""What an effort is called where the operator asserts that there is none, and elsewhere."""


class Measures(NamedTuple):
    """What one breath gives. ``values`` and ``missing`` share out the keys of ``METRICS`` between them."""

    values: dict[str, float]
    missing: dict[str, str]
    quality: dict[str, str]
    methods: dict[str, str]
    estimate: Estimate | None = None
    """The lung as this breath alone shows it, trusted or not; None where the breath is withheld altogether."""


def extract_features(breath: Breath) -> BreathFeatures:
    """Reduce a breath's arrays to the numbers that metrics are written in."""
    from streamer.core.metrics.features import extract  # noqa: PLC0415 (loads the compiler: a list should not)

    return extract.extract_features(breath)


def measure(breath: Breath, features: BreathFeatures, given: MeasurementContext, flags: Collection[Flag]) -> Measures:
    """Find every metric of a breath, or the reason why it is missing.

    Args:
        breath: The breath; only its times, rate and leak are read here.
        features: ``extract_features(breath)``.
        given: What it is measured against.
        flags: All its labels: the segmenter's and ``labels.Labeller``'s.
    """
    missing = dict(_labelled(frozenset(flags)))
    if len(missing) == len(METRICS):
        return Measures({}, missing, {}, {})
    start = start_of(features, given.before)
    estimate = estimate_of(breath, features, given, start)
    capnogram = capnogram_of(breath, features, given)
    balance = balance_of(breath, features, given, flags)
    worst = "B" if breath.rate_hz < MIN_FULL_RATE_HZ else given.worst
    found = Measures({}, missing, {}, {}, estimate)
    _plan()(breath, features, given, start, flags, estimate, capnogram, worst, *balance, *found[:4])
    if given.context.passive == "asserted":
        missing |= {key: CONTRADICTED for key, reason in missing.items() if reason == EFFORT}
    return found


@cache
def _plan() -> Plan:
    """Written out at the first breath: a list of metrics should not wait for it."""
    return plan_of(_ORDERED)


@cache
def _labelled(flags: frozenset[Flag]) -> Mapping[str, str]:
    """What labels alone withhold: key → reason. There are few combinations of labels."""
    for flag, reason in WITHHELD:
        if flag in flags:
            return dict.fromkeys(METRICS, reason.value)
    return {one.key: reason.value for one in _ORDERED for flag, reason in reversed(withheld(one)) if flag in flags}
