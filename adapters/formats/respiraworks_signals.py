"""Which variables of a RespiraWorks trace are time, flow and pressure, in what units.

A trace holds whatever variables were chosen. ``net_flow`` is the patient's; without it, in this order: the device's
flow before its offset is taken out, the flows of its inlets less that of its outlet, the slope of its volume.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adapters.decoding.columns import TIMES, columns, position
from adapters.decoding.flow_from_volume import NOTE
from adapters.decoding.text_rows import shown
from streamer.model.chunk import Channel, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.units import ML_PER_L, SCALES, SHOWN, unit_of

TIME = "time"
OWN = {TIME: "sec", Channel.PAW: "cmH2O", Channel.FLOW: "mL/s"}
"""The device's own units, where a name has none."""
_PRESSURES = ("pressure", "patient_pressure", "patient_pressure_dp")
_UNCORRECTED = "flow is the device's before it takes its offset out: volumes drift"
_LIMBS = "flow is what the inlets give less what the outlet takes: it holds the circuit's gas as well"


class Terms(NamedTuple):
    """A flow as a sum: variable → sign; and what a reader should know of it."""

    signs: Mapping[str, float]
    note: str = ""
    is_volume: bool = False


_FLOWS = (
    Terms({"net_flow": 1.0}),
    Terms({"net_flow_uncorrected": 1.0}, _UNCORRECTED),
    Terms({"flow_uncorrected": 1.0}, _UNCORRECTED),
    Terms({"air_influx_flow": 1.0, "oxygen_influx_flow": 1.0, "outflow_flow": -1.0}, _LIMBS),
    Terms({"inflow": 1.0, "outflow": -1.0}, _LIMBS),
    Terms({"volume": 1.0}, NOTE.detail, is_volume=True),
    Terms({"uncorrected_volume": 1.0}, NOTE.detail, is_volume=True),
)
KNOWN = frozenset({"pc_setpoint", *(name for terms in _FLOWS[:-2] for name in terms.signs)})
"""Variables that no other program's table has."""
_SECONDS = {"sec": 1.0, "s": 1.0, "ms": 1000.0}
_VOLUMES = {"ml": ML_PER_L, "l": 1.0}


def flow_of(names: Collection[str]) -> Terms | None:
    """The best flow that these variables give."""
    return next((terms for terms in _FLOWS if terms.signs.keys() <= set(names)), None)


def pressure_of(names: Collection[str]) -> str | None:
    """The variable that is airway pressure."""
    return next((name for name in _PRESSURES if name in names), None)


@dataclass(frozen=True, slots=True)
class Wave:
    """A channel: signed positions among the fields that are used, their canonical name, and its scale."""

    terms: tuple[tuple[int, float], ...]
    name: str
    multiplier: float
    divisor: float

    def of(self, values: FloatArray) -> FloatArray:
        """``values (n, used but for the time)`` → the sum, in the unit of the file."""
        (first, sign), *more = self.terms
        found: FloatArray = values[:, first - 1] * sign
        for at, other in more:
            found = found + values[:, at - 1] * other
        return found


@dataclass(frozen=True, slots=True)
class Layout:
    """Fields of a row that are used, the time first; what they are; how many a row has; what is assumed."""

    at: tuple[int, ...]
    time_divisor: float
    waves: Mapping[Channel, Wave]
    fields: int
    notes: tuple[str, ...] = ()
    is_volume: bool = False


def layout_of(names: Sequence[tuple[str, str | None]], mapping: Mapping[str, str], barometric_mmhg: float) -> Layout:
    """Of variables, each with the unit that its name has. Raises ``DecodeError`` or ``ConfigError``."""
    plain = [name for name, _ in names]
    if mapping:
        return _mapped(plain, mapping, barometric_mmhg)
    seen = ascii(", ".join(plain))[1:-1][:80]
    if TIME not in plain:  # then it may be no header
        seen = shown(", ".join(plain).encode())
        raise DecodeError(f"no column time(sec) in this RespiraWorks table; columns seen: {seen}")
    flow, pressure = flow_of(plain), pressure_of(plain)
    if flow is None:
        raise DecodeError(
            f"no column net_flow(mL/s), nor another flow or volume, in this RespiraWorks table; columns seen: {seen}"
        )
    used = [TIME, *flow.signs, *([pressure] if pressure else [])]
    for name in used:
        if plain.count(name) > 1:
            raise DecodeError(f"column {name} appears twice; leave one")
    units = {name: names[plain.index(name)][1] for name in used}
    scales = {name: _flow_scale(name, units[name], is_volume=flow.is_volume) for name in flow.signs}
    if len(set(scales.values())) > 1:
        raise DecodeError(f"columns {', '.join(scales)} have several units; bring them to one")
    signed = tuple((used.index(name), sign) for name, sign in flow.signs.items())
    waves = {Channel.FLOW: Wave(signed, *next(iter(scales.values())))}
    if pressure:
        waves[Channel.PAW] = Wave(((used.index(pressure), 1.0),), *_scale(Channel.PAW, pressure, units[pressure]))
    return Layout(
        at=tuple(plain.index(name) for name in used),
        time_divisor=_seconds(units[TIME]),
        waves=waves,
        fields=len(names),
        notes=tuple(filter(None, (_assumed(used, units, pressure, flow), flow.note))),
        is_volume=flow.is_volume,
    )


def _assumed(used: Sequence[str], units: Mapping[str, str | None], pressure: str | None, flow: Terms) -> str:
    unnamed = [name for name in used if units[name] is None]
    if not unnamed:
        return ""
    own: dict[str | None, str] = {
        TIME: "sec",
        pressure: "cmH2O",
        **dict.fromkeys(flow.signs, "mL" if flow.is_volume else "mL/s"),
    }
    return f"the header names no unit for {' and '.join(unnamed)}: taken as {' and '.join(own[n] for n in unnamed)}"


def _seconds(unit: str | None) -> float:
    plain = (OWN[TIME] if unit is None else unit).strip().lower()
    if plain not in _SECONDS:
        raise DecodeError(f"column time has the unknown unit {ascii(unit)[:20]}; known are {', '.join(_SECONDS)}")
    return _SECONDS[plain]


def _flow_scale(name: str, unit: str | None, *, is_volume: bool) -> tuple[str, float, float]:
    if not is_volume:
        return _scale(Channel.FLOW, name, unit)
    plain = "ml" if unit is None else unit.strip().lower()
    if plain not in _VOLUMES:
        raise DecodeError(f"column {name} has the unknown unit {ascii(unit)[:20]}; known are mL, L")
    return {"ml": "flow_ml_s", "l": "flow_l_s"}[plain], 1.0, _VOLUMES[plain]


def _scale(channel: Channel, name: str, unit: str | None) -> tuple[str, float, float]:
    """The canonical name of a variable, and its scale."""
    known = unit_of(channel.value, OWN[channel] if unit is None else unit)
    if known is None:
        wrong = f"column {name} has the unknown unit {ascii(unit)[:20]}"
        raise DecodeError(f"{wrong}; known are {SHOWN[channel.value]}")
    return f"{channel.value}_{known.name}", *SCALES[channel.value][known.name]


def _mapped(plain: Sequence[str], mapping: Mapping[str, str], barometric_mmhg: float) -> Layout:
    """As the sidecar says; ``time`` needs no word."""
    table = columns(plain, mapping, barometric_mmhg)
    time_at = table.time if table.time is not None else position(plain, TIME)
    used = [time_at, *(at for at, *_ in table.waveforms.values())]
    waves = {
        channel: Wave(((used.index(at, 1), 1.0),), table.names[channel], multiplier, divisor)
        for channel, (at, multiplier, divisor) in table.waveforms.items()
    }
    divisor = table.time_divisor if table.time is not None else TIMES["time_s"]
    return Layout(tuple(used), divisor, waves, len(plain), table.notes)
