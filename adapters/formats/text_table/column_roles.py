"""What the columns of a text table are, from their names and units, a mapping, and what stands in them.

A name of contract.md §2 says both. ``Flow [L/min]``, ``paw (mbar)``, ``CO2_kPa`` and a row of units say the same. A
flow, pressure or CO2 without a unit is refused, since its numbers would be a guess. A time without one is in seconds
or milliseconds: no rate that can be used allows both. Other columns are left out, and told.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.decoding.column_names import _UNIT, MAX_NAME, TIME_LABELS, named, plain_of
from adapters.decoding.columns import (
    ARRIVAL,
    CANONICAL,
    KNOWN,
    MAPPING,
    TIMES,
    VOLUMES,
    WAVEFORMS,
    Columns,
    columns,
    looks_like_header,
    number,
    position,
    suggestion,
)
from adapters.decoding.flow_from_volume import FLOW_FROM_VOLUME
from adapters.decoding.serial_days import date_of
from adapters.decoding.signal_names import is_half_of_flow, meant
from adapters.formats.text_table.dialect import Dialect
from adapters.formats.text_table.fields import is_date, is_grouped, is_missing, is_number, is_stamp, value_of
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.units import STANDARD_MMHG, unit_of

_UNIQUE = ("time_s", "time_ms", "time_us", "time_ns")
"""Units of which the steps of a time can be of one only, at any rate that can be used."""
_STARTS = (
    ("flow", ("flow", "v'", "vdot")),
    ("paw", ("paw", "press", "p_aw", "airway")),
    ("pco2", ("pco2", "co2", "capno", "etco2")),
)
"""What the names of a signal begin with, even if nothing else of them is known."""
_SPOKEN = {
    "time_s": "seconds",
    "time_ms": "milliseconds",
    "time_us": "microseconds",
    "time_ns": "nanoseconds",
    "time_d": "days, as of a spreadsheet or of MATLAB",
}
SHOWN = 8
"""Names in a note."""


def knows(names: Sequence[str], mapping: Mapping[str, str]) -> bool:
    """Whether a line is a header whose names are known, or are meant to be; a row may have words in it too."""
    plain = [plain_of(name) for name in names]
    numbers = sum(is_number(name, ".") or is_number(name, ",") or is_stamp(name) for name in plain)
    if 2 * numbers >= sum(map(bool, plain)):
        return False
    if mapping:
        lower = {name.lower() for name in plain}
        return any(key.strip().lower() in lower and number(key) is None for key in mapping)
    if any(name.lower() in KNOWN for name in plain):
        return True
    return not numbers and (looks_like_header(plain) or any(named(name, "") is not None for name in plain if name))


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the columns are.

    Attributes:
        columns: Positions, channels and units.
        is_stamped: The time is written as date-times or times of day.
        from_volume: The channel flow holds volume in L: there is no flow.
        notes: What was assumed or left out, one line each, behind a word for it.
    """

    columns: Columns
    is_stamped: bool
    from_volume: bool
    notes: tuple[tuple[str, str], ...]


def meaning(dialect: Dialect, mapping: Mapping[str, str], barometric_mmhg: float = STANDARD_MMHG) -> Meaning:
    """Say what the columns of a table are; CO2 in % is of ``barometric_mmhg``.

    Raises:
        DecodeError: A column has no unit, or is meant to be what it is not; two are the same; no waveform.
        ConfigError: The mapping names what is not canonical.
    """
    notes: list[tuple[str, str]] = []
    found = _mapped(dialect, mapping) if mapping else _named(dialect, notes)
    time = next((at for at, name in found.items() if name in TIMES), None)
    is_stamped = time is not None and _holds_stamps(dialect, time)
    from_volume = not any(name.startswith("flow") for name in found.values())
    volumes = [at for at, name in found.items() if name in VOLUMES]
    from_volume = from_volume and bool(volumes)
    if from_volume:
        at = volumes[0]
        notes.append((FLOW_FROM_VOLUME, f"there is no flow: it is the slope of {dialect.names[at][:40]!r} (quality B)"))
    read = {at: name for at, name in found.items() if name not in VOLUMES}
    if from_volume:
        read[volumes[0]] = {"volume_ml": "flow_ml_s", "volume_l": "flow_l_s"}[found[volumes[0]]]
    table = placed(read, barometric_mmhg)
    notes += [("barometer", note) for note in table.notes]
    return Meaning(table, is_stamped, from_volume, tuple(notes))


def placed(canonical: Mapping[int, str], barometric_mmhg: float) -> Columns:
    """Position → canonical name, as a table."""
    places = sorted(canonical)
    table = columns([canonical[at] for at in places], None, barometric_mmhg)
    waveforms = {channel: (places[at], up, down) for channel, (at, up, down) in table.waveforms.items()}
    time = None if table.time is None else places[table.time]
    return dataclasses.replace(table, time=time, waveforms=waveforms, used=frozenset(canonical))


def _mapped(dialect: Dialect, mapping: Mapping[str, str]) -> dict[int, str]:
    """Position → canonical name, as the mapping says."""
    for name, canonical in mapping.items():
        if canonical not in CANONICAL:
            raise ConfigError(f"columns maps {name!r} to the unknown {canonical[:40]!r}; {suggestion(canonical)}")
    if {*WAVEFORMS, *VOLUMES}.isdisjoint(mapping.values()):
        raise ConfigError(f"columns maps nothing to a waveform; known are {', '.join(WAVEFORMS)}")
    found: dict[int, str] = {}
    for name, canonical in mapping.items():
        if dialect.header is None and (number(name) is None or int(name) >= len(dialect.names)):
            there = f"there is no header, so columns have the numbers 0 to {len(dialect.names) - 1}"
            raise DecodeError(f"no column {name[:40]!r}: {there}; mend {MAPPING}")
        at = position(dialect.names, name)
        if at in found:
            raise DecodeError(f"columns maps column {at} twice, to {found[at]} and {canonical}; leave one")
        found[at] = canonical
    return found


def _named(dialect: Dialect, notes: list[tuple[str, str]]) -> dict[int, str]:
    """Position → canonical name, as the names and units say."""
    if dialect.header is None:
        raise DecodeError(f"there are no names above its {len(dialect.names)} columns of numbers; give {MAPPING}")
    units = [*dialect.units, *[""] * (len(dialect.names) - len(dialect.units))]
    found = {
        at: canonical
        for at, (name, unit) in enumerate(zip(dialect.names, units, strict=True))
        if (canonical := named(name, unit)) is not None
    }
    _refuse_twice(dialect.names, found)
    _refuse_halves(dialect.names, found)
    if not any(name in TIMES for name in found.values()):
        found |= _vague_time(dialect, found, notes)
    is_table = any(name in WAVEFORMS or name in VOLUMES for name in found.values())
    left_out = []
    for at, name in enumerate(map(plain_of, dialect.names)):
        if at not in found:
            if not is_table or is_wanted(name, found):
                _refuse_unit_cells(dialect, at)
                has = f", with the unit {units[at][:20]!r}" if units[at] else ""
                raise DecodeError(
                    f"unknown column {name[:40].lower()!r}{has}; {suggestion(name.lower())}; or give {MAPPING}"
                )
            _refuse_flow(name, units[at], found)
            left_out.append(repr(name[:40]) if name else "one without a name")
    if not is_table:
        known = f"{', '.join(WAVEFORMS)} (flow is positive into the patient)"
        raise DecodeError(f"no waveform column; known are {known}")
    if left_out:
        more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
        notes.append(("columns_left_out", f"columns that are not read: {', '.join(left_out[:SHOWN])}{more}"))
    return {at: name for at, name in found.items() if name not in ARRIVAL}


_UNIT_CELL = re.compile(r"[-+]?\d[\d.,]*\s*[^\W\d][\w/%·⁻¹₂ ]*")
"""A number and its unit."""


def _refuse_unit_cells(dialect: Dialect, at: int) -> None:
    """Raises ``DecodeError`` where each field of a column repeats the unit behind its number."""
    cells = [plain_of(row[at]) for row in dialect.rows if len(row) > at and plain_of(row[at])]
    if cells and all(map(_UNIT_CELL.fullmatch, cells)):
        what = f"the fields of column {plain_of(dialect.names[at])[:40]!r} have a unit behind each number"
        raise DecodeError(f"{what}: write the numbers alone, and the unit in the name, as in flow_l_min")


def _refuse_twice(names: Sequence[str], found: Mapping[int, str]) -> None:
    seen: dict[str, int] = {}
    for at, canonical in found.items():
        kind = "time" if canonical in TIMES else canonical
        if kind in seen:
            first, second = (plain_of(names[one])[:40] for one in (seen[kind], at))
            if first.lower() == second.lower():
                raise DecodeError(f"column {first.lower()!r} appears twice; leave one, or give {MAPPING}")
            raise DecodeError(f"columns {first!r} and {second!r} are the same signal; leave one, or give {MAPPING}")
        seen[kind] = at


def _refuse_halves(names: Sequence[str], found: Mapping[int, str]) -> None:
    """Raises ``DecodeError`` where flow is in two columns, one for each half of a breath."""
    if any(canonical.startswith("flow") for canonical in found.values()):
        return
    halves = [plain_of(name)[:40] for name in names if is_half_of_flow(name)]
    if halves:
        shown = " and ".join(map(repr, halves[:2]))
        what = f"flow is apart for inspiration and expiration ({shown})"
        raise DecodeError(f"{what}: write one column of it, positive into the patient; or give {MAPPING}")


def _refuse_flow(name: str, unit: str, found: Mapping[int, str]) -> None:
    """Raises ``DecodeError`` where pressure alone is known, and this column has a unit of flow."""
    kinds = {canonical.partition("_")[0] for canonical in found.values()}
    parts = _UNIT.fullmatch(name[:MAX_NAME])
    if (
        "paw" in kinds
        and kinds.isdisjoint({"flow", "volume"})
        and unit_of("flow", unit or (parts["unit"] if parts else ""))
    ):
        raise DecodeError(f"column {name[:40]!r} has a unit of flow and no name that is known; give {MAPPING}")


def is_wanted(name: str, found: Mapping[int, str]) -> bool:
    """Whether a column without a unit may be a signal that no other column is."""
    channel = meant(unicodedata.normalize("NFKC", name[:MAX_NAME]))
    kinds = [kind for kind, starts in _STARTS if name.lower().startswith(starts)] or (
        [channel.value] if channel else []
    )
    return any(not any(canonical.startswith(kind) for canonical in found.values()) for kind in kinds)


def _vague_time(dialect: Dialect, found: Mapping[int, str], notes: list[tuple[str, str]]) -> dict[int, str]:
    """A time without a unit, if there is one: date-times, or numbers whose steps say what they are."""
    free = [at for at in range(len(dialect.names)) if at not in found]
    stamped = [at for at in free if _holds_stamps(dialect, at)]
    named = [at for at in free if plain_of(dialect.names[at]).lower() in TIME_LABELS]
    best = [at for at in stamped if at in named] or stamped
    if best:
        return {best[0]: "time_s"}
    for at in named:
        rate_hz = _rows_a_unit(dialect, at)
        first = next(iter(_numbers(dialect, at)), 0.0)
        for name in (*_UNIQUE, *(["time_d"] if date_of(first) else [])):
            if rate_hz and MIN_RATE_HZ <= rate_hz * TIMES[name] <= MAX_RATE_HZ:
                what = f"column {dialect.names[at][:40]!r} has no unit: its steps are of {_SPOKEN[name]}"
                notes.append(("time_unit", what))
                return {at: name}
    return {}


def _rows_a_unit(dialect: Dialect, at: int) -> float:
    """How many rows there are to one unit of a time; 0 where it does not advance."""
    numbers = _numbers(dialect, at)
    steps = sorted(after - before for before, after in itertools.pairwise(numbers) if after > before)
    distinct = len(set(numbers))
    return distinct and len(numbers) / distinct / steps[len(steps) // 2] if steps else 0.0


def days_of(dialect: Dialect) -> list[str]:
    """The first dates of a column that holds nothing else, if there is one: it stands beside that of the times."""
    for at in range(len(dialect.names)):
        fields = [plain_of(row[at]) for row in dialect.rows if len(row) > at]
        said = [one for one in fields if not is_missing(one)]
        if said and said[0] == fields[0] and all(is_date(one) for one in said):
            return said
    return []


def _numbers(dialect: Dialect, at: int) -> list[float]:
    """The first numbers of a column."""
    fields, point = [plain_of(row[at]) for row in dialect.rows if len(row) > at], dialect.point
    return [value_of(one, point) for one in fields if is_number(one, point) or is_grouped(one, point)]


def _holds_stamps(dialect: Dialect, at: int) -> bool:
    fields = [plain for row in dialect.rows if len(row) > at and not is_missing(plain := plain_of(row[at]))]
    stamps = sum(is_stamp(one) for one in fields)
    return stamps > sum(is_number(one, dialect.point) for one in fields)
