"""The canonical name of a column, from its label and its unit."""

from __future__ import annotations

import re
import unicodedata

from adapters.decoding.columns import (
    KNOWN,
    WAVEFORMS,
)
from adapters.decoding.signal_names import meant
from streamer.model.units import unit_of

_MINUS = "\N{MINUS SIGN}"


def plain_of(field: str) -> str:
    """A field without blanks and quotes around it."""
    return field.strip(" \t").strip('"').strip(" \t").replace(_MINUS, "-")


_UNIT = re.compile(r"(?P<label>.*?)[\s_]*[\[({](?P<unit>[^\[\](){}]{1,24})[\])}][\s:]*")
_TAIL = re.compile(
    r"(?P<label>[^\s_/,;]+(?:[ _][A-Za-z]+)??)(?:[ _]*/ ?|, ?|[ _]in[ _]|[ _])(?P<unit>\S{1,12}(?: \S{1,8})?)"
)
_DOTTED = re.compile(r"(?P<label>.*?\w)\.{2,}(?P<unit>[\w.]{1,24}?)\.*")
"""As R writes ``Flow (L/min)``: ``Flow..L.min.``."""
TIME_LABELS = frozenset({
    "time", "t", "zeit", "temps", "tiempo", "tempo", "timestamp", "time stamp", "time_stamp", "datetime", "date time",
    "date_time", "date/time", "sec", "secs", "seconds", "elapsed", "elapsed time", "elapsed_time", "reltime", "ts",
    "rel time", "clock", "uhrzeit", "datum/zeit", "local time", "time of day", "x_value", "messzeit", "zeitstempel",
    "zeitpunkt", "horodatage", "heure", "hora", "ora", "fecha hora", "fecha/hora", "date et heure", "data/ora", "epoch",
    "unix time", "unixtime", "unix_time", "asctime", "elapsed_s", "time elapsed", "relative time", "relativzeit",
})  # fmt: skip
_TIME_UNITS = {
    spelled: f"time_{unit}"
    for unit, known in {
        "s": "s sec secs second seconds sek sekunden secondes segundos secondi",
        "ms": "ms msec msecs millisecond milliseconds millis",
        "us": "us \u03bcs usec usecs microsecond microseconds micros",
        "ns": "ns nsec nanosecond nanoseconds nanos",
        "min": "min mins minute minutes minuten minutos minuti",
        "h": "h hr hrs hour hours stunden heures horas",
        "d": "d day days tage jours",
    }.items()
    for spelled in known.split()
}
_VOLUMES = frozenset({"volume", "vol", "v", "tidal volume", "volumen", "atemvolumen", "volumes"})
MAX_NAME = 80
"""Characters of a name that are looked at."""


def named(name: str, unit: str) -> str | None:
    """The canonical name of a column with a label and, in its name or a row of its own, a unit; None for any other."""
    plain = unicodedata.normalize("NFKC", plain_of(name)[:MAX_NAME])  # CO₂ is CO2
    if not any(map(str.isalpha, plain)):
        return None
    if plain.lower() in KNOWN:
        return plain.lower()
    if unit:
        return _with_unit(plain, unit)
    for pattern in (_UNIT, _TAIL):
        if (found := pattern.fullmatch(plain)) and (canonical := _with_unit(found["label"], found["unit"])):
            return canonical
    if found := _DOTTED.fullmatch(plain):
        label, unit = found["label"].replace(".", " "), found["unit"]
        return _with_unit(label, unit) or _with_unit(label, unit.replace(".", "/"))
    return None


def _with_unit(label: str, unit: str) -> str | None:
    plain, unit = label.strip(" _:").lower(), unit.strip()
    if plain in TIME_LABELS:
        return _TIME_UNITS.get(unit.lower())
    if plain in _VOLUMES:
        return {"ml": "volume_ml", "l": "volume_l", "cc": "volume_ml"}.get(unit.lower())
    channel = meant(label)
    known = unit_of(channel.value, unit) if channel else None
    canonical = f"{channel.value}_{known.name}" if channel and known else None
    return canonical if canonical in WAVEFORMS else None
