"""WFDB (PhysioNet) records: a header ``.hea`` and the signal files beside it, read by the ``wfdb`` package in blocks.

Needs the extra ``ventstream[wfdb]``. Signals are known by name and unit (``signal_names.py``); impedance (RESP) is no
flow. Of a record in segments, what has the same signals is read, and the rest is a gap. Nothing is ever fetched: all
files stand in the folder of the header. Its comments, which may tell of the patient, are not read.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.signal_names import Chosen, Signal, Use, choose, grouped, scaled
from adapters.decoding.stamp_verdicts import DRIFT
from adapters.decoding.table_blocks import measured
from streamer.model.chunk import Chunk, FloatArray
from streamer.model.context import Context, RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice
from streamer.model.zones import plausible

NEEDS_NEIGHBOURS = True
"""A recording is more than the file that is named."""
BLOCK_SAMPLES = 2**20
"""Of all signals of a record together, read at a time."""
MAX_HEADER, MAX_FRAME = 2**20, 4096
"""Bytes of a header; samples of all signals in a frame."""
_LONG = re.compile(rb"(?:^|[\r\n])(?![ \t]*#)(?:[^\r\n]{1000}|[^\r\n]*\d{40})")
"""A line of a header over which the library would brood for minutes, or a number that would overflow."""
EMPTY = "~"
_BYTES = {"16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5, "310": 4 / 3, "311": 4 / 3}
"""Format of a signal file → bytes a sample."""
_COMPRESSED = {"508", "516", "524"}
_RECORD = re.compile(
    rb"[-\w]+(/\d+)?[ \t]+\d+[ \t]+(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?"
    rb"(/\S+)?([ \t]+\d+([ \t]+[\d:.]+([ \t]+[\d/]+)?)?)?[ \t]*"
)
_SIGNAL = re.compile(rb"[-\w]+(\.\w+)?[ \t]+\d{1,3}(x\d+)?(:\d+)?(\+\d+)?([ \t].*)?")
_SEGMENT = re.compile(rb"([-\w]+|~)[ \t]+\d+[ \t]*")
_LINE = re.compile(rb"[\r\n]+")
_STANDARD = re.compile(rb"(?im)^[^#\r\n]*/(?:slp?m|[sn]l/min|\S*stpd)\b")
_BEGAN = re.compile(rb"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))? (\d{1,2})/(\d{1,2})/(\d{4})")


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line is a record line and the second one of a signal or a segment."""
    del name
    lines = [line for line in _LINE.split(head) if line.strip() and not line.lstrip().startswith(b"#")][:2]
    record = _RECORD.fullmatch(lines[0]) if len(lines) > 1 else None
    return bool(record and (_SEGMENT if record[1] else _SIGNAL).fullmatch(lines[1].strip()))


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """When it began, by the recorder's clock, where there is a date; and whether flow is of standard gas."""
    del options
    context = Context(flow_conditions="STPD") if _STANDARD.search(head) else Context()
    return Sidecar(recording=RecordingInfo(start_local=plausible(_began(head))), context=context)


def _began(head: bytes) -> datetime | None:
    lines = (line for line in _LINE.split(head) if line.strip() and not line.lstrip().startswith(b"#"))
    fields = next(lines, b"").split()
    found = _BEGAN.fullmatch(b" ".join(fields[4:6]))
    if found is None:
        return None
    hour, minute, second, _, day, month, year = found.groups()
    try:
        start = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))  # noqa: DTZ001 (unknown)
    except ValueError:
        return None
    return start + timedelta(seconds=float(b"0." + (found[4] or b"0")))


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The record's chunks, block by block. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    library = _library()
    record = _Record(library, path)
    streams = record.open(options)
    for segment in record.segments:
        yield from record.read(segment, streams)
    yield from streams.close()


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import wfdb  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError:
        raise ConfigError("a WFDB record needs ventstream[wfdb]: pip install 'ventstream[wfdb]'") from None
    return wfdb


def _asked(call: Any, *given: Any, **more: Any) -> Any:
    """What the library answers. Raises ``DecodeError`` for whatever it raises, and it raises anything."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return call(*given, **more)
    except FileNotFoundError as error:
        raise DecodeError(f"{Path(str(error.filename)).name} is missing beside the header") from None
    except Exception as error:  # noqa: BLE001 (see above)
        said = ascii(str(error).partition("\n")[0])[1:-1][:120]
        raise DecodeError(f"not readable as a WFDB record: {said or type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class _Segment:
    """A record of one piece, or a piece of a record. ``head`` is None where nothing was recorded."""

    number: int
    first: int
    frames: int
    name: str
    head: Any = None


class _Record:
    """A header and what it names."""

    def __init__(self, library: Any, path: Path) -> None:
        if path.suffix != ".hea":
            raise DecodeError("the header of a WFDB record must be named .hea, and be the file that is given")
        self._library = library
        self._folder = path.resolve().parent
        if "::" in str(self._folder) or "://" in str(self._folder):
            raise DecodeError("the folder's name contains '::'; rename it")
        head = self._head(path.stem)
        self.rate_hz = float(head.fs)
        self.segments = [_Segment(1, 0, int(head.sig_len or 0), path.stem, head)]
        if hasattr(head, "seg_name"):
            self.segments = self._pieces(head)

    def _head(self, name: str) -> Any:
        """A header, checked as far as its numbers decide how much is read."""
        path = self._folder / f"{name}.hea"
        if path.is_file() and (path.stat().st_size > MAX_HEADER or _LONG.search(path.read_bytes())):
            raise DecodeError(f"{path.name} has a line, a number or more lines than any header: this is none")
        head = _asked(self._library.rdheader, str(self._folder / name))
        if not head.fs or not np.isfinite(float(head.fs)):
            raise DecodeError(f"{path.name} gives no rate")
        if hasattr(head, "seg_name"):
            return head
        signals = len(getattr(head, "sig_name", None) or [])
        frame = sum(_frame(head)) if signals else 0
        if signals != head.n_sig or not 0 < frame <= MAX_FRAME:
            raise DecodeError(f"{path.name} says {head.n_sig} signals and describes {signals}")
        if head.sig_len is None:
            raise DecodeError(f"{path.name} does not say how many samples there are; add the number behind the rate")
        return head

    def _pieces(self, head: Any) -> list[_Segment]:
        """The segments; the first of no length is the layout of them all, or there is none such."""
        found, first = [], 0
        for number, (name, frames) in enumerate(zip(head.seg_name, head.seg_len, strict=True), 1):
            piece = None if name == EMPTY else self._head(name)
            if piece is not None and (hasattr(piece, "seg_name") or piece.fs != head.fs):
                raise DecodeError(
                    f"segment {number}, {name}, has segments of its own or another rate; read it by itself"
                )
            found.append(_Segment(number, first, frames, name, piece))
            first += frames
        if not any(piece.head for piece in found):
            raise DecodeError("all segments are empty")
        return found

    def open(self, options: ReadOptions) -> _Streams:
        """Choose the signals. Raises ``DecodeError`` or ``ConfigError``."""
        head = next(piece.head for piece in self.segments if piece.head is not None)
        chosen = choose(_signals(head), options, co2_alone=True)
        streams = _Streams(head, chosen)
        if options.rate_hz is not None and abs(streams.main.rate_hz / options.rate_hz - 1.0) > DRIFT:
            given = f"the rate is given as {options.rate_hz:g} Hz (option, context or sidecar)"
            raise DecodeError(f"{given}, but the header says {streams.main.rate_hz:g} Hz; mend one")
        return streams

    def read(self, segment: _Segment, streams: _Streams) -> Iterator[Chunk | Notice]:
        """The chunks of a segment; a gap where it has none of the signals."""
        places = {use: at for use in streams.uses if (at := streams.place(segment.head, use)) is not None}
        if not places or not segment.frames:
            return
        frames = min(segment.frames, *(self._frames(segment.head, at, segment.frames) for at in places.values()))
        step = max(BLOCK_SAMPLES // sum(_frame(segment.head)), 1)
        for start in range(0, frames, step):
            found = _asked(
                self._library.rdrecord,
                str(self._folder / segment.name),
                sampfrom=start,
                sampto=min(start + step, frames),
                channels=list(places.values()),
                smooth_frames=False,
            )
            physical = dict(zip(places, map(measured, found.e_p_signal), strict=True))
            yield from streams.rows((segment.first + start) / self.rate_hz, physical)
        if frames < segment.frames:
            lost = f"{segment.name} is cut short: {segment.frames - frames} of its {segment.frames} frames are missing"
            streams.main.damaged(segment.number, lost, slots=0, rows=segment.frames - frames)

    def _frames(self, head: Any, at: int, claimed: int) -> int:
        """How many frames a signal's file holds."""
        kind, name = str(head.fmt[at]), head.file_name[at]
        if kind in _COMPRESSED:
            return claimed
        if kind not in _BYTES:
            raise DecodeError(f"{name} has the format {kind}, which is not read; convert it to 16 with xform")
        path = self._folder / name
        if not path.is_file():
            raise DecodeError(f"{name} is missing beside the header")
        together = sum(
            each or 1 for each, other in zip(head.samps_per_frame, head.file_name, strict=True) if other == name
        )
        return int((path.stat().st_size - (head.byte_offset[at] or 0)) / (_BYTES[kind] * together))


def _frame(head: Any) -> list[int]:
    """Samples a frame, of each signal."""
    return [each or 1 for each in head.samps_per_frame]


def _signals(head: Any) -> list[Signal]:
    """What a header says of its signals."""
    rates = [float(head.fs) * each for each in _frame(head)]
    return [
        Signal(str(label or ""), str(unit or ""), rate)
        for label, unit, rate in zip(head.sig_name, head.units, rates, strict=True)
    ]


class _Streams:
    """The signals that are used, those of CO2 apart where they have a rate of their own."""

    def __init__(self, head: Any, chosen: Chosen) -> None:
        self._known = _signals(head)
        self._samples = [
            (Samples(f"wfdb{suffix}", rate_hz, scaled(uses), counted="segment"), uses)
            for suffix, rate_hz, uses in grouped(self._known, chosen)
        ]
        self.uses = [use for _, uses in self._samples for use in uses.values()]
        self.main = self._samples[0][0]
        self.main.told(chosen.notes)

    def place(self, head: Any, use: Use) -> int | None:
        """Where a segment has a signal of this name, unit and rate."""
        here = _signals(head) if head is not None else []
        wanted = self._known[use.at]
        if here[use.at : use.at + 1] == [wanted]:
            return use.at
        return next((at for at, signal in enumerate(here) if signal == wanted), None)

    def rows(self, start_s: float, physical: dict[Use, FloatArray]) -> Iterator[Chunk | Notice]:
        """Samples of a block; of a signal that is not in it they are missing."""
        for samples, uses in self._samples:
            sizes = [len(physical[use]) for use in uses.values() if use in physical]
            if not sizes:
                continue
            if abs(start_s - samples.now_s) > 0.5 / samples.rate_hz:
                samples.restart(start_s)
            none = np.full(sizes[0], np.nan)
            samples.rows(np.column_stack([physical.get(use, none) for use in uses.values()]))
            yield from samples.take()

    def close(self) -> Iterator[Chunk | Notice]:
        """The last of it. Raises ``DecodeError`` when no sample was a number."""
        for samples, _ in self._samples[1:]:
            yield from samples.take()
        yield from self.main.close()
