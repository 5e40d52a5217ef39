"""Waveforms saved by VSCapture: Draeger ventilators (Medibus.X) and Philips IntelliVue monitors; one signal a file.

The file's name says which signal it holds, and what stands before it is the same for one session:

```
Draeger   Flow_inspiratory_expiratoryDrgWaveExport.csv, Airway_pressure…, CO2_concentration_mmHg… or …_kPa…
Philips   NOM_FLOW_AWAYWaveExport.csv, NOM_PRESS_AWAY…, NOM_AWAY_CO2…
```

Whichever is named, those of its session beside it are read with it, as one recording: a row is joined with that of the
same stamp, flow leading. What a file lacks is NaN there, what only a file other than the leading one has is left out.

No unit stands in a file. Draeger's are fixed by the protocol (mbar, L/min). Philips' are set at the monitor, and taken
as cmH2O, L/min and mmHg: a notice says so. ``columns`` in the sidecar says otherwise, by signal, as in
``NOM_AWAY_CO2 = "pco2_kpa"``, or ``value`` for a file under another name. A Philips export that was not calibrated
holds the monitor's raw numbers, and is refused.

The numeric exports beside them (``…DataExport.csv``) are trends and refused with a word on where the waveforms are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adapters.decoding.columns import WAVEFORMS
from adapters.decoding.contract import HEAD, ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.stamped_grid import IRREGULAR_S, Clock
from adapters.formats.vscapture_wave import Key, Row, WaveFile, is_numeric, is_old, is_waveform
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, Chunk, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.records import Notice, NoticeKind

_SIGNALS = {
    "Flow_inspiratory_expiratory": "flow_l_min",
    "Airway_pressure": "paw_mbar",
    "CO2_concentration_mmHg": "pco2_mmhg",
    "CO2_concentration_kPa": "pco2_kpa",
    "NOM_FLOW_AWAY": "flow_l_min",
    "NOM_PRESS_AWAY": "paw_cmh2o",
    "NOM_AWAY_CO2": "pco2_mmhg",
}
"""Name → what it is, the leading one first."""
_HIGHEST = {Channel.FLOW: 6.0, Channel.PAW: 200.0, Channel.PCO2: 200.0}
"""Where half of all samples lie above, in canonical units, they are no such signal."""
_NAME = re.compile(rf"(?P<session>.*?)(?P<signal>{'|'.join(_SIGNALS)})(?P<rest>(?:Drg)?WaveExport.*)", re.DOTALL)
_ROWS = 4096
_REMEDY = "give --rate HZ, or rate_hz under [recording] in the sidecar"
_TRENDS = (
    "a numeric export of VSCapture: trends, a row a minute or so, no waveforms; "
    "read the files …WaveExport.csv, or the Poly5 recording, of the same session"
)
_OLD = (
    "a waveform of an old VSCapture, stamped only when it arrived: its rate is unknown and its signals cannot be "
    "joined; export it with a version that writes the monitor's relative time too"
)

NEEDS_NEIGHBOURS = True
"""A recording is more than the file that is named."""


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line is a row of a waveform, or of a numeric export, which is refused later."""
    del name
    return is_waveform(head) or is_numeric(head) or is_old(head)


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The chunks of a session. Raises ``DecodeError`` without the file's name."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if is_numeric(head):
        raise DecodeError(_TRENDS)
    if is_old(head):
        raise DecodeError(_OLD)
    signals, notes = _session(path, options)
    options.units.update({signal.channel: signal.taken_as for signal in signals})
    yield from _Joined(signals).items(notes)


@dataclass
class _Signal:
    """One file of a session: what it is, its rows, and how they fare.

    Attributes:
        name: Of the signal, or ``value``.
        taken_as: Its canonical name.
        file: Its rows.
        joined: Rows that were joined, of a file that does not lead.
        left_out: Rows of it that no row of the leading file is stamped like.
    """

    name: str
    taken_as: str
    file: WaveFile
    joined: int = 0
    left_out: int = 0
    rows: Iterator[Row] = field(default_factory=lambda: iter(()))
    head: Row | None = None

    @property
    def channel(self) -> Channel:
        return WAVEFORMS[self.taken_as][0]

    def canonical(self, values: FloatArray) -> FloatArray:
        _, multiplier, divisor = WAVEFORMS[self.taken_as]
        return values * multiplier / divisor


def _session(path: Path, options: ReadOptions) -> tuple[list[_Signal], list[str]]:
    """The file and those beside it, the leading one first; and what is to be said of them. Raises ``DecodeError``."""
    said = {key: known for key, known in options.columns.items() if known in WAVEFORMS}
    found = _NAME.fullmatch(path.name)
    if found is None:
        if not said:
            raise DecodeError(
                "the file's name does not say which signal it is: keep the name that VSCapture gave it, as in "
                'NOM_FLOW_AWAYWaveExport.csv, or say columns = { value = "flow_l_min" } in the sidecar'
            )
        return [_opened(path, "value", next(iter(said.values())), options)], []
    signals: list[_Signal] = []
    notes: list[str] = []
    for name, usual in _SIGNALS.items():
        one = path.with_name(f"{found['session']}{name}{found['rest']}")
        if name != found["signal"] and not one.is_file():
            continue
        taken_as = said.get(name) or (said.get("value") if name == found["signal"] else None) or usual
        try:
            signals.append(_opened(one, name, taken_as, options))
        except DecodeError as error:
            if name == found["signal"]:
                raise
            notes.append(f"{name} beside it is left out: {error}")
    own = next(signal for signal in signals if signal.name == found["signal"])
    first = next(signal for signal in signals if signal.file.is_draeger == own.file.is_draeger)
    kept = {first.channel: first}
    for signal in signals:
        if signal.file.is_draeger == own.file.is_draeger:
            kept.setdefault(signal.channel, signal)
    return list(kept.values()), notes


def _opened(path: Path, name: str, taken_as: str, options: ReadOptions) -> _Signal:
    """A file that can be that signal. Raises ``DecodeError``."""
    signal = _Signal(name, taken_as, WaveFile(path, options.rate_hz))
    rate_hz = signal.file.rate_hz
    if math.isnan(rate_hz):
        raise DecodeError(f"its first stamps give no rate; {_REMEDY}")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise DecodeError(f"its stamps say {rate_hz:.4g} Hz, outside {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz; {_REMEDY}")
    typical = signal.file.typical
    if abs(signal.canonical(np.array([typical]))[0]) > _HIGHEST[signal.channel]:
        what = f"its values are around {typical:g}, which is no {taken_as}"
        raise DecodeError(f"{what}: raw numbers of the monitor; export calibrated values")
    return signal


class _Joined:
    """The rows of a session, joined by stamp, as chunks."""

    def __init__(self, signals: list[_Signal]) -> None:
        self._lead, *self._others = self._signals = signals
        file = self._lead.file
        self._samples = Samples("vscapture", file.rate_hz, self._channels)
        tolerance_s = IRREGULAR_S if file.is_draeger else None
        self._clock = Clock(self._samples, file.rate_hz, _REMEDY, tolerance_s=tolerance_s)
        self._base: int | None = None
        self._stamps: list[float] = []
        self._values: list[list[float]] = []

    def items(self, notes: list[str]) -> Iterator[Chunk | Notice]:
        """Chunks and notices, some thousand rows at a time. Raises ``DecodeError`` when there is no usable row."""
        for note in [*notes, *self._said()]:
            self._samples.note(NoticeKind.NOTE, note)
        for other in self._others:
            other.rows = other.file.rows()
            self._next(other)
        for row in self._lead.file.rows():
            self._row(row)
            if len(self._stamps) >= _ROWS:
                self._hand_on()
                self._clock.settle()
                yield from self._samples.take()
        self._hand_on()
        self._clock.settle(final=True)
        for other in self._others:
            if other.left_out or not other.joined:
                what = (
                    f"{other.name}: {other.left_out} rows without one of {self._lead.name} at their time are left out"
                )
                self._samples.note(NoticeKind.NOTE, f"{what}, {other.joined} were joined")
        yield from self._samples.close()

    def _said(self) -> list[str]:
        taken = [f"{signal.name} is taken as {signal.taken_as}" for signal in self._signals]
        absent = [channel.value for channel in Channel if channel not in {signal.channel for signal in self._signals}]
        notes = [f"the files name no units: {', '.join(taken)}"]
        return [*notes, f"there is no file of {' and of '.join(absent)} beside it"] if absent else notes

    def _row(self, row: Row) -> None:
        if row.wrong:
            self._hand_on()
            self._clock.damaged(row.line, f"{row.wrong} ({self._lead.name})", len(self._signals))
            return
        if self._base is None:
            self._base = row.key.stamp
        self._stamps.append(self._lead.file.seconds(row.key, self._base))
        self._values.append([row.value, *(self._match(other, row.key) for other in self._others)])

    def _match(self, other: _Signal, key: Key) -> float:
        """The value of another file at a key; NaN where it has none. What it has from before is left out."""
        while other.head is not None and other.head.key < key:
            other.left_out += 1
            self._next(other)
        if other.head is None or other.head.key > key:
            return math.nan
        value = other.head.value
        other.joined += 1
        self._next(other)
        return value

    def _next(self, other: _Signal) -> None:
        """Advance to its next good row; report the damaged rows before it."""
        other.head = next(other.rows, None)
        while other.head is not None and other.head.wrong:
            self._samples.damaged(other.head.line, f"{other.head.wrong} ({other.name})", slots=0)
            other.head = next(other.rows, None)

    def _hand_on(self) -> None:
        if self._stamps:
            self._clock.rows(np.array(self._stamps), np.array(self._values))
            self._stamps, self._values = [], []

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        return {signal.channel: signal.canonical(values[:, at]) for at, signal in enumerate(self._signals)}
