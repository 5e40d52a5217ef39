"""Puritan Bennett 840, text captured from its serial port: 50 Hz, a line ``flow, pressure`` in L/min and cmH2O.

Around the rows stand ``BS, S:<number>,`` and ``BE``, which the ventilator sends at the start of an inspiration and
the end of a breath: structure here, never used to find breaths. The capturing program adds a line with the time of
day at the start of a file, at times also later, or stamps every line. Time is counted from the first row, 0 s; times
of day only show gaps: a jump of more than 1 s beyond the count of rows; back, or of more than a day, it is a pause of
unknown length. The ventilator writes exactly two decimals,
so a number with fewer or more was cut short or has run into its neighbour: its row is damaged.

Live, the same lines come from the serial port itself (on the ventilator: waveforms at 38400 baud).
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import LIVE_REFILL_S, Samples
from adapters.decoding.text_rows import BOM, MAX_LINE, Line, Rows, Scanner, shown
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError
from streamer.model.records import Notice
from streamer.model.units import S_PER_MIN
from streamer.model.zones import plausible

RATE_HZ = 50.0
GAP_S, MAX_GAP_S = 1.0, 86_400.0
ROW_BYTES = 13
"""A row in the capture, on average: NUL bytes stand where a disk lost that many bytes of rows."""

_DAY = rb"\d{4}-\d\d-\d\d"
_DAYTIME = re.compile(_DAY + rb"-\d\d-\d\d-\d\d(\.\d{1,9})?")
_STAMPED = re.compile(rb"(" + _DAY + rb" \d\d:\d\d:\d\d(?:\.\d{1,9})?),(.*)", re.DOTALL)
_MARK = re.compile(rb"BS, ?S: ?\d{1,9},?|BE")
_ROW = re.compile(rb" *([-+]?\d{1,38}\.\d\d) *, *([-+]?\d{1,38}\.\d\d) *")
_WORDS = re.compile(rb"[A-Za-z]{2}")
"""Above the rows, what has any is a header and no damaged row."""
_JUNK = b"\0 \t"


def recognise(head: bytes, name: str) -> bool:
    """Whether a breath mark stands in the head, or a time of day with a row after it."""
    del name
    lines = [line.strip(_JUNK) for line in re.split(rb"[\r\n]+", head.removeprefix(BOM))]
    lines = [line for line in lines if line]
    for line, after in zip(lines, [*lines[1:], b""], strict=False):
        stamped = _STAMPED.fullmatch(line)
        text = stamped.group(2).strip(_JUNK) if stamped else line
        if text.startswith(b"BS") and _MARK.fullmatch(text):
            return True
        if _ROW.fullmatch(text if stamped else after) and (stamped or _DAYTIME.fullmatch(line)):
            return True
    return False


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """When it began, where a date and time stand at or above its first row, by the clock of who captured it."""
    del options
    for raw in re.split(rb"[\r\n]+", head.removeprefix(BOM)):
        line = raw.strip(_JUNK)
        stamped = _STAMPED.fullmatch(line)
        if stamped or _DAYTIME.fullmatch(line):
            text = (stamped.group(1) if stamped else line).decode("ascii")
            if _seconds(text.encode()) is None:
                return Sidecar()
            micros = f"{text[20:]:0<6}"[:6]
            start = datetime.fromisoformat(f"{text[:10]} {text[11:19].replace('-', ':')}.{micros}")
            return Sidecar(recording=RecordingInfo(start_local=plausible(start)))
        if _ROW.fullmatch(line):
            break
    return Sidecar()


class Decoder:
    """Bytes of a capture, or of the ventilator itself → chunks and notices."""

    def __init__(self, options: ReadOptions, *, live: bool = False) -> None:
        if options.rate_hz not in {None, RATE_HZ}:
            given = f"the rate is given as {options.rate_hz:g} Hz (option, context or sidecar)"
            raise ConfigError(f"{given}, but a PB 840 always sends 50; leave it out")
        options.units[Channel.FLOW] = "flow_l_min"
        self._scanner = Scanner(2, ",", decimals=2)
        self._samples = Samples("pb840", RATE_HZ, _channels, refill_s=LIVE_REFILL_S if live else math.inf)
        self._seen: tuple[float, float] | None = None

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete."""
        for part in self._scanner.feed(piece):
            self._take(part)
        return self._samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no usable row."""
        for part in self._scanner.close():
            self._take(part)
        return self._samples.close()

    @property
    def good_rows(self) -> int:
        """Rows kept, ever."""
        return self._samples.good_rows

    @property
    def now_s(self) -> float:
        """Time of the next row."""
        return self._samples.now_s

    def interrupt(self, lost_s: float) -> None:
        """Samples of so long a time will never come, nor the rest of a line that has begun."""
        self._scanner.forget()
        self._samples.restart(self._samples.now_s + lost_s)

    def _take(self, part: Rows | Line) -> None:
        if isinstance(part, Rows):
            self._samples.rows(part.values)
            return
        text = part.text
        if text == b"BE" or _MARK.fullmatch(text):
            return
        plain = text.strip(_JUNK)
        overlong = len(text) > MAX_LINE
        if overlong or b"\0" in text:
            nul = text.count(b"\0")
            lost = max(round(nul / ROW_BYTES), 1) if self._samples.good_rows else 0
            self._samples.damaged(part.line, f"longer than {MAX_LINE} bytes" if overlong else f"{nul} NUL bytes", lost)
        if not overlong and b"\0" not in plain:
            self._line(part.line, plain)

    def _line(self, number: int, text: bytes) -> None:
        """A line without junk around it; behind ``#`` stands what the capturing program said."""
        if text.startswith(b"#"):
            return
        stamped = _STAMPED.fullmatch(text)
        if stamped or _DAYTIME.fullmatch(text):
            wall_s = _seconds(stamped.group(1) if stamped else text)
            if wall_s is None:
                self._samples.damaged(number, f"{shown(text)} is not a time", slots=0)
                return
            self._wall(number, wall_s)
            text = stamped.group(2).strip(_JUNK) if stamped else b""
        if not text or _MARK.fullmatch(text):
            return
        row = _ROW.fullmatch(text)
        if row:
            self._samples.rows(np.array([[float(row.group(1)), float(row.group(2))]]))
        else:
            what = f"{shown(text)} is not 'flow, pressure' with two decimals each"
            self._samples.damaged(number, what, slots=int(self._samples.good_rows > 0 or not _WORDS.search(text)))

    def _wall(self, number: int, wall_s: float) -> None:
        """A time of day. Only its distance from the one before counts, against the rows between the two."""
        now_s = self._samples.now_s
        if self._seen is not None:
            passed_s = wall_s - self._seen[0]
            beyond_s = passed_s - (now_s - self._seen[1])
            if passed_s < -GAP_S or beyond_s > MAX_GAP_S:  # the clock was set, or a digit of it is wrong
                now_s = self._samples.pause(f"line {number}: the time of day jumps by {passed_s:.6g} s")
            elif beyond_s > GAP_S:
                now_s += beyond_s
                self._samples.restart(now_s)
        self._seen = (wall_s, now_s)


def _channels(values: FloatArray) -> dict[Channel, FloatArray]:
    return {Channel.FLOW: values[:, 0] / S_PER_MIN, Channel.PAW: values[:, 1].copy()}


def _seconds(text: bytes) -> float | None:
    """Seconds of a time of day since year 1; None when it is no date. The zone is unknown, so it is no UTC."""
    whole, _, fraction = text.decode("ascii").partition(".")
    try:
        day = date(int(whole[:4]), int(whole[5:7]), int(whole[8:10]))
        of_day = time(int(whole[11:13]), int(whole[14:16]), int(whole[17:19]))
    except ValueError:
        return None
    return (
        day.toordinal() * 86_400.0 + of_day.hour * 3600 + of_day.minute * 60 + of_day.second + float(f"0.{fraction}0")
    )
