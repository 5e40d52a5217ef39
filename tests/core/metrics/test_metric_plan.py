"""The metrics written out as one function give what a loop over their declarations gives."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from streamer.core.metrics import (
    METRICS,
    BreathFeatures,
    Graded,
    MeasurementContext,
    Metric,
    NotMeasurable,
    Volume,
    extract_features,
    measure,
)
from streamer.core.metrics.capnogram_gates import capnogram_of
from streamer.core.metrics.measurement_context import start_of
from streamer.core.metrics.metric_plan import METRIC, needed_by, plan_of, with_needs, written
from streamer.core.metrics.passive_estimate import estimate_of
from streamer.core.metrics.registry import GIVEN, in_order, withheld
from streamer.core.metrics.volume_balance import balance_of
from streamer.model.breath import Breath, Capnograph
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.reasons import Reason
from tests.support.analytic_breaths import vcv
from tests.support.declared_metrics import declare
from tests.tools.benchmarks.pipeline import breaths_of_a_block, context

PLAIN = {"grades": ("", "", "", ""), "refused": (None,) * 4, "worst": ""}
Found = tuple[dict[str, float], dict[str, str], dict[str, str], dict[str, str]]


def looped(metrics: Iterable[Metric], pool: dict[str, Any], missing: dict[str, str]) -> Found:
    """Values, reasons, grades and methods; ``pool``: what formulas may ask for."""
    values: dict[str, float] = {}
    grades: dict[str, str] = {}
    methods: dict[str, str] = {}
    for one in metrics:
        key, needed = one.key, needed_by(one, METRICS)
        lacking = [missing[name] for name in needed if name in missing]
        if key in missing or lacking:
            missing.setdefault(key, *lacking[:1])
            continue
        arguments = [
            (Graded(values[name], grades.get(name), methods.get(name)) if name in values else Reason(missing[name]))  # type: ignore[call-arg]
            if name in one.maybe
            else (values | pool)[name]
            for name in one.needs
        ]
        try:
            found = one.formula(*arguments)
        except NotMeasurable as answer:
            missing[key] = str(answer.reason)
            continue
        except ZeroDivisionError:
            missing[key] = "implausible"
            continue
        graded = found if isinstance(found, Graded) else Graded(found)
        if not one.bounds[0] <= graded.value <= one.bounds[1]:
            missing[key] = str(one.absent) if math.isnan(graded.value) else "implausible"
        elif pool["refused"][one.volume] is not None:
            missing[key] = str(pool["refused"][one.volume])
        else:
            own = graded.quality or "", pool["worst"], pool["grades"][one.volume]
            values[key] = graded.value
            grades |= {key: best} if (best := max(*own, *(grades.get(name, "") for name in needed))) else {}
            methods |= {key: graded.method} if graded.method else {}
    return values, missing, grades, methods


def expected(breath: Breath, features: BreathFeatures, given: MeasurementContext, flags: frozenset[Flag]) -> Found:
    pool: dict[str, Any] = features._asdict() | {"breath": breath, "features": features, "given": given, "flags": flags}
    pool["start"] = start = start_of(features, given.before)
    pool |= {
        "estimate": estimate_of(breath, features, given, start),
        "capnogram": capnogram_of(breath, features, given),
    }
    pool |= balance_of(breath, features, given, flags)._asdict() | {"worst": "B" if breath.rate_hz < 50.0 else ""}
    pool["grades"] = pool.pop("grade")
    gone: dict[str, str] = {}
    for one in METRICS.values():
        for flag, reason in withheld(one):
            if flag in flags:
                gone.setdefault(one.key, str(reason))
    values, missing, grades, methods = looped(in_order(METRICS), pool, gone)
    if given.context.passive == "asserted":
        missing = {key: "passivity_contradicted" if why == "patient_effort" else why for key, why in missing.items()}
    return values, missing, grades, methods


@pytest.fixture(scope="module")
def block() -> tuple[list[Breath], list[Capnograph]]:
    return breaths_of_a_block()


@pytest.mark.parametrize(
    "flags",
    [(), (Flag.GAP,), (Flag.COUGH, Flag.GAP_SHORT), (Flag.FLOW_STARVATION,), (Flag.PCO2_SUSPECT, Flag.ONSET_GAP)],
)
@pytest.mark.parametrize("declared", [context(), Context(), Context(sex="female", height_cm=160.0)])
def test_it_gives_what_a_loop_gives(
    block: tuple[list[Breath], list[Capnograph]], flags: tuple[Flag, ...], declared: Context
) -> None:
    breaths, capnographs = block
    given, seen = MeasurementContext(context=declared), set()
    for breath, capnograph in zip(breaths[:20], capnographs, strict=False):
        for one in (breath, replace(breath, rate_hz=40.0), replace(breath, leak_frac=0.3), replace(breath, pco2=None)):
            features, held = extract_features(one), frozenset(flags)
            given = MeasurementContext(context=declared, capnograph=capnograph, before=features, past=given.past)
            assert measure(one, features, given, held)[:4] == expected(one, features, given, held)
            seen |= measure(one, features, given, held).values.keys()
    assert seen


def test_holds_and_strange_breaths_too() -> None:
    for one in (vcv(pause_s=1.0), vcv(pause_s=0.0), vcv(vt=0.02, flow=0.1), vcv(noise=(0.3, 3.0))):
        features = extract_features(one)
        assert measure(one, features, MeasurementContext(), frozenset())[:4] == expected(
            one, features, MeasurementContext(), frozenset()
        )


def run(*metrics: Metric, missing: dict[str, str] | None = None, **given: Any) -> Found:
    found: Found = {}, missing or {}, {}, {}
    names = dict.fromkeys((*GIVEN, "features")) | PLAIN | given
    values, missing_, quality, methods = found
    plan_of(in_order({one.key: one for one in metrics}))(
        **names, values=values, missing=missing_, quality=quality, methods=methods
    )
    return found


def refuse(*_: float) -> float:
    raise NotMeasurable(Reason.NO_HOLD)


def test_what_it_makes_of_an_answer() -> None:
    one = declare("one", "flags", formula=lambda _: 0.5)
    assert run(one) == ({"one": 0.5}, {}, {}, {})
    for answer, reason in ((math.nan, "gap"), (1.5, "implausible"), (-0.1, "implausible"), (math.inf, "implausible")):
        odd = declare("one", "flags", formula=lambda _, answer=answer: answer, absent=Reason.GAP)
        assert run(odd, declare("two", "one")) == ({}, {"one": reason, "two": reason}, {}, {})
    assert run(declare("one", "flags", formula=refuse))[1] == {"one": "no_hold"}
    assert run(declare("one", "flags", formula=lambda _: 1.0 / 0.0))[1] == {"one": "implausible"}
    assert run(one, missing={"one": "cough"}) == ({}, {"one": "cough"}, {}, {})
    unbounded = declare("one", "flags", formula=lambda _: 1e9, bounds=(-math.inf, math.inf))
    assert run(unbounded)[0] == {"one": 1e9}


def test_grades_are_the_worst_of_what_went_in() -> None:
    one = declare("one", "flags", formula=lambda _: Graded(0.5, "B", "some"))
    two = declare("two", "one", formula=lambda value: Graded(value, "A"))
    three = declare("three", "one", "two", maybe=("one",), formula=lambda maybe, _: maybe.value, volume=Volume.CLOSED)
    assert run(one, two, three)[2:] == ({"one": "B", "two": "B", "three": "B"}, {"one": "some"})
    assert run(one, two, three, worst="C")[2] == {"one": "C", "two": "C", "three": "C"}
    assert run(one, two, three, grades=("", "", "", "C"))[2] == {"one": "B", "two": "B", "three": "C"}
    closed = run(one, two, three, refused=(None, None, None, Reason.LEAK_HIGH))
    assert closed[:2] == ({"one": 0.5, "two": 0.5}, {"three": "leak_high"})


def test_what_may_be_missing_comes_with_its_reason() -> None:
    seen: list[object] = []
    one = declare("one", "flags", formula=refuse)
    two = declare("two", "one", maybe=("one",), formula=lambda maybe: seen.append(maybe) or 0.5)
    assert run(one, two)[0] == {"two": 0.5}
    assert seen == [Reason.NO_HOLD]
    also = declare("three", "flags", also=("one",))
    assert run(one, also)[1] == {"one": "no_hold", "three": "no_hold"}


def test_no_name_of_its_own_is_that_of_a_metric_or_a_fold() -> None:
    names = {node.id for node in ast.walk(ast.parse(written([]) + METRIC_OF_NOTHING)) if isinstance(node, ast.Name)}
    names |= {
        arg.arg for node in ast.walk(ast.parse(written([]))) if isinstance(node, ast.arguments) for arg in node.args
    }
    assert {"reason", "grade", "values", "worst"} <= names
    assert not (names - GIVEN) & (METRICS.keys() | set(BreathFeatures._fields))


METRIC_OF_NOTHING = METRIC.format(
    key="_", arguments="", lacking="", grades="", low=0.0, high=1.0, absent="", implausible="", volume=0
)


def test_a_metric_with_all_that_it_needs() -> None:
    found = with_needs(["mp_pbw"], METRICS)
    assert {"mp_pbw", "mp", "rr", "ttot"} <= found.keys()
    assert "petco2" not in found
    assert [one.key for one in in_order(found)][-1] == "mp_pbw"
