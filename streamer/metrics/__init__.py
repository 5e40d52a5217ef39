"""Every metric of a breath: ``fold`` reduces its arrays, ``measure`` turns the fold into values and reasons. Floor 1.

    folded = fold(breath)
    measures = measure(breath, folded, Given(context=…, blood_gas=…, blood_gas_age_s=…, around=…, before=…), flags)

Each public file beside this one is found by itself and holds one family of metrics, in the words of ``Fold``.
``METRICS`` (key → unit, codes, one line) drives tables, messages and summaries; reading it needs no compiler.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple

from streamer.breath import Breath
from streamer.metrics._balance import balance_of
from streamer.metrics._capnogram import capnogram_of, scale_of
from streamer.metrics._crosscheck import CrossCheck
from streamer.metrics._draws import Draws
from streamer.metrics._estimate import Estimate, estimate_of
from streamer.metrics._folded import Fold, nothing
from streamer.metrics._given import Given, Start, start_of
from streamer.metrics._past import Memory, Past
from streamer.metrics._plan import Plan, plan_of
from streamer.metrics._registry import (
    NOT_PASSIVE,
    WITHHELD,
    Graded,
    Metric,
    NotMeasurable,
    Volume,
    declared,
    in_order,
    metric,
    withheld,
)
from streamer.reasons import Reason
from streamer.records import Flag

__all__ = [
    "HELD", "METRICS", "NOT_PASSIVE", "WEIGHTED_BY", "CrossCheck", "Draws", "Estimate", "Fold", "Given", "Graded",
    "Measures", "Memory", "Metric", "NotMeasurable", "Past", "Start", "Volume", "fold", "measure", "metric", "nothing",
    "scale_of",
]  # fmt: skip

FAMILIES = (
    "timing", "volumes", "pressures", "mechanics", "estimates", "power", "power_parts", "capnography", "expired_co2",
    "dead_space", "gases",
)  # fmt: skip
"""The order in which families are shown; any other file follows."""
MIN_FULL_RATE_HZ = 50.0
"""Below, quality is B at best (algorithms §1)."""

_found = {name for _, name, _ in pkgutil.iter_modules(__path__) if not name.startswith("_")}
for _family in (*(name for name in FAMILIES if name in _found), *sorted(_found.difference(FAMILIES))):
    import_module(f"{__name__}.{_family}")

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


def fold(breath: Breath) -> Fold:
    """Reduce a breath's arrays to the numbers that metrics are written in."""
    from streamer.metrics import _fold  # noqa: PLC0415 (loads the compiler: a list of metrics should not)

    return _fold.fold(breath)


def measure(breath: Breath, folded: Fold, given: Given, flags: Collection[Flag]) -> Measures:
    """Find every metric of a breath, or the reason why it is missing.

    Args:
        breath: The breath; only its times, rate and leak are read here.
        folded: ``fold(breath)``.
        given: What it is measured against.
        flags: All its labels: the segmenter's and ``labels.Labeller``'s.
    """
    missing = dict(_labelled(frozenset(flags)))
    if len(missing) == len(METRICS):
        return Measures({}, missing, {}, {})
    start = start_of(folded, given.before)
    estimate = estimate_of(breath, folded, given, start)
    capnogram = capnogram_of(breath, folded, given)
    balance = balance_of(breath, folded, given, flags)
    worst = "B" if breath.rate_hz < MIN_FULL_RATE_HZ else given.worst
    found = Measures({}, missing, {}, {}, estimate)
    _plan()(breath, folded, given, start, flags, estimate, capnogram, worst, *balance, *found[:4])
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
