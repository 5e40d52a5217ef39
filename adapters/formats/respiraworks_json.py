"""RespiraWorks test data (``.json``): one object with the settings of a test and its traces, each with name and unit.

Variables are chosen as in the tables of the same device (``respiraworks_signals.py``), or by the sidecar. Who tested is
not read. The object is held as a whole, and so are its samples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.named_arrays import Array, chunks
from adapters.decoding.text_rows import BOM
from adapters.formats.respiraworks_signals import OWN, TIME, flow_of, pressure_of
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import DecodeError
from streamer.model.records import Notice, NoticeKind
from streamer.model.units import unit_of
from streamer.model.zones import plausible

MAX_BYTES = 2**28
_OWN_KEYS = (b'"traces"', b'"trace_variable_names"', b'"variable_name"')
_SECONDS = {"s": "time_s", "sec": "time_s", "": "time_s", "ms": "time_ms"}
_VOLUMES = {"ml": "volume_ml", "l": "volume_l", "": "volume_ml"}


class _Trace(msgspec.Struct):
    """A variable; other keys are passed over."""

    variable_name: str
    data: list[float | None]
    variable_units: str = ""


class _Saved(msgspec.Struct):
    """A test; other keys are passed over."""

    traces: list[_Trace]
    start_time_utc: str = ""


def recognise(head: bytes, name: str) -> bool:
    """Whether it is an object with traces."""
    del name
    is_object = re.match(rb"\s*\{", head.removeprefix(BOM)) is not None
    return is_object and any(key in head for key in _OWN_KEYS[1:])


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """When the test began; its name says that it is UTC."""
    del options
    try:
        began = datetime.fromisoformat(_saved(path).start_time_utc)
    except (DecodeError, ValueError):  # told when its samples are read
        return Sidecar()
    start = began.replace(tzinfo=UTC) if began.tzinfo is None else began
    return Sidecar(recording=RecordingInfo(start_utc=plausible(start)))


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The traces that are used. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    traces = {trace.variable_name: trace for trace in _saved(path).traces}
    if options.columns:
        yield from chunks("respiraworks", [_array(name, trace) for name, trace in traces.items()], options)
        return
    flow, pressure = flow_of(traces), pressure_of(traces)
    if TIME not in traces or flow is None:
        seen = ", ".join(ascii(name[:30]) for name in list(traces)[:12])
        raise DecodeError(
            f"no trace of {'time' if TIME not in traces else 'net_flow, nor another flow'}; there are {seen}"
        )
    if flow.note and not flow.is_volume:
        yield Notice(bed="", at_s=0.0, kind=NoticeKind.NOTE, detail=flow.note)
    terms = [sign * _numbers(traces[name]) for name, sign in flow.signs.items()]
    first = traces[next(iter(flow.signs))]
    named = {
        _SECONDS.get(traces[TIME].variable_units.strip().lower(), ""): _numbers(traces[TIME]),
        _volume(first) if flow.is_volume else _column(Channel.FLOW, first): _sum(terms),
    }
    if pressure:
        named[_column(Channel.PAW, traces[pressure])] = _numbers(traces[pressure])
    yield from chunks("respiraworks", [_held(name, values) for name, values in named.items()], options)


def _saved(path: Path) -> _Saved:
    if (size := path.stat().st_size) > MAX_BYTES:
        raise DecodeError(f"a JSON file of {size >> 20} MiB is more than is read at once; save shorter tests")
    text = path.read_bytes().removeprefix(BOM)
    try:
        try:
            return msgspec.json.decode(text, type=_Saved)
        except msgspec.DecodeError:  # with junk behind the object, what is before it counts
            whole, _ = json.JSONDecoder().raw_decode(text.decode("utf-8", "replace").lstrip())
            return msgspec.convert(whole, _Saved)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        said = ascii(str(error).partition("\n")[0])[1:-1][:120]
        raise DecodeError(f"its traces cannot be read: {said}") from None


def _numbers(trace: _Trace) -> Any:
    return np.array([np.nan if value is None else value for value in trace.data], dtype=np.float64)


def _sum(terms: list[Any]) -> Any:
    if len({term.size for term in terms}) > 1:
        raise DecodeError("the flows that are to be added have several lengths")
    return np.sum(terms, axis=0)


def _array(name: str, trace: _Trace) -> Array:
    values = _numbers(trace)
    return Array(name[:64], values.size, lambda first, n: values[first : first + n], trace.variable_units)


def _held(name: str, values: Any) -> Array:
    return Array(name, values.size, lambda first, n: values[first : first + n])


def _volume(trace: _Trace) -> str:
    name = _VOLUMES.get(trace.variable_units.strip().lower())
    return name or _refuse(trace, "mL, L")


def _column(channel: Channel, trace: _Trace) -> str:
    """The canonical column of a variable. Raises ``DecodeError`` for an unknown unit."""
    known = unit_of(channel.value, trace.variable_units or OWN[channel])
    return f"{channel.value}_{known.name}" if known else _refuse(trace, OWN[channel])


def _refuse(trace: _Trace, known: str) -> str:
    raise DecodeError(
        f"{trace.variable_name[:30]!a} has the unknown unit {trace.variable_units[:20]!a}; usual is {known}"
    )
