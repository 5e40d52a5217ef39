"""Header of an EDF or EDF+ file: 256 bytes, and 256 for each signal. Who was recorded is not read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime

from streamer.model.errors import DecodeError

FIXED = 256
MAX_SIGNALS, MAX_RECORD = 512, 16 * 1024 * 1024
"""What a file may ask for: signals, and bytes of one data record, for one is held at a time."""
MAX_LIMIT = 1e9
"""Of a physical or digital minimum or maximum, either way."""
ANNOTATIONS, CRC = "EDF Annotations", "Crc16"

_VERSION = b"0       "
_BDF = b"\xffBIOSEMI"
_INTEGER = re.compile(r"[-+]?\d{1,8}")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")
_WHEN = re.compile(r"(\d\d)\.(\d\d)\.(\d\d)(\d\d)\.(\d\d)\.(\d\d)")
_FULL_YEAR = re.compile(rb"Startdate \d\d-[A-Z]{3}-(\d{4})(?: |$)")
FIRST_YEAR = 85
"""EDF's century; its first day stands for a date that was taken out."""
_WIDTHS = (b"#1", b"#2")
"""What Löwenstein's headers say of a signal: bytes a sample."""
_FIELDS = {
    "label": (0, 16), "unit": (96, 8), "physical minimum": (104, 8), "physical maximum": (112, 8),
    "digital minimum": (120, 8), "digital maximum": (128, 8), "number of samples": (216, 8),
    "reserved": (224, 32),
}  # fmt: skip
"""Where the fields of all signals begin, in bytes a signal, and how wide one is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One signal as the header has it.

    Attributes:
        samples: In a record.
        at: First byte in a record.
        dtype: Of a sample: ``<i2``, or ``i1``, ``u1`` of Löwenstein's files.
        limits: Physical minimum and maximum, digital minimum and maximum, as text; see ``scale``.
    """

    label: str
    unit: str
    samples: int
    at: int
    limits: tuple[str, str, str, str]
    dtype: str = "<i2"

    @property
    def size(self) -> int:
        """Bytes in a record."""
        return self.samples * int(self.dtype[-1])

    def scale(self) -> tuple[float, float, float, float, float]:
        """Digital minimum and maximum; ``multiplier, offset, divisor``: of a value, see ``_channels``.

        One division keeps decimals exact. Raises ``DecodeError``.
        """
        named = list(_FIELDS)[2:6]
        p_min, p_max, d_min, d_max = (
            _number(text, f"{self.label!a}: {name}") for text, name in zip(self.limits, named, strict=True)
        )
        if d_max - d_min < 1.0 or p_min == p_max or max(map(abs, (p_min, p_max, d_min, d_max))) > MAX_LIMIT:
            ranges = f"digital {d_min:g} to {d_max:g}, physical {p_min:g} to {p_max:g}"
            raise DecodeError(f"signal {self.label!a} has no scale: {ranges}")
        return d_min, d_max, p_max - p_min, p_min * (d_max - d_min) - d_min * (p_max - p_min), d_max - d_min


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says.

    Attributes:
        records: Data records; -1 or 0 where the writing program did not know.
        duration_s: Of a record; 0 where there is none.
        kind: ``EDF``, ``EDF+C`` or, with gaps between records, ``EDF+D``.
        signals: In their order.
        size: Bytes of a record.
    """

    records: int
    duration_s: float
    kind: str
    signals: tuple[Entry, ...]
    size: int


def is_edf(head: bytes) -> bool:
    """Whether it begins as EDF (or its sister BDF, so that it can be refused by name) and knows its own length."""
    if head.startswith(_BDF):
        return True
    try:
        return len(head) >= FIXED and header_bytes(head) > FIXED
    except DecodeError:
        return False


def header_bytes(fixed: bytes) -> int:
    """Length of the whole header from its first 256 bytes. Raises ``DecodeError``."""
    if fixed.startswith(_BDF):
        raise DecodeError("byte 0: a BDF file with samples of 24 bits; export it as EDF")
    if not fixed.startswith(_VERSION):
        raise DecodeError("byte 0: not an EDF file, which begins with a 0 and seven blanks")
    signals = _integer(fixed[252:256], 252, "number of signals")
    if not 1 <= signals <= MAX_SIGNALS:
        raise DecodeError(f"byte 252: {signals} signals; 1 to {MAX_SIGNALS} can be read")
    size = _integer(fixed[184:192], 184, "length of the header")
    if size != FIXED * (signals + 1):
        raise DecodeError(
            f"byte 184: a header of {size} bytes, but with {signals} signals it has {FIXED * (signals + 1)}"
        )
    return size


def parse(raw: bytes) -> Header:
    """Read a whole header. Raises ``DecodeError``."""
    count = len(raw) // FIXED - 1
    entries: list[Entry] = []
    at = 0
    for k in range(count):
        label, unit, *limits = (_text(_cell(raw, count, k, name)) for name in list(_FIELDS)[:6])
        place = FIXED + 216 * count + 8 * k
        samples = _integer(_cell(raw, count, k, "number of samples"), place, f"number of samples of {label!a}")
        if samples < 0 or at + 2 * samples > MAX_RECORD:
            limit = f"a record may have {MAX_RECORD >> 20} MiB"
            raise DecodeError(f"byte {place}: {samples} samples of {label!a} in a record; {limit}")
        dtype = _dtype(_cell(raw, count, k, "reserved"), limits[2])
        entries.append(Entry(label, unit, samples, at, (limits[0], limits[1], limits[2], limits[3]), dtype))
        at += entries[-1].size
    if at == 0:
        raise DecodeError("the header says that a record has no samples")
    records = _integer(raw[236:244], 236, "number of records")
    duration_s = _number(_text(raw[244:252]), "byte 244: duration of a record")
    if records < -1 or duration_s < 0:
        raise DecodeError(f"byte 236: {records} records of {duration_s:g} s")
    if any(_cell(raw, count, k, "reserved").strip(b" \0") in _WIDTHS for k in range(count)):
        records = -1  # their count is not that of the file
    kind = _text(raw[192:197])
    return Header(records, duration_s, kind if kind in {"EDF+C", "EDF+D"} else "EDF", tuple(entries), at)


def started(raw: bytes) -> datetime | None:
    """When the recording began by the recorder's clock, from the first 256 bytes; None where it is blanked or wrong.

    EDF+ has the year in full; of EDF's two digits 85 to 99 are of the last century.
    """
    found = _WHEN.fullmatch(_text(raw[168:184]))
    if found is None:
        return None
    day, month, year, hour, minute, second = map(int, found.groups())
    year += 1900 if year >= FIRST_YEAR else 2000
    if full := _FULL_YEAR.match(raw[88:168]):
        year = int(full[1])
    if (day, month, year) == (1, 1, 1900 + FIRST_YEAR):
        return None
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (its zone is unknown)
    except ValueError:
        return None


def _dtype(reserved: bytes, lowest: str) -> str:
    """Of a signal's samples: 16 bits, or 8 where Löwenstein's header says ``#1``, signed if it may be below zero."""
    if reserved.strip(b" \0") != _WIDTHS[0]:
        return "<i2"
    return "i1" if lowest.startswith("-") else "u1"


def _cell(raw: bytes, count: int, k: int, name: str) -> bytes:
    at, width = _FIELDS[name]
    first = FIXED + at * count + width * k
    return raw[first : first + width]


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip(" \0")


def _integer(raw: bytes, at: int, what: str) -> int:
    text = _text(raw)
    if not _INTEGER.fullmatch(text) or not text.isascii():
        raise DecodeError(f"byte {at}: {what} is {ascii(text)[:40]}, which is no number")
    return int(text)


def _number(text: str, what: str) -> float:
    if not _NUMBER.fullmatch(text) or not text.isascii() or not math.isfinite(float(text)):
        raise DecodeError(f"{what} is {ascii(text)[:40]}, which is no number")
    return float(text)
