"""The declared metrics as one Python function, written out from their declarations.

A loop over declarations looks up, for each metric of each breath, what never changes: names, bounds, what it needs.
Written out, they are locals and literals, which takes half the time. ``print(written(in_order(METRICS)))`` shows the
text; a loop that says the same in twenty lines is the test of it (``tests/core/metrics/test_metric_plan.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.registry import Graded, Metric, NotMeasurable
from streamer.model.reasons import Reason

Plan: TypeAlias = Callable[..., None]
"""Called with what stands in ``HEAD``; fills the four dictionaries. ``missing`` holds what labels withhold."""

HEAD = """\
def plan(
    breath, features, given, start, flags, estimate, capnogram,
    worst, grades, refused, values, missing, quality, methods,
):
    grade_0, grade_1, grade_2, grade_3 = grades
    refused_0, refused_1, refused_2, refused_3 = refused
"""
FIELD = """\
    {name} = features.{name}
"""
METRIC = """\
    reason = missing.get({key!r}){lacking}
    if reason is None:
        try:
            value = {key}_formula({arguments})
        except NotMeasurable as answer:
            reason = answer.reason.value
        except ZeroDivisionError:
            reason = {implausible!r}
        else:
            grade, method = worst, None
            if value.__class__ is Graded:
                value, own, method = value
                if own is not None and own > grade:
                    grade = own
            if not {low!r} <= value <= {high!r}:
                reason = {absent!r} if value != value else {implausible!r}
            elif refused_{volume} is not None:
                reason = refused_{volume}.value
            else:
                {key} = values[{key!r}] = value
                if grade_{volume} > grade:
                    grade = grade_{volume}
{grades}\
                if method:
                    methods[{key!r}] = method
                if grade:
                    quality[{key!r}] = grade
                {key}_grade = grade
    if reason is not None:
        missing[{key!r}] = reason
    {key}_reason = reason
"""
GRADE = """\
                if {key}_grade > grade:
                    grade = {key}_grade
"""
MAYBE = """\
    if reason is None:
        {key}_maybe = Graded(value, grade or None, method or None)
    else:
        {key}_maybe = REASONS[reason]
"""


def plan_of(metrics: Iterable[Metric]) -> Plan:
    """The function that finds ``metrics``, each of which comes after what it needs."""
    ordered = tuple(metrics)
    names: dict[str, Any] = {f"{one.key}_formula": one.formula for one in ordered}
    names |= {"Graded": Graded, "NotMeasurable": NotMeasurable, "REASONS": {one.value: one for one in Reason}}
    names |= {"inf": math.inf}
    exec(compile(written(ordered), "<metrics>", "exec"), names)  # noqa: S102 (text of this module, from declarations)
    plan: Plan = names["plan"]
    return plan


def written(metrics: Collection[Metric]) -> str:
    """Its text."""
    keys = {one.key for one in metrics}
    used = {name for one in metrics for name in one.needs}
    optional = {name for one in metrics for name in one.maybe}
    text = HEAD + "".join(FIELD.format(name=name) for name in BreathFeatures._fields if name in used)
    for one in metrics:
        needed = needed_by(one, keys)
        low, high = one.bounds
        text += METRIC.format(
            key=one.key,
            arguments=", ".join(f"{name}_maybe" if name in one.maybe else name for name in one.needs),
            lacking="".join(f" or {key}_reason" for key in needed),
            grades="".join(GRADE.format(key=key) for key in needed),
            low=low,
            high=high,
            absent=one.absent.value,
            implausible=Reason.IMPLAUSIBLE.value,
            volume=one.volume.value,
        )
        if one.key in optional:
            text += MAYBE.format(key=one.key)
    return text


def needed_by(one: Metric, keys: Collection[str]) -> tuple[str, ...]:
    """The metrics that have to be there for it."""
    return tuple(name for name in (*one.needs, *one.also) if name in keys and name not in one.maybe)


def with_needs(wanted: Iterable[str], metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """These metrics and all that they need."""
    found: dict[str, Metric] = {}
    waiting = list(wanted)
    while waiting:
        one = metrics[waiting.pop()]
        found[one.key] = one
        waiting += [name for name in (*one.needs, *one.also) if name in metrics and name not in found]
    return found
