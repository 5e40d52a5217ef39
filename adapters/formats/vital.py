"""VitalDB's ``.vital`` files: waveforms of many devices, each track with a rate of its own, times in Unix time.

Airway pressure, flow and CO2 are known by the tracks' names and units (``signal_names.py``). Those of one rate make one
source, CO2 of another rate is the source ``vital.co2``; time is counted from the first sample of any of them. A track
may stand in the file as a whole, behind another, so each is read by itself, through the whole file, and they are
joined by time: memory is bounded, a file of three tracks is decompressed four times.

A record that begins up to ``SAME_S`` off the end of the one before continues it: computers stamp records as they
arrive. Later, and the gap is declared; earlier, and what overlaps is dropped.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from heapq import merge
from pathlib import Path

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.inflate import Inflater, check_ratio
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.signal_names import Chosen, Groups, Signal, Use, choose, grouped, scaled
from adapters.decoding.stamp_verdicts import DRIFT
from adapters.formats.vital_packets import MAGIC, Packets, Piece, Track
from streamer.model.chunk import Chunk, FloatArray
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice
from streamer.model.zones import plausible

GZIP = b"\x1f\x8b"
SAME_S = 0.1
BLOCK = 16_384
"""Bytes read at a time."""


def recognise(head: bytes, name: str) -> bool:
    """Whether it is compressed and begins as such a file does."""
    del name
    if not head.startswith(GZIP):
        return False
    try:
        return zlib.decompressobj(31).decompress(head, len(MAGIC)) == MAGIC
    except zlib.error:
        return False


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """When it began, and what the unit of flow says of the gas."""
    try:
        found = _scanned(path)
        chosen, groups = _chosen(found, options)
    except (DecodeError, ConfigError):  # told when its samples are read
        return Sidecar()
    start = datetime.fromtimestamp(_origin_s(found, groups), UTC) if groups else None
    return Sidecar(recording=RecordingInfo(start_utc=plausible(start)), context=chosen.context)


def _chosen(found: _Scan, options: ReadOptions) -> tuple[Chosen, Groups]:
    """The tracks that are used, by their rates. Raises ``DecodeError`` or ``ConfigError``."""
    signals = [Signal(track.name, track.unit, track.rate_hz) for track in found.tracks]
    chosen = choose(signals, options, co2_alone=True)
    return chosen, grouped(signals, chosen)


def _origin_s(found: _Scan, groups: Groups) -> float:
    """When the first of the tracks that are used begins, Unix time."""
    return min(found.packets.began[found.tracks[use.at].tid] for *_, uses in groups for use in uses.values())


def _scanned(path: Path) -> _Scan:
    """What is in a file, read through once, as long as it does not change."""
    known = path.stat()
    return _scan(path, known.st_mtime_ns, known.st_size)


@functools.lru_cache(maxsize=4)
def _scan(path: Path, changed_ns: int, size: int) -> _Scan:
    del changed_ns, size
    return _Scan(path)


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The chunks of all tracks that are used, by time. Raises ``DecodeError`` or ``ConfigError``."""
    found = _scanned(path)
    chosen, groups = _chosen(found, options)
    main_hz = groups[0][1]
    if options.rate_hz is not None and abs(main_hz / options.rate_hz - 1.0) > DRIFT:
        given = f"the rate is given as {options.rate_hz:g} Hz (option, context or sidecar)"
        raise DecodeError(f"{given}, but the file says {main_hz:g} Hz; mend one")
    origin_s = _origin_s(found, groups)
    streams = [
        _Stream(
            Samples(f"vital{suffix}", hz, scaled(uses), counted="record"), list(uses.values()), found, path, origin_s
        )
        for suffix, hz, uses in groups
    ]
    main = streams[0].samples
    main.told(chosen.notes)
    with ExitStack() as left:  # the files are closed also when the reader stops early
        for stream in streams:
            left.callback(stream.close)
        yield from merge(*(stream.items() for stream in streams), key=_starts)
    main.dropped_rows += sum(stream.samples.dropped_rows for stream in streams[1:])
    for count, fault in ((found.packets.faults, found.packets.fault), (1, found.inflater.fault)):
        if fault:
            main.damaged(found.packets.records, fault, slots=0, rows=count)
    yield from main.close()


def _starts(item: Chunk | Notice) -> float:
    return item.at_s if isinstance(item, Notice) else item.start_s


class _Scan:
    """What is in a file, from a first reading: its waveform tracks that have records, and what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self.inflater, self.packets = Inflater(), Packets()
        read_bytes = 0
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                read_bytes += len(block)
                for plain in self.inflater.feed(block):
                    for _ in self.packets.feed(plain):
                        pass
                check_ratio(self.inflater.size, read_bytes)
        self.inflater.close()
        self.packets.close()
        self.tracks = [track for tid, track in self.packets.tracks.items() if tid in self.packets.began]


def _pieces(path: Path, tid: int) -> Iterator[Piece]:
    """The samples of one track."""
    inflater, packets = Inflater(), Packets({tid})
    with path.open("rb") as file:
        while (block := file.read(BLOCK)) and not inflater.fault:
            for plain in inflater.feed(block):
                yield from packets.feed(plain)


class _Stream:
    """Tracks of one rate, joined slot by slot."""

    def __init__(self, samples: Samples, uses: Sequence[Use], scan: _Scan, path: Path, origin_s: float) -> None:
        self.samples = samples
        self._scan = scan
        self._path = path
        began = [scan.packets.began[scan.tracks[use.at].tid] for use in uses]
        self._first_s = min(began) - origin_s
        self._origin_s = min(began)
        self._sources = [self._slots(scan.tracks[use.at]) for use in uses]

    def items(self) -> Iterator[Chunk | Notice]:
        """Chunks; where one of the tracks has nothing, its samples are missing."""
        heads = [next(source, None) for source in self._sources]
        expected = -1
        while present := [head for head in heads if head is not None]:
            first = min(slot for slot, _ in present)
            n = min(len(values) if slot == first else slot - first for slot, values in present)
            block = np.full((n, len(heads)), np.nan)
            for at, head in enumerate(heads):
                if head is not None and head[0] == first:
                    block[:, at] = head[1][:n]
                    heads[at] = (first + n, head[1][n:]) if len(head[1]) > n else next(self._sources[at], None)
            if first != expected:
                self.samples.restart(self._first_s + first / self.samples.rate_hz)
            self.samples.rows(block)
            expected = first + n
            yield from self.samples.take()

    def close(self) -> None:
        """Close what is open."""
        for source in self._sources:
            source.close()

    def _slots(self, track: Track) -> Generator[tuple[int, FloatArray], None, None]:
        """Stretches of a track: number of the first sample since the stream's first, samples. Numbers only rise."""
        rate_hz = self.samples.rate_hz
        slot, expected_s, drop, since = 0, -np.inf, 0, 0
        for piece in _pieces(self._path, track.tid):
            if piece.first == 0:
                time_s = piece.time_s - self._origin_s
                late_s = time_s - expected_s
                if late_s > SAME_S:
                    # At its own time, unless the count has run so far ahead that hardly a gap would be left.
                    skipped = 0 if np.isinf(late_s) else round(late_s * rate_hz)
                    at = round(time_s * rate_hz)
                    slot, expected_s = at if 2 * (at - slot) >= skipped else slot + skipped, time_s
                elif late_s < -SAME_S:
                    drop = round(-late_s * rate_hz)
                    self._overlap(self._first_s + time_s, -late_s)
                else:
                    expected_s += float(np.clip(late_s, -DRIFT * since / rate_hz, DRIFT * since / rate_hz))
                since = 0
            values = track.values(piece.raw, packed=self._scan.packets.packed)
            lost = min(drop, len(values))
            drop -= lost
            self.samples.dropped_rows += lost
            if values[lost:].size:
                yield slot, values[lost:]
            slot, since = slot + len(values) - lost, since + len(values)
            expected_s += (len(values) - lost) / rate_hz

    def _overlap(self, time_s: float, early_s: float) -> None:
        self.samples.dropped(f"a record at {time_s:.6g} s begins {early_s:.3g} s before the one before it ends")
        self.samples.dropped_rows -= 1  # counted by samples
