"""EDF and EDF+ (European Data Format): flow, airway pressure and CO2 among its signals; ResMed's files of the SD card.

Signals are known by label and unit (``signal_names.py``). A record of ``duration`` seconds has each signal's samples
one after the other, so it counts once it is whole. Records follow each other; in EDF+D each says when it begins, and
what lies between is a gap. CO2 of another rate than flow comes as a source of its own, ``edf.co2``. A sample outside
the signal's digital range is missing. Time is counted from the start; the header's date, whose zone is unknown, becomes
``start_local``.

ResMed ends each record with a checksum in the signal ``Crc16``: CRC-16 of the polynomial 0x1021, begun at 0xFFFF, over
all bytes before it, the low byte first (it agrees with all 213 records of the shared files). A record that differs is
damaged. Only there ``Crc16`` is checked; a signal of this name in another place or of another length is not.

Löwenstein's devices (prisma, ``.wmedf``) write a header of EDF whose signals say ``#1`` or ``#2`` where EDF says
nothing: samples of one or two bytes. They are read so after a public description, and a notice says so.
"""

from __future__ import annotations

# Ours because edfio and pyEDFlib need the whole file and refuse what is discontinuous or cut short.
import re
from binascii import crc_hqx
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.signal_names import Chosen, Signal, Use, choose
from adapters.formats.edf_header import ANNOTATIONS, CRC, FIXED, Entry, Header, header_bytes, is_edf, parse, started
from streamer.model.chunk import MIN_RATE_HZ, Channel, Chunk, FloatArray
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind
from streamer.model.zones import plausible

OVERLAP_S = 0.2
"""A record that begins earlier than the one before it ends, by up to this, follows it; beyond, the clock was set."""
MAX_ONSET_S = 1e9
DRIFT, SAME_S = 1e-3, 1e-6

_ONSET = re.compile(rb"([+-]\d{1,10}(?:\.\d{0,12})?)(?:\x15[\d.]*)?\x14\x14")
_NARROW = (
    "samples of 8 bits, as in Loewenstein's WMEDF, are read after a public description: compare with the device's own "
    "numbers"
)
_ELSEWHERE = "name the file with the waveforms beside it (of ResMed's, the one in ..._BRP.edf)"


def recognise(head: bytes, name: str) -> bool:
    """Whether a header begins that knows its own length."""
    del name
    return is_edf(head)


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """When it began, by the recorder's clock, and what the unit of flow says of the gas."""
    try:
        header = parse(head[: header_bytes(head[:FIXED])])
        context = _chosen(header, header.duration_s or 1.0, options).context
    except (DecodeError, ConfigError):  # told when its samples are read
        return Sidecar()
    start = started(head)
    clock = next((entry for entry in header.signals if entry.label == ANNOTATIONS and header.kind != "EDF"), None)
    if start is not None and clock is not None:
        first = FIXED * (len(header.signals) + 1) + clock.at
        onset = _ONSET.match(head[first : first + clock.size])
        start += timedelta(seconds=float(onset[1])) if onset and abs(float(onset[1])) < MAX_ONSET_S else timedelta()
    return Sidecar(recording=RecordingInfo(start_local=plausible(start)), context=context)


class Decoder:
    """Bytes of a file → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._bytes = bytearray()
        self._size = FIXED
        self._records: _Records | None = None

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` for a header that cannot be used."""
        self._bytes += piece
        if self._records is None and not self._open():
            return []
        assert self._records is not None
        at = 0
        while len(self._bytes) - at >= self._size:
            self._records.take(bytes(self._bytes[at : at + self._size]))
            at += self._size
        del self._bytes[:at]
        return self._records.ready()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when the header was cut short or no record could be used."""
        if self._records is None:
            raise DecodeError(f"the file ends after {len(self._bytes)} bytes, within its header")
        return self._records.close(bytes(self._bytes))

    def _open(self) -> bool:
        """Read the header once it is whole."""
        if self._size == FIXED and len(self._bytes) >= FIXED:
            self._size = header_bytes(bytes(self._bytes[:FIXED]))
        if len(self._bytes) < self._size or self._size == FIXED:
            return False
        self._records = _Records(parse(bytes(self._bytes[: self._size])), self._options)
        del self._bytes[: self._size]
        self._size = self._records.size
        return True


class _Records:
    """What follows the header."""

    def __init__(self, header: Header, options: ReadOptions) -> None:
        self._header = header
        self.size = header.size
        duration_s = _duration_s(header, options)
        chosen = _chosen(header, duration_s, options)
        co2 = chosen.uses.get(Channel.PCO2)
        flow = header.signals[chosen.uses[Channel.FLOW].at]
        self._co2: _Stream | None = None
        if co2 is not None and header.signals[co2.at].samples != flow.samples:
            self._co2 = _Stream("edf.co2", header, duration_s, {Channel.PCO2: chosen.uses.pop(Channel.PCO2)})
        self._main = _Stream("edf", header, duration_s, chosen.uses)
        self._ready: list[Chunk | Notice] = []
        self._seen = self._extra = 0
        self._shift_s = 0.0
        self._checked = header.signals[-1].label == CRC and header.signals[-1].samples == 1
        clocks = (entry for entry in header.signals if entry.label == ANNOTATIONS and header.kind != "EDF")
        self._clock = next(clocks, None)
        if self._clock is None and header.kind == "EDF+D":
            raise DecodeError("EDF+D without a signal EDF Annotations: it is not known when its records began")
        self._main.samples.told(chosen.notes)
        if any(entry.dtype != "<i2" for entry in header.signals):
            self._main.samples.note(NoticeKind.NOTE, _NARROW)

    def take(self, raw: bytes) -> None:
        """One whole record."""
        if 0 < self._header.records == self._seen:
            self._extra += len(raw)
            return
        self._seen += 1
        if self._checked:
            said, right = int.from_bytes(raw[-2:], "little"), crc_hqx(raw[:-2], 0xFFFF)
            if said != right:
                what = f"its checksum is {said:04X}, but its bytes give {right:04X}"
                self._main.damaged(self._seen, what, lasts=True)
                return
        self._keep(raw)

    def ready(self) -> list[Chunk | Notice]:
        """What is ready. With CO2 of its own, what there is of a record comes before the next record."""
        ready, self._ready = self._ready, []
        return ready + self._main.samples.take()

    def close(self, rest: bytes) -> list[Chunk | Notice]:
        """The rest of the file, shorter than a record."""
        counted = f"the header counts {self._header.records}" if self._header.records > 0 else ""
        self._extra += len(rest) if 0 < self._header.records == self._seen else 0
        samples = self._main.samples
        if self._extra:
            samples.note(NoticeKind.NOTE, f"{self._extra} bytes behind the last record are not read: {counted}")
        elif rest:
            self._seen += 1
            kept = 0 if self._checked else self._keep(rest)
            what = f"cut short after {len(rest)} of {self.size} bytes, {kept} samples of it are kept; {counted}"
            self._main.damaged(self._seen, what.removesuffix("; "), lasts=False, kept=kept)
        elif self._seen < self._header.records:
            samples.note(NoticeKind.NOTE, f"the file ends after record {self._seen}: {counted}")
        if self._seen == 0:
            raise DecodeError("the file ends behind its header, without a record")
        if outside := self._main.outside + (self._co2.outside if self._co2 else 0):
            what = f"{outside} samples lie outside the digital range that the header gives, and are missing"
            samples.note(NoticeKind.NOTE, what)
        return self.ready() + samples.close()

    def _keep(self, raw: bytes) -> int:
        """Use what there is of a record; how many samples of flow that is."""
        if self._clock is not None and not self._place(raw, self._clock):
            return 0
        start_s = self._main.samples.now_s
        kept = self._main.rows(raw)
        if self._co2 is not None:
            self._ready += self._main.samples.take()
            if abs(start_s - self._co2.samples.now_s) > SAME_S:
                self._co2.samples.restart(start_s)
            self._co2.rows(raw)
            self._ready += self._co2.samples.take()
        return kept

    def _place(self, raw: bytes, clock: Entry) -> bool:
        """When a record of EDF+ begins, by its first annotation; False where EDF+D does not say."""
        match = _ONSET.match(raw[clock.at : clock.at + clock.size])
        onset_s = float(match[1]) if match else np.inf
        samples, number, unknown = self._main.samples, self._seen, abs(onset_s) > MAX_ONSET_S
        if self._header.kind == "EDF+C" and (number > 1 or unknown):
            return True
        if unknown:
            self._main.damaged(number, "it does not say when it begins", lasts=False)
            return False
        at_s, now_s = onset_s + self._shift_s, samples.now_s
        late_s = at_s - now_s
        if samples.good_rows == 0 or late_s > 0.5 / samples.rate_hz:
            samples.restart(at_s)
        elif late_s < -OVERLAP_S:
            what = f"record {number} begins {-late_s:.6g} s before the one before it ends: the clock was set"
            self._shift_s += samples.pause(what, onset_s) - at_s
        elif late_s < -0.5 / samples.rate_hz:
            self._shift_s -= late_s
        return True


class _Stream:
    """Signals of one rate on their way into samples."""

    def __init__(self, source: str, header: Header, duration_s: float, uses: dict[Channel, Use]) -> None:
        self._uses = uses
        self._entries = [header.signals[use.at] for use in uses.values()]
        self._scales = [entry.scale() for entry in self._entries]
        self.samples = Samples(source, self._entries[0].samples / duration_s, self._channels, counted="record")
        self.outside = 0

    def rows(self, raw: bytes) -> int:
        """The samples of a record, as many as all signals have; how many that is."""
        columns = [_stored(raw, entry) for entry in self._entries]
        values = np.empty((min(map(len, columns)), len(columns)))
        for at, (column, (low, high, *_)) in enumerate(zip(columns, self._scales, strict=True)):
            digital = column[: len(values)]
            missing = (digital < low) | (digital > high)
            values[:, at] = np.where(missing, np.nan, digital)
            self.outside += int(missing.sum())
        self.samples.rows(values)
        return len(values)

    def damaged(self, number: int, what: str, *, lasts: bool, kept: int = 0) -> None:
        """A record that cannot be used, but for ``kept`` samples; ``lasts``: it takes its time."""
        rows = self._entries[0].samples
        self.samples.damaged(number, what, slots=rows if lasts else 0, rows=rows - kept)

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        found = {}
        for at, (channel, use) in enumerate(self._uses.items()):
            _, _, multiplier, offset, divisor = self._scales[at]
            found[channel] = (values[:, at] * multiplier + offset) / divisor * use.multiplier / use.divisor
        return found


def _stored(raw: bytes, entry: Entry) -> NDArray[Any]:
    """The samples of a signal that are there."""
    there = raw[entry.at : entry.at + entry.size]
    return np.frombuffer(there, entry.dtype, len(there) * entry.samples // entry.size if entry.size else 0)


def _duration_s(header: Header, options: ReadOptions) -> float:
    """Of a record. Raises ``DecodeError`` for a file without waveforms, or one that gives no rate."""
    most = max((entry.samples for entry in header.signals if entry.label not in {ANNOTATIONS, CRC}), default=0)
    if most == 0:
        raise DecodeError(f"this file holds annotations, no waveforms; {_ELSEWHERE}")
    if header.duration_s == 0.0:
        if options.rate_hz is None:
            raise DecodeError("byte 244: records of 0 s give no rate; give --rate HZ, or rate_hz in the sidecar")
        return most / options.rate_hz
    if most / header.duration_s < MIN_RATE_HZ:
        every = f"at most one value in {header.duration_s / most:g} s"
        raise DecodeError(f"this file holds trends ({every}), no waveforms; {_ELSEWHERE}")
    return header.duration_s


def _chosen(header: Header, duration_s: float, options: ReadOptions) -> Chosen:
    """The signals that are used. Raises ``DecodeError``, also where the rate given is another."""
    signals = [Signal(entry.label, entry.unit, entry.samples / duration_s) for entry in header.signals]
    chosen = choose(signals, options)
    rate_hz = signals[chosen.uses[Channel.FLOW].at].rate_hz
    if options.rate_hz is not None and abs(rate_hz / options.rate_hz - 1.0) > DRIFT:
        given = f"the rate is given as {options.rate_hz:g} Hz (option, context or sidecar)"
        raise DecodeError(f"{given}, but the header says {rate_hz:g} Hz for flow; mend one")
    return chosen
