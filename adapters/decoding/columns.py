"""Canonical column names (contract.md §2) and what they mean. Shared by the formats that are tables.

A table of any program is read when its sidecar says which of its columns are which: ``columns = { "Flow [l/min]" =
"flow_l_min", "2" = "paw_mbar" }`` under ``[recording]``, a name or a number from 0 each. All other columns are ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from streamer.model.chunk import Channel, FloatArray
from streamer.model.context import Context, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.units import SCALES, STANDARD_MMHG, unit_of

TIMES = {
    "time_s": 1.0,
    "time_ms": 1e3,
    "time_us": 1e6,
    "time_ns": 1e9,
    "time_min": 1.0 / 60.0,
    "time_h": 1.0 / 3_600.0,
    "time_d": 1.0 / 86_400.0,
}
"""Column → divisor to seconds."""
WAVEFORMS: Mapping[str, tuple[Channel, float, float]] = {
    f"{channel.value}_{unit}": (channel, *scale)
    for channel in (Channel.PAW, Channel.FLOW, Channel.PCO2)
    for unit, scale in SCALES[channel.value].items()
}
"""Column → channel, multiplier, divisor to the canonical unit (a division keeps decimals such as 12.34/60 exact)."""
OF_BAROMETER = frozenset({"pco2_percent"})
"""Columns that are a share of the barometric pressure."""
OF_STANDARD_GAS = frozenset({"flow_slm"})
"""Columns of dry gas at standard conditions, ``flow_conditions = "STPD"``."""
EXACT: Mapping[Channel, str] = {Channel.PAW: "paw_cmh2o", Channel.FLOW: "flow_l_s", Channel.PCO2: "pco2_mmhg"}
"""Channel → the column in its canonical unit, which loses nothing."""
ARRIVAL = ("order", "chunk_start_s", "received_ns")
"""How the samples of a recorded session came (``session_folder.py``); each of its files can be read without them."""
VOLUMES = ("volume_ml", "volume_l")
KNOWN = (*TIMES, *WAVEFORMS, *VOLUMES, *ARRIVAL)
CANONICAL = (*TIMES, *WAVEFORMS, *VOLUMES)
"""What a column of another program may be."""
MAPPING = 'columns = { "its name, or number from 0" = "canonical name" } under [recording] in the sidecar'
"""What says which columns are which."""
MAX_DIGITS, SHOWN = 5, 20
"""Of a column's number; of names in an error."""
_LOOKS_LIKE = ("time", "paw", "pressure", "flow", "pco2", "co2", "volume", "vol")


def scale(name: str, barometric_mmhg: float = STANDARD_MMHG) -> tuple[float, float]:
    """Multiplier and divisor of a waveform's column to the canonical unit."""
    _, multiplier, divisor = WAVEFORMS[name]
    return (barometric_mmhg if name in OF_BAROMETER else multiplier), divisor


def barometer_note(barometric_mmhg: float) -> str:
    """What is assumed of CO2 in %."""
    return f"CO2 in % is taken of {barometric_mmhg:g} mmHg; barometric_mmhg under [context] in the sidecar says another"


def conditions_of(names: Iterable[str], unit: str = "") -> Context:
    """What the columns that are used, and the unit of flow in the file, say of its gas conditions."""
    said = unit_of(Channel.FLOW.value, unit) if unit else None
    conditions = said.conditions if said else ""
    if not OF_STANDARD_GAS.isdisjoint(names) or conditions == "STPD":
        return Context(flow_conditions="STPD")
    return Context(flow_conditions="BTPS") if conditions == "BTPS" else Context()


def with_conditions(sidecar: Sidecar, names: Iterable[str]) -> Sidecar:
    """A sidecar, and what columns of these canonical names, among others, say of the gas where it is silent."""
    told = conditions_of(names).flow_conditions
    if told is None or sidecar.context.flow_conditions is not None:
        return sidecar
    return msgspec.structs.replace(sidecar, context=msgspec.structs.replace(sidecar.context, flow_conditions=told))


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a table are.

    Attributes:
        time: Position of the time, or None.
        waveforms: Channel → position, multiplier, divisor.
        used: Positions of the columns that must hold numbers.
        time_divisor: Of the time to seconds.
        notes: What is assumed, for the reader of the recording.
        context: What the names say of the gas.
        names: Channel → canonical name.
    """

    time: int | None
    waveforms: Mapping[Channel, tuple[int, float, float]]
    used: frozenset[int]
    time_divisor: float = 1.0
    notes: tuple[str, ...] = ()
    context: Context = field(default_factory=Context)
    names: Mapping[Channel, str] = field(default_factory=dict)

    def channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        """``values (n, columns)`` → channels in canonical units."""
        return {
            channel: values[:, at] * multiplier / divisor
            for channel, (at, multiplier, divisor) in self.waveforms.items()
        }

    def seconds(self, values: FloatArray) -> FloatArray:
        """The time of ``values (n, columns)``; only where there is one."""
        assert self.time is not None
        return values[:, self.time] / self.time_divisor


def columns(
    names: Sequence[str], mapping: Mapping[str, str] | None = None, barometric_mmhg: float = STANDARD_MMHG
) -> Columns:
    """Read a header: canonical names, or any names with a mapping of some of them to canonical ones.

    CO2 in % is of ``barometric_mmhg``.

    Raises:
        DecodeError: An unknown, repeated or missing column, with the nearest known one.
        ConfigError: The mapping names what is not canonical.
    """
    if mapping:
        return _meaning(_mapped(names, mapping), barometric_mmhg)
    plain = [_plain(name).lower() for name in names]
    for at, name in enumerate(plain):
        if name not in KNOWN:
            raise DecodeError(f"unknown column {name[:40]!r}; {suggestion(name)}; or give {MAPPING}")
        if plain.index(name) != at:
            raise DecodeError(f"column {name!r} appears twice; leave one")
    found = _meaning(dict(enumerate(plain)), barometric_mmhg)
    if not found.waveforms:
        raise DecodeError(f"no waveform column; known are {', '.join(WAVEFORMS)} (flow is positive into the patient)")
    return found


def _plain(name: str) -> str:
    return name.strip().strip('"').strip()


def _meaning(canonical: Mapping[int, str], barometric_mmhg: float) -> Columns:
    """Position → canonical name, as a table. Raises ``DecodeError`` where two are the same signal."""
    waveforms: dict[Channel, tuple[int, float, float]] = {}
    times = [at for at, name in canonical.items() if name in TIMES]
    same = times if len(times) > 1 else []
    for at, name in canonical.items():
        if name in WAVEFORMS:
            channel = WAVEFORMS[name][0]
            same = same or ([waveforms[channel][0], at] if channel in waveforms else [])
            waveforms.setdefault(channel, (at, *scale(name, barometric_mmhg)))
    if same:
        first, second = (canonical[at] for at in same[:2])
        raise DecodeError(f"columns {first!r} and {second!r} are the same signal; leave one, or give {MAPPING}")
    divisor = TIMES[canonical[times[0]]] if times else 1.0
    names = set(canonical.values())
    notes = () if OF_BAROMETER.isdisjoint(names) else (barometer_note(barometric_mmhg),)
    own = {channel: canonical[at] for channel, (at, *_) in waveforms.items()}
    time = times[0] if times else None
    return Columns(time, waveforms, frozenset(canonical), divisor, notes, conditions_of(names), own)


def _mapped(names: Sequence[str], mapping: Mapping[str, str]) -> dict[int, str]:
    """Position → canonical name, as the mapping says; volumes are not used. Raises as ``columns``."""
    for name, canonical in mapping.items():
        if canonical not in CANONICAL:
            raise ConfigError(f"columns maps {name!r} to the unknown {canonical[:40]!r}; {suggestion(canonical)}")
    if WAVEFORMS.keys().isdisjoint(mapping.values()):
        raise ConfigError(f"columns maps nothing to a waveform; known are {', '.join(WAVEFORMS)}")
    found: dict[int, str] = {}
    for name, canonical in mapping.items():
        if canonical not in VOLUMES:
            at = position(names, name)
            if at in found:
                raise DecodeError(f"columns maps column {at} twice, to {found[at]} and {canonical}; leave one")
            found[at] = canonical
    return found


def number(name: str) -> int | None:
    """A name that may be a column's number, as one."""
    plain = _plain(name)
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= MAX_DIGITS else None


def position(names: Sequence[str], wanted: str) -> int:
    """Where a column is that is known by its name or its number from 0. Raises ``DecodeError``."""
    plain = [_plain(name) for name in names]
    wanted = _plain(wanted)
    for matches in (
        [at for at, name in enumerate(plain) if name == wanted],
        [at for at, name in enumerate(plain) if name.lower() == wanted.lower()],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise DecodeError(f"two columns are named {wanted[:40]!r}: name it by number, {_either(matches)}")
    at = number(wanted)
    if at is not None and at < len(plain):
        return at
    seen = ", ".join(repr(name[:40]) for name in plain[:SHOWN]) + (", …" if len(plain) > SHOWN else "")
    raise DecodeError(f"no column {wanted[:40]!r} here; there are {seen} (from number 0); mend {MAPPING}")


def _either(places: Sequence[int]) -> str:
    return " or ".join(f'"{at}"' for at in places[:5])


def looks_like_header(names: Sequence[str]) -> bool:
    """Whether a user may have meant these as canonical columns."""
    plain = [_plain(name).lower() for name in names]
    return any(name in KNOWN for name in plain) or (
        len(plain) > 1 and any(name.startswith(_LOOKS_LIKE) for name in plain)
    )


def suggestion(name: str) -> str:
    """What an unknown name may have meant."""
    for start, choices in (
        (("flow", "v'", "vdot"), [known for known in WAVEFORMS if known.startswith("flow")]),
        (("paw", "press", "p_aw", "airway"), [known for known in WAVEFORMS if known.startswith("paw")]),
        (("pco2", "co2", "capno", "etco2"), [known for known in WAVEFORMS if known.startswith("pco2")]),
        (("time", "t_", "sec"), list(TIMES)),
        (("vol", "vt"), list(VOLUMES)),
    ):
        if name.startswith(start):
            near = difflib.get_close_matches(name, choices, n=1, cutoff=0.85)
            return "did you mean " + (near[0] if near else " or ".join(choices)) + "? The unit is part of the name"
    near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else "names are as time_s, paw_cmh2o, flow_l_min, pco2_mmhg"
