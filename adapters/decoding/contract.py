"""The interface of a decoder (``Decoder``) and its options (``ReadOptions``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streamer.model.chunk import Channel, Chunk
from streamer.model.records import Notice
from streamer.model.units import STANDARD_MMHG

HEAD = 65_536
"""Bytes from the beginning of a file that ``recognise`` receives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """How a text table is written, as far as the user states it; a key that is None is detected.

    Attributes:
        delimiter: One character between fields; a blank stands for any run of blanks and tabs.
        decimal: ``"."`` or ``","``.
        header_line: Number, from 1, of the line of names; 0: there is none.
        missing: Further words or numbers that stand for a missing value.
        dates: Order of the numbers in dates: ``"ymd"``, ``"dmy"`` or ``"mdy"``.
        sheet: Name of a sheet in a workbook.

    Examples:
        >>> TextTable(delimiter=";", decimal=",").dates is None
        True
    """

    delimiter: str | None = None
    decimal: str | None = None
    header_line: int | None = None
    missing: tuple[str, ...] = ()
    dates: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What the user knows about a recording that its file may not say.

    Attributes:
        rate_hz: Samples per second, from ``--rate``, the context file or the sidecar; None if unknown.
        columns: Name, or number from 0, of a column in the file → canonical name (contract §2), from the context file
            or the sidecar; empty if unknown.
        barometric_mmhg: Barometric pressure to which CO2 in % refers, mmHg.
        table: How a text table is written, from the context file or the sidecar.
        units: Filled by the reader: channel → canonical name with the unit that the file has.

    Examples:
        >>> ReadOptions(rate_hz=100.0, columns={"Flow": "flow_l_min"}).barometric_mmhg
        760.0
    """

    rate_hz: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    barometric_mmhg: float = STANDARD_MMHG
    table: TextTable = TextTable()
    units: dict[Channel, str] = field(default_factory=dict, compare=False)


class Decoder(Protocol):
    """Decodes bytes, in pieces of any length, to chunks and notices. It has no I/O and no clock.

    The samples do not depend on how the bytes are cut. If a file is damaged, the last notice has ``damaged_rows`` and
    ``dropped_rows`` in its ``values``.

    Examples:
        >>> from adapters.formats.json_lines import Decoder as JsonLines
        >>> decoder = JsonLines(ReadOptions())
        >>> found = decoder.feed(b'{"time_s": 0, "rate_hz": 50, "flow_l_s": [0.0, 0.1')
        >>> found += decoder.feed(b", 0.2]}") + decoder.close()
        >>> [len(item) for item in found if isinstance(item, Chunk)]
        [3]
    """

    def feed(self, piece: bytes, /) -> list[Chunk | Notice]:
        """Take bytes; returns what they complete. Raises ``DecodeError`` without the name of the file."""
        ...

    def close(self) -> list[Chunk | Notice]:
        """End the stream; returns the rest. Raises ``DecodeError`` if there was no usable row."""
        ...
