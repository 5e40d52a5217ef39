"""Which signals of a binary recording are flow, airway pressure and CO2: by label and unit.

A signal is known by a word of its label and a unit that such a signal can have; ``columns`` of the context file or the
sidecar goes before both. What could be meant and cannot be used is left out and told, never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from adapters.decoding.columns import OF_BAROMETER, VOLUMES, WAVEFORMS, barometer_note, conditions_of, scale
from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import ToChannels
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, FloatArray
from streamer.model.context import Context
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.units import SHOWN, unit_of

_WORD = re.compile(r"[A-Z]+\d*(?![a-z])|[A-Z]?[a-z]+\d*")
_NUMBER = re.compile(r"[0-9]{1,4}")
_WORDS: Mapping[Channel, frozenset[str]] = {
    Channel.PCO2: frozenset({"co2", "pco2", "capno", "capnogram"}),
    Channel.FLOW: frozenset(
        {
            "flow",
            "airflow",
            "fluss",
            "atemfluss",
            "volumenstrom",
            "debit",
            "flujo",
            "caudal",
            "flusso",
            "portata",
            "fluxo",
        }
    ),
    Channel.PAW: frozenset(
        {
            "paw",
            "awp",
            "pao",
            "press",
            "pressure",
            "druck",
            "atemwegsdruck",
            "beatmungsdruck",
            "pression",
            "presion",
            "pressione",
            "pressao",
        }
    ),
}
"""Words of a label; CO2 first, for it has a pressure too."""
_HALVES = ("insp", "exsp", "exp", "esp")
"""What words begin with that say which half of a breath."""
_WHOLE = {"f": Channel.FLOW, "p": Channel.PAW}
"""Labels of one letter."""
_OTHERS = frozenset({
    "abp", "ambient", "art", "arterial", "barometric", "bias", "blood", "cannula", "cuff", "cvp", "end", "epr", "es",
    "eso", "esophageal", "et", "fi", "fresh", "gastric", "icp", "insp", "ipap", "epap", "leak", "lim", "limit", "max",
    "mean", "min", "n2o", "nasal", "nibp", "o2", "oes", "oesophageal", "oxygen", "pdi", "peak", "peep", "pes", "pga",
    "plateau", "sample", "set", "setpoint", "supply", "target", "tc", "exp", "expiratory", "inspiratory", "expired",
    "inspired", "arterielle", "arteriel", "arterieller", "arteriosa", "sang", "blut", "sangre", "oesophagus",
    "oesophagienne", "esofagica", "esofagea", "gastrique", "gastrica", "magen", "gastrisch", "venous", "venoso",
    "veineuse", "venoser", "moyenne", "media", "mittel", "mittlerer", "crete", "pico", "picco", "spitze", "leck",
    "fuite", "fuga", "atmospheric", "atmospherique", "atmosferica", "umgebung", "inspiratoire", "expiratoire",
    "inspiratorio", "expiratorio", "espiratorio", "inspiratoria", "expiratoria", "inspiratorischer", "exspiratorischer",
})  # fmt: skip
"""Words of flows and pressures elsewhere, of settings and of values of whole breaths."""


class Signal(NamedTuple):
    """What a file says of a signal. ``rate_hz`` is 0 where it has no samples."""

    label: str
    unit: str
    rate_hz: float


class Use(NamedTuple):
    """A signal that is used: its position, and multiplier and divisor from its unit to the canonical one."""

    at: int
    multiplier: float
    divisor: float


@dataclass(slots=True)
class Chosen:
    """What is used; what a reader of the recording should know, one line each; what the units say of the gas."""

    uses: dict[Channel, Use] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    context: Context = field(default_factory=Context)


def choose(signals: Sequence[Signal], options: ReadOptions, *, co2_alone: bool = False) -> Chosen:
    """Find flow, and pressure and CO2 where they are. Pressure has flow's rate; CO2 may have another.

    Args:
        signals: All signals of the file, in its order.
        options: Its ``columns`` say what some of them are; CO2 in % is of its ``barometric_mmhg``.
        co2_alone: A recording with CO2 need not have flow.

    Raises:
        ConfigError: ``columns`` names a signal or a meaning that there is not, or one meaning twice.
        DecodeError: There is no flow that can be used.
    """
    named = _named(signals, options.columns)
    chosen = Chosen()
    for channel in (Channel.FLOW, Channel.PAW, Channel.PCO2):
        found = {at: name for at, name in named.items() if name in WAVEFORMS and WAVEFORMS[name][0] is channel}
        if not found:
            found = _recognised(signals, channel, named, chosen.notes)
        found = _usable(signals, channel, found, chosen)
        if found:
            best = max(found, key=lambda at: (signals[at].rate_hz, -at))
            if others := [_shown(signals[at].label) for at in found if at != best]:
                chosen.notes.append(f"{channel}: {_shown(signals[best].label)} is used, not {', '.join(others[:5])}")
            chosen.uses[channel] = Use(best, *scale(found[best], options.barometric_mmhg))
            options.units[channel] = found[best]
            if channel is Channel.FLOW:
                chosen.context = conditions_of([found[best]], signals[best].unit)
            if found[best] in OF_BAROMETER:
                chosen.notes.append(barometer_note(options.barometric_mmhg))
    if not chosen.uses.keys() & ({Channel.FLOW, Channel.PCO2} if co2_alone else {Channel.FLOW}):
        raise DecodeError(_no_flow(signals, chosen.notes))
    return chosen


Groups: TypeAlias = list[tuple[str, float, dict[Channel, Use]]]
"""Suffix of a source, rate, signals of it; several."""


def grouped(signals: Sequence[Signal], chosen: Chosen) -> Groups:
    """One source for all signals of one rate, and ``.co2`` for CO2 of another: suffix, rate, signals of each.

    Without flow, breaths are those of CO2, and a pressure of another rate is left out and told.
    """
    uses = dict(chosen.uses)
    rates = {channel: signals[use.at].rate_hz for channel, use in uses.items()}
    main_hz = rates.get(Channel.FLOW, rates.get(Channel.PCO2, 0.0))
    if rates.get(Channel.PAW, main_hz) != main_hz:
        label = _shown(signals[uses.pop(Channel.PAW).at].label)
        chosen.notes.append(f"{label} has another rate than CO2, there is no flow, and it is left out")
    if rates.get(Channel.PCO2, main_hz) == main_hz:
        return [("", main_hz, uses)]
    co2 = uses.pop(Channel.PCO2)
    return [("", main_hz, uses), (".co2", rates[Channel.PCO2], {Channel.PCO2: co2})]


def scaled(uses: Mapping[Channel, Use]) -> ToChannels:
    """Columns in the units of the file, in this order → channels in canonical units."""

    def channels(values: FloatArray) -> dict[Channel, FloatArray]:
        return {name: values[:, at] * use.multiplier / use.divisor for at, (name, use) in enumerate(uses.items())}

    return channels


def _named(signals: Sequence[Signal], columns: Mapping[str, str]) -> dict[int, str]:
    """Position → canonical name, for what ``columns`` says. Raises ``ConfigError``."""
    labels = [signal.label.lower() for signal in signals]
    named: dict[int, str] = {}
    seen: set[Channel] = set()
    for key, name in columns.items():
        plain = key.strip().lower()
        if name not in WAVEFORMS and name not in VOLUMES:
            raise ConfigError(f"columns: {name!r} is no name; known are {', '.join((*WAVEFORMS, *VOLUMES))}")
        if plain in labels:
            at = labels.index(plain)
        elif _NUMBER.fullmatch(plain) and int(plain) < len(labels):
            at = int(plain)
        else:
            raise ConfigError(f"columns: there is no signal {key!r}; there are {_listed(signals)}")
        channel = WAVEFORMS[name][0] if name in WAVEFORMS else None
        if channel in seen or at in named:
            raise ConfigError(f"columns: {key!r} = {name!r} says a second time what a signal is; leave one")
        if channel is not None:
            seen.add(channel)
        named[at] = name
    return named


def _recognised(
    signals: Sequence[Signal], channel: Channel, named: Mapping[int, str], notes: list[str]
) -> dict[int, str]:
    """Position → canonical name of the signals that are this by label and unit."""
    found = {}
    for at, signal in enumerate(signals):
        if at in named or meant(signal.label) is not channel or signal.rate_hz < MIN_RATE_HZ:
            continue
        unit = unit_of(channel.value, signal.unit)
        if unit is not None:
            found[at] = f"{channel.value}_{unit.name}"
            continue
        has = f"the unit {_shown(signal.unit)}" if signal.unit else "no unit"
        known = f"none of {SHOWN[channel.value]}"
        notes.append(f"{_shown(signal.label)} has {has}, {known}, and is left out; {_advice(channel, signal)}")
    return found


def _advice(channel: Channel, signal: Signal) -> str:
    """What to do about a signal whose unit is none of its kind: never a unit that contradicts the file's."""
    others = [other.value for other in Channel if other is not channel and unit_of(other.value, signal.unit)]
    if others:
        return f"that is a unit of {others[0]}: if the file is wrong, say what it is under [recording.columns]"
    known = [name for name, (meant, *_) in WAVEFORMS.items() if meant is channel]
    return f"if its numbers are in one of these, say what it is under [recording.columns]: {', '.join(known)}"


def _usable(signals: Sequence[Signal], channel: Channel, found: dict[int, str], chosen: Chosen) -> dict[int, str]:
    """Those with a usable rate; a note lists the others."""
    kept = {}
    for at, name in found.items():
        label, _, rate_hz = signals[at]
        flow = chosen.uses.get(Channel.FLOW)
        why = ""
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            why = f"outside {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz"
        elif channel is Channel.PAW and flow is not None and rate_hz != signals[flow.at].rate_hz:
            why = f"flow {signals[flow.at].rate_hz:g} Hz"
        if why:
            chosen.notes.append(f"{_shown(label)} has {rate_hz:g} Hz, {why}, and is left out")
        else:
            kept[at] = name
    return kept


def meant(label: str) -> Channel | None:
    """What a label says, whatever the unit."""
    plain = label.lower()
    if plain in _WHOLE:
        return _WHOLE[plain]
    words = _words(label)
    words |= {word.rstrip("0123456789") for word in words if not word.endswith("o2")}
    if words & _OTHERS:
        return None
    return next((channel for channel, known in _WORDS.items() if words & known), None)


def is_half_of_flow(label: str) -> bool:
    """Whether it says flow of inspiration, or of expiration."""
    words = _words(label)
    return bool(words & _WORDS[Channel.FLOW]) and any(word.startswith(_HALVES) for word in words)


def _words(label: str) -> set[str]:
    """Its words in lower case, without accents."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", label) if not unicodedata.combining(one))
    return {word.lower() for word in _WORD.findall(plain)}


def _no_flow(signals: Sequence[Signal], notes: Sequence[str]) -> str:
    """Why there is none, as an error says it."""
    if notes:
        return f"no flow that can be used: {notes[0]}"
    return f"no flow signal in {SHOWN[Channel.FLOW.value]} among {_listed(signals)}"


def _listed(signals: Sequence[Signal]) -> str:
    some = [_shown(signal.label) for signal in signals[:8]]
    return ", ".join(some) + (" …" if len(signals) > len(some) else "")


def _shown(text: str) -> str:
    """Quoted, printable, short."""
    return ascii(text[:24])[:40]
