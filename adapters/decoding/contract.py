"""What a decoder is given and what it does: ``ReadOptions``, ``Decoder``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streamer.model.chunk import Channel, Chunk
from streamer.model.records import Notice
from streamer.model.units import STANDARD_MMHG

HEAD = 65_536
"""Bytes of a file that ``recognise`` is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """What somebody says of how a text table is written; what is None is found.

    Attributes:
        delimiter: One character between fields; a blank stands for any run of blanks and tabs.
        decimal: ``"."`` or ``","``.
        header_line: Number, from 1, of the line of names; 0: there is none.
        missing: Further words or numbers that stand for a missing value.
        dates: Order of the numbers in dates: ``"ymd"``, ``"dmy"`` or ``"mdy"``.
        sheet: Of a workbook.
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
        rate_hz: Samples per second, from ``--rate``, the context file or the sidecar; None when nobody said.
        columns: Name, or number from 0, of a column in the file → canonical name (contract.md §2), from the context
            file or the sidecar; empty when nobody said.
        barometric_mmhg: What CO2 in % is a share of.
        table: How a text table is written, from the context file or the sidecar.
        units: Filled by the reader: channel → canonical name, with the unit, of what the file has.
    """

    rate_hz: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    barometric_mmhg: float = STANDARD_MMHG
    table: TextTable = TextTable()
    units: dict[Channel, str] = field(default_factory=dict, compare=False)


class Decoder(Protocol):
    """Bytes in any pieces → chunks and notices. Pure: no I/O, no clock; every cutting gives the same samples.

    The last notice of a file with damage has ``values`` with ``damaged_rows`` and ``dropped_rows``.
    """

    def feed(self, piece: bytes, /) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` without the file's name."""
        ...

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there never was a usable row."""
        ...
