"""What a time-point table tells of, and by which rule: one table of quantities.

``resolves`` is the smallest difference between two time points that is called a change: twice what the method's error
may be at one of them (tests hold it to that on simulated patients), or where an input decides, what that input is good
for. It is an absolute number or a share of the value at baseline; where both stand, the larger holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamer.core.metrics import METRICS

GAS_UNITS = {"pco2_art_mmhg": "mmHg", "po2_art_mmhg": "mmHg", "fio2": "1", "ph": "1"}
"""Of what a blood gas says itself."""

FLOW_SENSOR = ("device", "sensor_site", "flow_conditions", "standard_c", "circuit_compliance_ml_cmh2o")
CO2_SENSOR = ("co2_kind", "co2_scale", "apparatus_volume_ml")


class Rule(StrEnum):
    """How a window's breaths give one value (algorithms §8.1, §8.2)."""

    BREATHS = "breaths"
    """Median, or the weighted mean that the metric declares, over at least five breaths and half of the window's."""
    HOLDS = "holds"
    """Median over the window's holds, be it one."""
    GAS = "gas"
    """As ``BREATHS``, over the five minutes after the draw nearest to the window's middle, which lies in the window."""
    DRAW = "draw"
    """What that draw says itself."""


class Group(StrEnum):
    """Where a quantity stands in tables and figures."""

    GAS_EXCHANGE = "Gas exchange"
    DEAD_SPACE = "Dead space"
    MECHANICS = "Mechanics"
    POWER = "Mechanical power"
    SETTINGS = "Settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One row of a time-point table.

    Attributes:
        name: Its own, unique: the metric's key, or key and method where both ways are told apart.
        key: The metric, or the value of a blood gas.
        label: What readers call it.
        group: Its place.
        rule: How it comes from the breaths.
        digits: After the decimal point.
        resolves: Smallest difference called a change, in its unit.
        resolves_share: The same as a share of the value at baseline.
        method: The only method that counts, where several may occur side by side.
        is_of_blood: No sensor but the laboratory's is in it.
        is_power: J/min of breaths that a hold made longer: taken as energy, times the window's rate.
        rivals: Quantities that answer the same question in another way: never compared with it, and said so.
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
        """For a reader; ``1`` for a ratio."""
        return METRICS[self.key].unit if self.key in METRICS else GAS_UNITS[self.key]

    @property
    def sensor(self) -> tuple[str, ...]:
        """What says how it was sensed, keys of the context mostly: it is not compared across another value of one."""
        if self.is_of_blood or self.key not in METRICS:
            return ()
        has_co2 = any(method.endswith("mainstream") for method in METRICS[self.key].methods)
        return (*FLOW_SENSOR, *CO2_SENSOR) if has_co2 else FLOW_SENSOR

    def smallest_change(self, baseline: float) -> float:
        """The difference from which on two values are told apart."""
        return max(self.resolves, self.resolves_share * abs(baseline))


def _row(key: str, label: str, group: Group, rule: Rule, digits: int, **more: object) -> Quantity:
    return Quantity(name=key, key=key, label=label, group=group, rule=rule, digits=digits, **more)  # type: ignore[arg-type]


def _part(key: str, label: str, method: str) -> Quantity:
    """A part of power, by the plateau it rests on."""
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
"""The metrics that are kept of each breath."""
SETTINGS = tuple(quantity.name for quantity in _ALL if quantity.group is Group.SETTINGS)
"""Shown beside every change: dead space and power move with them."""
