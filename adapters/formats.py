"""The table of recorded formats. Floor 0: imports no format, so listing them costs nothing.

Adding a format is one module, its test, and one line in ``FORMATS``. The module has ``recognise(head: bytes, name:
str) -> bool`` and either a class ``Decoder(options: ReadOptions)`` (see the protocol below) or, for a format that
needs the whole file at hand, ``read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]``, which raises
``DecodeError`` without the file's name. A module may also have ``notes(path)`` with a ``sidecar`` from inside the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from streamer.chunk import Channel, Chunk
from streamer.errors import ConfigError
from streamer.records import Notice
from streamer.units import STANDARD_MMHG

HEAD = 65_536
"""Bytes of a file that ``recognise`` is shown."""
MANIFEST = "session.json"
"""A folder with such a file is a recording."""


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


@dataclass(frozen=True, slots=True)
class Format:
    """One line of the table.

    Attributes:
        module: Where it is.
        suffixes: Of file names, where the content does not tell.
        about: What it is, in one line.
        needs: What the user must add: a sidecar's keys, an extra as ``ventstream[wfdb]``.
        is_fixed: Its signals are what they are: ``columns`` say nothing of them.
    """

    module: str
    suffixes: tuple[str, ...]
    about: str
    needs: str = ""
    is_fixed: bool = False

    def load(self) -> Any:
        """The format's module."""
        return importlib.import_module(self.module)


_MAPPED = "columns in the sidecar, unless canonical"
FORMATS: Mapping[str, Format] = MappingProxyType({
    "servo_u": Format("adapters.servo_u", (), "Getinge Servo-U recording [REC], any language; 100 Hz", is_fixed=True),
    "pb840": Format("adapters.pb840", (), "Puritan Bennett 840 serial capture; 50 Hz", is_fixed=True),
    "pirds": Format("adapters.pirds", (), "PIRDS text log (VentMon monitor): airway pressure and flow; about 16 Hz"),
    "rapidvent": Format("adapters.rapidvent", (), "RapidVent, RapidAlarm recording (#samplerate,N): pressure, flow"),
    "vscapture": Format("adapters.vscapture", (), "VSCapture waveforms, a signal a file: Draeger, Philips IntelliVue"),
    "json_lines": Format("adapters.json_lines", (), "samples as lines of JSON with canonical names"),
    "labchart": Format("adapters.labchart", (), "LabChart (ADInstruments) exported as text"),
    "csv": Format("adapters.csv_table", (".csv", ".tsv"), "text table in any dialect, units in its header", _MAPPED),
    "parquet": Format("adapters.parquet_table", (".parquet",), "canonical columns as Parquet, lossless", _MAPPED),
    "respiraworks": Format("adapters.respiraworks", (), "RespiraWorks trace saved as a table (.dat); 100 Hz"),
    "respiraworks_json": Format("adapters.respiraworks_json", (), "RespiraWorks test data (.json) with traces"),
    "session": Format("adapters.session", (), "a folder that ventstream run wrote, lossless", is_fixed=True),
    "npy": Format("adapters.npy", (".npy",), "NumPy array, one row a sample", f"{_MAPPED}; rate_hz"),
    "npz": Format("adapters.npz", (".npz",), "NumPy archive, an array a signal", _MAPPED),
    "matlab": Format("adapters.matlab", (".mat",), "MATLAB file, also LabChart's and AcqKnowledge's", _MAPPED),
    "hdf5": Format("adapters.hdf5", (".h5", ".hdf5", ".nc"), "HDF5, MATLAB 7.3", f"ventstream[hdf5]; {_MAPPED}"),
    "excel": Format("adapters.excel", (".xlsx", ".xlsb", ".ods"), "workbook, read as CSV is", "ventstream[excel]"),
    "edf": Format("adapters.edf", (".edf", ".wmedf"), "EDF, EDF+ with flow; ResMed's SD card (BRP), WMEDF"),
    "poly5": Format("adapters.poly5", (".poly5",), "TMSi Poly5, channels of 32-bit floats"),
    "wfdb": Format("adapters.wfdb_record", (".hea",), "WFDB (PhysioNet) record, its .hea named", "ventstream[wfdb]"),
    "vital": Format("adapters.vital", (".vital",), "VitalDB file: waveforms of many devices"),
})  # fmt: skip
"""Name → format; recognised by content in this order, then by suffix."""


def named(name: str) -> Format:
    """The format of that name. Raises ``ConfigError``."""
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}: known are {', '.join(FORMATS)}")
    return FORMATS[name]
