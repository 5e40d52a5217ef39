"""Every metric of a breath: ``fold`` reduces its arrays, ``measure`` turns the fold into values and reasons. Floor 1.

    folded = fold(breath)
    measures = measure(breath, folded, Given(context=…, blood_gas=…, blood_gas_age_s=…, around=…, before=…), flags)

Each public file beside this one is found by itself and holds one family of metrics, in the words of ``Fold``.
``METRICS`` (key → unit, codes, one line) drives tables, messages and summaries; reading it needs no compiler.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Collection, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

from streamer.breath import Breath
from streamer.metrics._balance import Balance, balance_of
from streamer.metrics._capnogram import capnogram_of, scale_of
from streamer.metrics._crosscheck import CrossCheck
from streamer.metrics._draws import Draws
from streamer.metrics._estimate import Estimate, estimate_of
from streamer.metrics._folded import Fold, nothing
from streamer.metrics._given import Given, Start, start_of
from streamer.metrics._past import Memory, Past
from streamer.metrics._registry import (
    NOT_PASSIVE,
    WITHHELD,
    Graded,
    Maybe,
    Metric,
    NotMeasurable,
    Step,
    Volume,
    declared,
    in_order,
    metric,
    plan,
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
_PLAN = plan(in_order(METRICS))
CONTRADICTED = Reason.PASSIVITY_CONTRADICTED.value
"""What an effort is called where the operator asserts that there is none."""


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
    found = Measures({}, dict(_labelled(frozenset(flags))), {}, {})
    missing = found.missing
    if len(missing) == len(METRICS):
        return found
    start = start_of(folded, given.before)
    estimate = estimate_of(breath, folded, given, start)
    found = found._replace(estimate=estimate)
    pool: dict[str, Any] = dict(zip(Fold._fields, folded, strict=True))
    pool |= {
        "breath": breath,
        "folded": folded,
        "given": given,
        "flags": flags,
        "start": start,
        "estimate": estimate,
        "capnogram": capnogram_of(breath, folded, given),
    }
    worst = "B" if breath.rate_hz < MIN_FULL_RATE_HZ else ""
    balance = balance_of(breath, folded, given.past, flags)
    for step in _PLAN:
        if step.key not in missing:
            for key in step.keys:
                if key in missing:
                    missing[step.key] = missing[key]
                    break
            else:
                reason = _apply(step, pool, found, worst, balance)
                if reason is not None:
                    missing[step.key] = reason
        if step.maybe:
            pool[step.maybe] = _maybe(step.key, found)
    if given.context.passive == "asserted":
        missing |= {key: CONTRADICTED for key, reason in missing.items() if reason == Reason.PATIENT_EFFORT}
    return found


def _maybe(key: str, found: Measures) -> Maybe:
    """What a metric gives, or why it gives nothing."""
    if key in found.values:
        return Graded(found.values[key], found.quality.get(key), found.methods.get(key))
    return Reason(found.missing[key])  # type: ignore[call-arg]  # looks up a member


@cache
def _labelled(flags: frozenset[Flag]) -> Mapping[str, str]:
    """What labels alone withhold: key → reason. There are few combinations of labels."""
    for flag, reason in WITHHELD:
        if flag in flags:
            return dict.fromkeys(METRICS, reason.value)
    return {step.key: reason.value for step in _PLAN for flag, reason in reversed(step.withheld) if flag in flags}


def _apply(step: Step, pool: dict[str, Any], found: Measures, grade: str, balance: Balance) -> str | None:
    """Run one formula; its value goes into ``found``, or its reason is returned."""
    try:
        value = step.run(pool)
    except NotMeasurable as answer:
        return str(answer.reason)
    except ZeroDivisionError:
        return Reason.IMPLAUSIBLE.value
    method = None
    if isinstance(value, Graded):
        value, quality, method = value
        grade = max(grade, quality or "")
    if not step.low <= value <= step.high:
        return step.absent if math.isnan(value) else Reason.IMPLAUSIBLE.value
    refused = balance.refused[step.volume]
    if refused is not None:
        return refused.value
    grade = max([grade, balance.grade[step.volume], *[found.quality[key] for key in step.keys if key in found.quality]])
    if method:
        found.methods[step.key] = method
    if grade:
        found.quality[step.key] = grade
    pool[step.key] = found.values[step.key] = value
    return None
