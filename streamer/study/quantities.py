"""The quantities of a time-point table, and the rule by which each comes from the breaths of a window.

``resolves`` is the smallest difference between two time points that counts as a change: twice the largest error of the
method at one of them (tests check this on simulated patients) or, where an input dominates, the resolution of that
input. It is an absolute number or a share of the value at baseline; where both are given, the larger holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamer.core.metrics import METRICS

GAS_UNITS = {"pco2_art_mmhg": "mmHg", "po2_art_mmhg": "mmHg", "fio2": "1", "ph": "1"}
"""Value of a blood gas → its unit."""

FLOW_SENSOR = ("device", "sensor_site", "flow_conditions", "standard_c", "circuit_compliance_ml_cmh2o")
CO2_SENSOR = ("co2_kind", "co2_scale", "apparatus_volume_ml")


class Rule(StrEnum):
    """How a window's breaths give one value (algorithms §8.1, §8.2)."""

    BREATHS = "breaths"
    """Median, or the weighted mean that the metric declares, over at least five breaths and half of the window's."""
    HOLDS = "holds"
    """Median over the window's holds; one is enough."""
    GAS = "gas"
    """As ``BREATHS``, over the five minutes after the draw in the window that is nearest to its middle."""
    DRAW = "draw"
    """The value that the laboratory gave for that draw."""


class Group(StrEnum):
    """Section of tables and figures in which a quantity stands."""

    GAS_EXCHANGE = "Gas exchange"
    DEAD_SPACE = "Dead space"
    MECHANICS = "Mechanics"
    POWER = "Mechanical power"
    SETTINGS = "Settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One row of a time-point table.

    Attributes:
        name: Unique name: the metric's key, or key and method where a table separates the methods.
        key: Key of the metric, or of a value of a blood gas.
        label: Name for readers.
        group: Its section in tables and figures.
        rule: How it comes from the breaths of a window.
        digits: Digits shown after the decimal point.
        resolves: Smallest difference that counts as a change, in its unit.
        resolves_share: The same as a share of the value at baseline.
        method: The only method that is used, if the metric has several.
        is_of_blood: Whether it rests on the blood gas alone, so that no flow or CO2 sensor affects it.
        is_power: Whether it is a power (J/min) of breaths with a hold. A hold prolongs its breath, so the power is the
            energy of the breath times the respiratory rate of the window.
        rivals: Quantities that answer the same question by another method. They are never compared with it, and the
            refusal names them.

    Examples:
        >>> QUANTITIES["vd_vt_bohr"].unit, QUANTITIES["crs"].smallest_change(40.0)
        ('1', 3.2)
    """

    name: str
    key: str
    label: str
    group: Group
    rule: Rule
    digits: int
    resolves: float = 0.0
    resolves_share: float = 0.0
    method: str = ""
    is_of_blood: bool = False
    is_power: bool = False
    rivals: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Unit for a reader; ``1`` for a ratio."""
        return METRICS[self.key].unit if self.key in METRICS else GAS_UNITS[self.key]

    @property
    def sensor(self) -> tuple[str, ...]:
        """Keys of the context (and ``device``) that describe its sensor. If one differs, values are not compared."""
        if self.is_of_blood or self.key not in METRICS:
            return ()
        has_co2 = any(method.endswith("mainstream") for method in METRICS[self.key].methods)
        return (*FLOW_SENSOR, *CO2_SENSOR) if has_co2 else FLOW_SENSOR

    def smallest_change(self, baseline: float) -> float:
        """The smallest difference from ``baseline`` that counts as a change, in the quantity's unit."""
        return max(self.resolves, self.resolves_share * abs(baseline))


def _row(key: str, label: str, group: Group, rule: Rule, digits: int, **more: object) -> Quantity:
    return Quantity(name=key, key=key, label=label, group=group, rule=rule, digits=digits, **more)  # type: ignore[arg-type]


def _part(key: str, label: str, method: str) -> Quantity:
    """A part of mechanical power, by the method of the plateau pressure that it rests on."""
    other = "estimated" if method == "measured" else "measured"
    return Quantity(
        name=f"{key}_{method}",
        key=key,
        label=f"{label}, {'of holds' if method == 'measured' else 'estimated'}",
        group=Group.POWER,
        rule=Rule.HOLDS if method == "measured" else Rule.BREATHS,
        digits=1,
        resolves_share=0.10,
        method=method,
        is_power=method == "measured",
        rivals=(f"{key}_{other}",),
    )


_GAS, _DEAD, _MECHANICS, _POWER, _SET = Group
_BREATHS, _HOLDS, _AT_GAS, _DRAW = Rule

_ALL = (
    _row("pf_ratio", "PaO2/FiO2", _GAS, _AT_GAS, 0, resolves_share=0.10, is_of_blood=True),
    _row("po2_art_mmhg", "PaO2", _GAS, _DRAW, 0, resolves=5.0),
    _row("pco2_art_mmhg", "PaCO2", _GAS, _DRAW, 0, resolves=3.0),
    _row("ph", "pH", _GAS, _DRAW, 2, resolves=0.03),
    _row("vent_ratio", "Ventilatory ratio", _GAS, _AT_GAS, 2, resolves_share=0.10),
    _row("oxygenation_index", "Oxygenation index", _GAS, _AT_GAS, 1, resolves_share=0.10),
    _row("petco2", "PetCO2", _GAS, _BREATHS, 1, resolves=2.0),
    _row("vco2", "V'CO2", _GAS, _BREATHS, 0, resolves_share=0.10),
    _row("vd_vt_bohr", "VD/VT, Bohr", _DEAD, _BREATHS, 2, resolves=0.04, rivals=("vd_vt_enghoff",)),
    _row("vd_vt_enghoff", "VD/VT, Enghoff", _DEAD, _AT_GAS, 2, resolves=0.06, rivals=("vd_vt_bohr",)),
    _row("vd_aw", "Airway dead space VDaw", _DEAD, _BREATHS, 0, resolves=16.0),
    _row("vd_alv", "Alveolar dead space", _DEAD, _AT_GAS, 0, resolves=30.0),
    _row("pplat", "Pplat", _MECHANICS, _HOLDS, 1, resolves=1.0, rivals=("pplat_est",)),
    _row("driving_pressure", "Driving pressure", _MECHANICS, _HOLDS, 1, resolves=1.0, rivals=("driving_pressure_est",)),
    _row("crs", "Crs", _MECHANICS, _HOLDS, 1, resolves_share=0.08, rivals=("crs_est",)),
    _row("auto_peep", "Auto-PEEP", _MECHANICS, _HOLDS, 1, resolves=1.0),
    _row("pplat_est", "Pplat, estimated", _MECHANICS, _BREATHS, 1, resolves=2.0, rivals=("pplat",)),
    _row(
        "driving_pressure_est",
        "Driving pressure, estimated",
        _MECHANICS,
        _BREATHS,
        1,
        resolves=2.0,
        rivals=("driving_pressure",),
    ),
    _row("crs_est", "Crs, estimated", _MECHANICS, _BREATHS, 1, resolves_share=0.10, rivals=("crs",)),
    _row("mp", "Mechanical power", _POWER, _BREATHS, 1, resolves_share=0.06),
    _part("mp_peep", "PEEP part", "measured"),
    _part("mp_elastic", "Elastic part", "measured"),
    _part("mp_resistive", "Resistive part", "measured"),
    _part("mp_peep", "PEEP part", "estimated"),
    _part("mp_elastic", "Elastic part", "estimated"),
    _part("mp_resistive", "Resistive part", "estimated"),
    _row("vt_exp", "VT", _SET, _BREATHS, 0, resolves_share=0.05),
    _row("rr", "RR", _SET, _BREATHS, 1, resolves_share=0.05),
    _row("minute_volume", "Minute volume", _SET, _BREATHS, 1, resolves_share=0.05),
    _row("peep", "PEEP", _SET, _BREATHS, 1, resolves=0.8),
    _row("fio2", "FiO2", _SET, _DRAW, 2, resolves=0.02),
)

QUANTITIES: Mapping[str, Quantity] = {quantity.name: quantity for quantity in _ALL}
"""Name → quantity, in the order of tables."""
KEYS = tuple(dict.fromkeys(quantity.key for quantity in _ALL if quantity.key in METRICS))
"""The metrics that a study keeps of each breath."""
SETTINGS = tuple(quantity.name for quantity in _ALL if quantity.group is Group.SETTINGS)
"""Quantities shown beside every change, since dead space and power depend on them."""
