"""One table says what follows from a label, and every set of labels is read off it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import streamer
from streamer.core.metrics import METRICS
from streamer.core.metrics.registry import withheld
from streamer.model import flags
from streamer.model.flags import CONSEQUENCES, INCOMPLETE, WITHHELD, Asks, Family, Flag, withheld_for

ROOT = Path(streamer.__file__).parents[1]
LABELLED_TOGETHER = {"_turned.py", "_rules.py", "_breath.py", "segment/__init__.py", "capnogram_only.py"}
"""Modules that give labels; the sets in them are what they give or learn from, not what follows."""


@pytest.mark.parametrize("flag", Flag)
def test_each_label_has_a_row(flag: Flag) -> None:
    row = CONSEQUENCES[flag]
    withholds = row.withholds_all or row.withholds or row.families
    assert bool(withholds) == (row.reason is not None), "what withholds has a reason, and a reason withholds"


def test_sets_are_those_of_algorithms() -> None:
    """Written out once more, from algorithms §2.4, so that a row cannot be changed unseen."""
    assert {*INCOMPLETE} == {Flag.TRUNCATED, Flag.AFTER_GAP, Flag.GAP, Flag.APNOEA}
    suspects, bad = {Flag.FLOW_SUSPECT, Flag.PAW_SUSPECT}, {Flag.GAP, Flag.COUGH, Flag.SUCTION}
    assert {*flags.ENDS_HISTORY} == {*bad, *suspects, Flag.APNOEA, Flag.DISCONNECT}
    assert {*flags.ENDS_PRESSURE} == bad
    assert {*flags.ONSET_UNSEEN} == {*INCOMPLETE, Flag.GAP_SHORT}
    assert {*flags.NOT_DRAWN} == {Flag.TRUNCATED, Flag.AFTER_GAP, Flag.NO_FLOW}
    assert {*flags.DOUBLED} == {Flag.DOUBLE_TRIGGER, Flag.STACKED}
    assert {*flags.NOT_PASSIVE} == {Flag.INEFFECTIVE_EFFORT, Flag.FLOW_STARVATION, Flag.REVERSE_TRIGGER_SUSPECT}
    assert [flag for flag, _ in WITHHELD] == [Flag.TRUNCATED, Flag.AFTER_GAP, Flag.APNOEA, Flag.DISCONNECT]


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Asks.ANY, Asks.RATE),
        (Asks.VALUES, Asks.MECHANICS),
        (Asks.MECHANICS, Asks.FLOW_STOP),
        (Asks.MECHANICS, Asks.PASSIVE),
        (Asks.MECHANICS, Asks.SAMPLES),
        (Asks.PASSIVE, Asks.FITTED),
    ],
)
def test_who_asks_more_is_withheld_for_all_that_withholds_less(less: Asks, more: Asks) -> None:
    assert {*withheld_for(less)} < {*withheld_for(more)}


def test_families_are_modules_of_metrics() -> None:
    modules = {one.formula.__module__.rpartition(".")[2] for one in METRICS.values()}
    assert set(Family) - {Family.OTHER} <= modules


def test_a_metric_of_an_unknown_module_is_withheld_for_suspect_flow_and_pressure() -> None:
    suspect = {flag for flag, _ in withheld(METRICS["crs"])}
    assert suspect > {Flag.TIMES_SUSPECT, Flag.FLOW_SUSPECT, Flag.PAW_SUSPECT}


def _sets_of_labels(path: Path) -> list[int]:
    """Lines of constants of a module, or arguments of calls, that list labels."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Set | ast.Tuple | ast.List):
            names = [one for one in ast.walk(node) if isinstance(one, ast.Attribute)]
            labels = [one for one in names if isinstance(one.value, ast.Name) and one.value.id == "Flag"]
            if len(labels) > 1:
                found.append(node.lineno)
    return found


def test_no_other_module_lists_labels() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("streamer", "adapters")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "flags.py" and not any(path.as_posix().endswith(name) for name in LABELLED_TOGETHER)
        for line in _sets_of_labels(path)
    }
    assert not found, "sets of labels belong into streamer/model/flags.py"
