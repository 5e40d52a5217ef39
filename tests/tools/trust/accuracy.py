"""The generated part of docs/accuracy.md: a table for mechanics, one for CO2, what was told, what was wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.tools.trust.situations import GROUPS, Figure, Result, wrong_lines

ACCURACY = Path(__file__).parents[3] / "docs" / "accuracy.md"
MECHANICS = (
    "rr", "vt", "minute_volume", "ppeak", "peep", "pplat", "peep_total", "driving_pressure", "crs", "crs_est",
    "pplat_est", "peep_total_est", "mp",
)  # fmt: skip
ERRORS = ("vt", "minute_volume", "mp", "crs", "crs_est", "vtco2", "vd_aw")
SIZED = ("Hard to segment", "Mechanics")
"""Groups for which the size of errors is shown."""
LEAST = 5
CO2 = ("petco2", "pco2_alv", "pco2_mixed_exp", "vtco2", "vco2", "vd_aw", "vd_vt_bohr", "slope_3", "sn_3")


def cell(figure: Figure) -> str:
    """Share given in per cent with the worst grade that is common, and how many are wrong; a dot where none is."""
    if not figure.given:
        return "·"
    grade = next(grade for grade in "CBA" if figure.grades[grade] > 0.1 * figure.given or grade == "A")
    wrong = f" **{figure.wrong}**" if figure.wrong else ""
    return f"{100 * figure.given / figure.breaths:.0f}{grade}{wrong}"


def blocks(found: Mapping[str, Result]) -> Iterator[tuple[str, Iterator[str]]]:
    """Name → lines of all that is generated."""
    yield "totals", iter([totals(found)])
    yield "mechanics", mechanics(found)
    yield "errors", errors(found)
    yield "capnogram", co2(found)
    yield "wrong", wrong(found)


def mechanics(found: Mapping[str, Result]) -> Iterator[str]:
    """Breaths and pressures, volumes, power."""
    yield from _table(("found / true", "near %", "extra %", *MECHANICS, "told"), found, _mechanics_row)


def _mechanics_row(result: Result) -> list[str]:
    near = f"{100 * result.near / result.true:.0f}" if result.true else "-"
    extra = f"{100 * result.extra / result.breaths:.0f}" if result.breaths else "-"
    told = " ".join(sorted(result.told)) or "-"
    return [f"{result.breaths} / {result.true}", near, extra, *(cell(result.figures[key]) for key in MECHANICS), told]


def errors(found: Mapping[str, Result]) -> Iterator[str]:
    """Median, and 95th percentile of the magnitude, in per cent of the truth."""
    shown = {name: found[name] for group in SIZED for name in GROUPS[group] if name in found}
    yield from _table(ERRORS, shown, lambda result: [_size(result.figures[key].errors) for key in ERRORS])


def _size(shares: Sequence[float]) -> str:
    if len(shares) < LEAST:
        return "·"
    return f"{100 * np.median(shares):+.1f} / {100 * np.quantile(np.abs(shares), 0.95):.1f}"


def co2(found: Mapping[str, Result]) -> Iterator[str]:
    """What a capnogram gives, in the situations that have one."""
    shown = {name: result for name, result in found.items() if result.has_co2}
    yield from _table(CO2, shown, lambda result: [cell(result.figures[key]) for key in CO2])


def _table(heads: Sequence[str], found: Mapping[str, Result], row: Callable[[Result], list[str]]) -> Iterator[str]:
    yield f"| situation | {' | '.join(heads)} |"
    yield "|---" * (len(heads) + 1) + "|"
    for group, listed in GROUPS.items():
        shown = [name for name in listed if name in found]
        if shown:
            yield f"| **{group}** |{' |' * len(heads)}"
        for name in shown:
            yield f"| {name} | {' | '.join(row(found[name]))} |"


def totals(found: Mapping[str, Result]) -> str:
    """One line of sums."""
    figures = [(name, key, one) for name, result in found.items() for key, one in result.figures.items() if one.given]
    wrong = [one for _, _, one in figures if one.wrong]
    return (
        f"{len(found)} situations, {len(figures)} figures given, {len(wrong)} of them wrong in at least one breath, "
        f"{sum(one.wrong > 0.05 * one.given for one in wrong)} in more than one of twenty; "
        f"{sum(one.wrong for one in wrong)} wrong numbers of {sum(one.given for _, _, one in figures)}, "
        f"{sum(one.doubtful for one in wrong)} of them at C."
    )


def wrong(found: Mapping[str, Result]) -> Iterator[str]:
    """A line for every wrong figure."""
    for name, result in found.items():
        for line in wrong_lines(name, result):
            yield f"- {line}"
