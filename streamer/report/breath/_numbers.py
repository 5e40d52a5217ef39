"""The numbers of a breath's expired CO2 as a table, with the reason where one is withheld."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes

from streamer.core.metrics import METRICS, MeasurementContext
from streamer.model.records import BreathRecord
from streamer.report.breath.style import INK, PALE, SMALL_PT


class Row(NamedTuple):
    """A row of the table: key of the metric, symbol, a few words, and digits after the decimal point."""

    key: str
    symbol: str
    words: str
    decimals: int


ROWS = (
    Row("vd_aw", "VDaw", "airway dead space, Fowler", 1),
    Row("vd_aw_fit", "VDaw fit", "the same, fitted curve", 1),
    Row("vd_aw_sd", "SD of VDaw", "by the delay alone", 1),
    Row("vt_alv", "VTalv", "alveolar tidal volume", 1),
    Row("vd_vt_bohr", "VD/VT Bohr", "with mean alveolar PCO₂", 3),
    Row("vd_vt_enghoff", "VD/VT Enghoff", "with arterial PCO₂", 3),
    Row("pco2_alv", "PACO₂", "mean alveolar", 1),
    Row("pco2_mixed_exp", "PĒCO₂", "mixed expired", 1),
    Row("petco2", "PETCO₂", "end-tidal", 1),
    Row("vtco2", "VTCO₂", "CO₂ of the breath, STPD", 2),
    Row("slope_2", "SII", "slope of phase II", 0),
    Row("slope_3", "SIII", "slope of phase III", 1),
    Row("co2_delay", "delay", "of CO₂ against flow", 3),
)
DIMENSIONLESS = "1"
SYMBOL, WORDS, VALUE, UNIT, GRADE, METHOD = 0.0, 0.165, 0.515, 0.53, 0.66, 0.695


def number(record: BreathRecord, key: str, decimals: int) -> str:
    """A value of the record with its unit, or the reason why there is none."""
    if key not in record.values:
        return f"withheld: {record.missing[key]}"
    unit = METRICS[key].unit
    return f"{record.values[key]:.{decimals}f}" + ("" if unit == DIMENSIONLESS else f" {unit}")


def draw(axes: Axes, record: BreathRecord, given: MeasurementContext) -> None:
    """Fill the axes from top to bottom."""
    lines = len(ROWS) + 1
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(lines, -0.2))
    kind = given.context.co2_kind or "kind not declared"
    for x, text in ((SYMBOL, f"CO₂ sensor: {kind}"), (GRADE - 0.03, "grade"), (METHOD + 0.02, "method")):
        axes.text(x, 0.5, text, fontsize=SMALL_PT, weight="bold", va="center")
    axes.axhline(1.0, color=INK, lw=0.8)
    for line, row in enumerate(ROWS, start=1):
        _draw_row(axes, line + 0.5, row, record)
        axes.axhline(line + 1.0, color=PALE, lw=0.3)


def _draw_row(axes: Axes, y: float, row: Row, record: BreathRecord) -> None:
    axes.text(SYMBOL, y, row.symbol, fontsize=SMALL_PT, va="center")
    axes.text(WORDS, y, row.words, fontsize=SMALL_PT, va="center", color="#555555")
    said = number(record, row.key, row.decimals)
    if row.key not in record.values:
        axes.text(VALUE - 0.06, y, said, fontsize=SMALL_PT, va="center", style="italic")
        return
    value, _, unit = said.partition(" ")
    axes.text(VALUE, y, value, fontsize=SMALL_PT, va="center", ha="right", weight="bold")
    axes.text(UNIT, y, unit, fontsize=SMALL_PT, va="center")
    axes.text(GRADE, y, record.quality.get(row.key, "-"), fontsize=SMALL_PT, va="center", ha="center")
    axes.text(METHOD + 0.02, y, record.methods.get(row.key, "-"), fontsize=SMALL_PT, va="center")
