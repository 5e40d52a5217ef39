"""One JSON object → samples: what its fields mean, in which unit. Used by ``json_lines`` and ``mqtt_samples``.

An object is one sample, or a block of them: arrays of equal length, the time of the first one, ``rate_hz``. A field is
found by its name, or by a dotted path to it (``resp.flow``, ``waves.0.value``), and its meaning is a canonical column
(contract.md §2). A time is a number (``time_s``, ``time_ms``) or an ISO 8601 text. Contents never get into messages:
other programs put names and identities into theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from adapters.decoding.columns import WAVEFORMS, scale
from adapters.decoding.text_rows import MAX_LINE
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, FloatArray
from streamer.model.errors import ConfigError
from streamer.model.units import STANDARD_MMHG
from streamer.model.validation_errors import did_you_mean

TIMES = {"time_s": 1.0, "time_ms": 1000.0}
"""Name → how many of its unit are a second."""
RATE = "rate_hz"
MAX_DEPTH = 32
MAX_TIME_S = 1e11
"""Some three thousand years: beyond it seconds are no time, and lose the thousandths."""
_ABSENT = object()
_KNOWN = {**dict.fromkeys(TIMES), RATE: None, **dict.fromkeys(WAVEFORMS)}


class Unusable(ValueError):  # noqa: N818 (named by what it is)
    """Why an object is damage."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What an object holds.

    Attributes:
        time_s: Of the first sample; None when it does not say.
        rate_hz: None when it does not say.
        waveforms: Channel → ``(n,)`` in canonical units; empty for an object about something else.
        names: Canonical names of the waveforms.
    """

    time_s: float | None
    rate_hz: float | None
    waveforms: Mapping[Channel, FloatArray]
    names: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return next((wave.size for wave in self.waveforms.values()), 0)


class Fields:
    """Which fields of an object are samples.

    Args:
        columns: Path → canonical name; empty: the canonical names themselves.
        barometric_mmhg: What CO2 in % is a share of.

    Raises:
        ConfigError: A name that is none, or a signal that has two paths.
    """

    def __init__(self, columns: Mapping[str, str], barometric_mmhg: float = STANDARD_MMHG) -> None:
        self._barometric_mmhg = barometric_mmhg
        self._paths: dict[str, str] = {}
        taken: dict[str, str] = {}
        for path, name in (columns or dict.fromkeys(_KNOWN, "")).items():
            meaning = name or path
            if meaning not in _KNOWN:
                raise ConfigError(f"columns: {path!r} = {meaning!r}: {did_you_mean(meaning, _KNOWN)}")
            signal = "time" if meaning in TIMES else WAVEFORMS[meaning][0].value if meaning in WAVEFORMS else RATE
            if columns and signal in taken:
                raise ConfigError(f"columns: {taken[signal]!r} and {path!r} are both the {signal}; leave one")
            taken[signal] = path
            self._paths[path] = meaning
        if columns and not set(columns.values()) & set(WAVEFORMS):
            raise ConfigError(f"columns: none is a waveform; known are {', '.join(WAVEFORMS)}")

    def read(self, text: bytes) -> Samples:
        """What a line holds. Raises ``Unusable``."""
        found = {}
        whole = _decoded(text)
        for path, meaning in self._paths.items():
            value = _at(whole, path)
            if value is not _ABSENT:
                found[meaning] = value
        waveforms: dict[Channel, FloatArray] = {}
        for meaning, value in found.items():
            if meaning in WAVEFORMS:
                channel = WAVEFORMS[meaning][0]
                multiplier, divisor = scale(meaning, self._barometric_mmhg)
                if channel in waveforms:
                    raise Unusable(f"{channel} is there twice")
                waveforms[channel] = _numbers(meaning, value) * multiplier / divisor
        if len({wave.size for wave in waveforms.values()}) > 1:
            sizes = ", ".join(f"{channel} {wave.size}" for channel, wave in waveforms.items())
            raise Unusable(f"the arrays differ in length: {sizes}")
        return Samples(_time(found), _rate(found), waveforms, frozenset(found.keys() & WAVEFORMS))


def _decoded(text: bytes) -> Any:
    if len(text) > MAX_LINE:
        raise Unusable(f"longer than {MAX_LINE} bytes")
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise Unusable(f"nested more than {MAX_DEPTH} deep")
    try:
        whole = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unusable("not JSON") from None
    if not isinstance(whole, dict):
        raise Unusable("JSON, but not an object")
    return whole


def _depth(text: bytes) -> int:
    """At least as deep as it is nested; brackets within texts count too."""
    depth = deepest = 0
    for byte in text:
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _at(whole: Any, path: str) -> Any:
    """What stands at a path, ``_ABSENT`` when nothing does."""
    if path in whole:
        return whole[path]
    for part in path.split("."):
        if isinstance(whole, dict):
            whole = whole.get(part, _ABSENT)
        elif isinstance(whole, list) and part.isascii() and part.isdigit() and len(part) < 6 and int(part) < len(whole):  # noqa: PLR2004 (no array is longer)
            whole = whole[int(part)]
        else:
            return _ABSENT
    return whole


def _numbers(name: str, value: Any) -> FloatArray:
    """``(n,)``; null is a missing sample."""
    several = value if isinstance(value, list) else [value]
    numbers = [_number(name, number) if number is not None else math.nan for number in several]
    return np.array(numbers, dtype=np.float64)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable(f"{name} is not a number{' but text' if isinstance(value, str) else ''}")
    try:
        return float(value)
    except OverflowError:
        raise Unusable(f"{name} is too large a number") from None


def _time(found: Mapping[str, Any]) -> float | None:
    for name, per_s in TIMES.items():
        value = found.get(name)
        if value is None:
            continue
        time_s = _instant(name, value) if isinstance(value, str) else _number(name, value) / per_s
        if abs(time_s) > MAX_TIME_S:
            raise Unusable(f"{name} is not a time: too large a number")
        return time_s
    return None


def _instant(name: str, text: str) -> float:
    """Seconds of an ISO 8601 text; without an offset its zone is unknown, and only differences count."""
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Unusable(f"{name} is a text, but not an ISO 8601 time such as 2020-06-01T08:00:00.020Z") from None


def _rate(found: Mapping[str, Any]) -> float | None:
    value = found.get(RATE)
    if value is None:
        return None
    rate_hz = _number(RATE, value)
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise Unusable(f"{RATE} {rate_hz:g} is outside {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g}")
    return rate_hz
