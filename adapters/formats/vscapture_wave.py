"""Rows of one waveform file of VSCapture: grammar, rate, stamps in order. ``vscapture.py`` joins the files.

```
Draeger   05/13/2022 11:53:04,1652435584123,5.1,InspStart           time of day, Unix ms, value, phase or nothing
Philips   13-05-2022 11:53:04.7224,1837821952,37.55,                time of day, ticks of 125 us, value
Philips   13-05-2022 11:53:04.722,1837821952,13-05-2022 11:53:04.731,37.55,            and the computer's time
```

Times of day are local, in the computer's own order of day and month, and no more than seconds: they are not used. The
number behind is. For Philips it is the monitor's clock in 32 bits, one stamp for all rows of a packet, followed through
its roll-over after 149 hours. For Draeger it is the computer's clock when a batch arrived, counted on within the batch:
right on average only, and it may step back where the next batch came early.

A decimal comma, a semicolon between fields and ``NaN`` are understood. A row must have its last separator: without it
its value may have been cut short.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adapters.decoding.contract import HEAD
from adapters.decoding.text_rows import BLOCK, BOM, MAX_LINE, Line, Rows, Scanner, shown
from streamer.model.errors import DecodeError

LONG_S = 10.0
"""A stamp so far from the one before must be confirmed by the next row, or it is taken for bad."""
TICKS_PER_S, ROLL_OVER, ROLL_WITHIN = 8000, 2**32, 60 * 8000
MS_PER_S = 1000
PHILIPS_HZ = 62.5
SAME_RATE = 0.005

_TIME = rb"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4} +\d{1,2}[:.]\d\d[:.]\d\d(?:[.,]\d{1,7})?(?: ?[AP]M)?"
_VALUE = rb"(-?\d{1,9}(?:[.,]\d{1,9})?|NaN)"
_DRAEGER = re.compile(_TIME + rb"[,;](\d{12,14})[,;]" + _VALUE + rb"[,;](?:InspStart|ExpStart)?")
_PHILIPS = re.compile(_TIME + rb"[,;](\d{1,10})[,;](?:" + _TIME + rb"[,;])?" + _VALUE + rb"[,;]")
_OLD = re.compile(_TIME + rb"[,;]" + _VALUE + rb"[,;]")
_OURS = rb"(?i:paw|pressure|flow|p?co2)_(?i:cmh2o|mbar|[hk]?pa|mmhg|percent|m?l_?(?:min|s)|m?lpm|slm)"
"""A name of a table that says its unit."""
_NUMERIC = re.compile(
    rb"Time,(?!(?:.*,)?" + _OURS + rb"(?:,|$))(?:RelativeTime|[A-Z]\w*_\w+)\b.*|"
    + _TIME + rb",(?:\d+,(?:" + _TIME + rb",)?)?[A-Z]\w*_\w+,.*"
)  # fmt: skip


class Key(NamedTuple):
    """Where a row belongs: number of clock resets before it, its stamp, its place in the packet."""

    epoch: int
    stamp: int
    place: int


class Row(NamedTuple):
    """A row, or what is wrong with a line."""

    line: int
    key: Key
    value: float
    wrong: str = ""


NOWHERE = Key(0, 0, 0)


def is_waveform(head: bytes) -> bool:
    """Whether the first line is a row of a waveform file."""
    return _grammar(_first(head)) is not None


def is_numeric(head: bytes) -> bool:
    """Whether the first line is a header or a row of a numeric file."""
    return _NUMERIC.fullmatch(_first(head)) is not None


def is_old(head: bytes) -> bool:
    """Whether the first line is a row of a waveform file with nothing but a time of day."""
    return _OLD.fullmatch(_first(head)) is not None


def _first(head: bytes) -> bytes:
    lines = (line.strip() for line in head.removeprefix(BOM)[:MAX_LINE].splitlines())
    return next((line for line in lines if line), b"")


def _grammar(line: bytes) -> re.Pattern[bytes] | None:
    return next((grammar for grammar in (_DRAEGER, _PHILIPS) if grammar.fullmatch(line)), None)


class WaveFile:
    """One file: what its first rows say of it, and its rows.

    Attributes:
        is_draeger: By the form of its rows.
        rate_hz: Samples per second, as the first rows say.
        typical: Median of the first values.
    """

    def __init__(self, path: Path, given_hz: float | None) -> None:
        """Raises ``DecodeError`` when it does not begin as a waveform file, or its rate is not the one given."""
        self._path = path
        with path.open("rb") as file:
            head = file.read(HEAD)
        grammar = _grammar(_first(head))
        if grammar is None:
            raise DecodeError(f"line 1: {shown(_first(head))} is no row of a waveform that VSCapture writes")
        self._grammar = grammar
        self.is_draeger = grammar is _DRAEGER
        self._per_s = MS_PER_S if self.is_draeger else TICKS_PER_S
        rows = [row for row in self._ordered(self._parsed(iter([head]))) if not row.wrong]
        values = [row.value for row in rows if not math.isnan(row.value)]
        self.typical = float(np.median(values)) if values else math.nan
        learnt_hz = self._batch_rate(rows) if self.is_draeger else self._packet_rate(rows)
        if given_hz is not None and abs(learnt_hz / given_hz - 1.0) > SAME_RATE:
            given = f"the rate is given as {given_hz:g} Hz (option, context or sidecar)"
            raise DecodeError(f"{given}, but the time stamps say {learnt_hz:.6g} Hz; mend one")
        self.rate_hz = given_hz or learnt_hz

    def rows(self) -> Iterator[Row]:
        """All rows in order, read a block at a time."""
        with self._path.open("rb") as file:
            yield from self._ordered(self._parsed(iter(lambda: file.read(BLOCK), b"")))

    def seconds(self, key: Key, base: int) -> float:
        """A key's time on the clock of the file, from the stamp ``base`` on."""
        return (key.stamp - base) / self._per_s + key.place / self.rate_hz

    def _batch_rate(self, rows: list[Row]) -> float:
        """Stamps go on within a batch by the interval of samples: the step that comes most often."""
        steps = Counter(np.diff([row.key.stamp for row in rows]).tolist())
        steps = Counter({step: count for step, count in steps.items() if step > 0})
        return MS_PER_S / steps.most_common(1)[0][0] if steps else math.nan

    def _packet_rate(self, rows: list[Row]) -> float:
        """Rows of a packet over the time to the next."""
        packets = [(stamp, sum(1 for _ in group)) for stamp, group in groupby(rows, attrgetter("key.stamp"))]
        rates = [
            size * TICKS_PER_S / (after - stamp) for (stamp, size), (after, _) in pairwise(packets[1:]) if after > stamp
        ]
        return float(np.sort(rates)[len(rates) // 2]) if rates else PHILIPS_HZ

    def _parsed(self, pieces: Iterator[bytes]) -> Iterator[Row]:
        """Lines one by one, their stamps unrolled."""
        scanner, turns, last = Scanner(0, ","), 0, 0
        for part in _lines(scanner, pieces):
            text = part.text.strip(b" \t")
            found = self._grammar.fullmatch(text)
            if not text:
                continue
            if found is None or (not self.is_draeger and int(found[1]) >= ROLL_OVER):
                wrong = f"longer than {MAX_LINE} bytes" if len(text) > MAX_LINE else f"{shown(text)} is no row"
                yield Row(part.line, NOWHERE, math.nan, wrong)
                continue
            stamp = int(found[1])
            if not self.is_draeger:
                turns += _turn(last, stamp) if turns or stamp < last else 0
                last = stamp
            yield Row(part.line, Key(0, stamp + turns * ROLL_OVER, 0), float(found[2].replace(b",", b".")))

    def _ordered(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Rows with their epoch and place in the packet. A stamp that nothing confirms is damage."""
        last, doubt = NOWHERE, None
        seen = False
        for row in rows:
            if row.wrong:
                yield row
                continue
            if doubt is not None:
                if self._is_near(row.key.stamp, doubt.key.stamp):
                    last = Key(last.epoch + (seen and doubt.key.stamp < last.stamp), doubt.key.stamp, 0)
                    seen = True
                    yield doubt._replace(key=last)
                else:
                    yield _bad(doubt)
                doubt = None
            if not seen or not self._is_near(row.key.stamp, last.stamp):
                doubt = row
                continue
            place = last.place + 1 if row.key.stamp == last.stamp and not self.is_draeger else 0
            last = Key(last.epoch, row.key.stamp, place)
            yield row._replace(key=last)
        if doubt is not None:
            yield _bad(doubt) if seen else doubt

    def _is_near(self, stamp: int, other: int) -> bool:
        return abs(stamp - other) <= LONG_S * self._per_s


def _lines(scanner: Scanner, pieces: Iterator[bytes]) -> Iterator[Line]:
    for piece in pieces:
        yield from (part for part in scanner.feed(piece) if not isinstance(part, Rows))
    yield from (part for part in scanner.close() if not isinstance(part, Rows))


def _turn(last: int, stamp: int) -> int:
    """1 where the counter rolled over, -1 where a bad stamp had looked like it."""
    top = ROLL_OVER - ROLL_WITHIN
    return int(stamp < ROLL_WITHIN and last >= top) - int(stamp >= top and last < ROLL_WITHIN)


def _bad(row: Row) -> Row:
    return row._replace(value=math.nan, wrong=f"the stamp {row.key.stamp} does not go on from the row before")
