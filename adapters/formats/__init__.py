"""The table of recorded formats. It imports no format, so listing them costs nothing.

Adding a format is one module, its seed for the tests, and one line in ``FORMATS``; from another distribution, an
entry point ``ventstream.formats`` whose object is a ``Format``. The module has ``recognise(head: bytes, name: str) ->
bool`` and either a class ``Decoder(options: ReadOptions)`` (``decoding.contract``) or, for a format that needs the
whole file at hand, ``read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]``, which raises
``DecodeError`` without the file's name. A module may also have ``notes(path)`` with a ``sidecar`` from inside the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from streamer.model import entry_points
from streamer.model.errors import ConfigError

MANIFEST = "session.json"
"""A folder with such a file is a recording."""


@dataclass(frozen=True, slots=True)
class Format:
    """One recorded format: a line of the table.

    Attributes:
        module: Dotted name of the module that reads it.
        suffixes: Suffixes of file names, for files whose content does not tell.
        about: What it is, in one line.
        needs: What the user must add: keys of a sidecar, an extra such as ``ventstream[wfdb]``.
        is_fixed: The format itself says what its signals are, so ``columns`` in a sidecar have no effect.

    Examples:
        >>> known = named("pb840")
        >>> known.module, known.is_fixed
        ('adapters.formats.pb840', True)
        >>> known.load().recognise(b"time_s,flow_l_s", "ward.csv")
        False
    """

    module: str
    suffixes: tuple[str, ...]
    about: str
    needs: str = ""
    is_fixed: bool = False

    def load(self) -> Any:
        """Import the module. Raises ``ModuleNotFoundError`` if a distribution that it needs is absent."""
        return importlib.import_module(self.module)


def _ours(module: str, *suffixes: str, about: str, needs: str = "", is_fixed: bool = False) -> Format:
    return Format(f"{__name__}.{module}", suffixes, about, needs, is_fixed)


_MAPPED = "columns in the sidecar, unless canonical"
FORMATS: Mapping[str, Format] = MappingProxyType({
    "servo_u": _ours("servo_u", about="Getinge Servo-U recording [REC], any language; 100 Hz", is_fixed=True),
    "pb840": _ours("pb840", about="Puritan Bennett 840 serial capture; 50 Hz", is_fixed=True),
    "pirds": _ours("pirds", about="PIRDS text log (VentMon monitor): airway pressure and flow; about 16 Hz"),
    "rapidvent": _ours("rapidvent", about="RapidVent, RapidAlarm recording (#samplerate,N): pressure, flow"),
    "vscapture": _ours("vscapture", about="VSCapture waveforms, a signal a file: Draeger, Philips IntelliVue"),
    "json_lines": _ours("json_lines", about="samples as lines of JSON with canonical names"),
    "labchart": _ours("labchart", about="LabChart (ADInstruments) exported as text"),
    "csv": _ours("text_table", ".csv", ".tsv", about="text table in any dialect, units in its header", needs=_MAPPED),
    "parquet": _ours("parquet_table", ".parquet", about="canonical columns as Parquet, lossless", needs=_MAPPED),
    "respiraworks": _ours("respiraworks", about="RespiraWorks trace saved as a table (.dat); 100 Hz"),
    "respiraworks_json": _ours("respiraworks_json", about="RespiraWorks test data (.json) with traces"),
    "session": _ours("session_folder", about="a folder that ventstream run wrote, lossless", is_fixed=True),
    "npy": _ours("npy", ".npy", about="NumPy array, one row a sample", needs=f"{_MAPPED}; rate_hz"),
    "npz": _ours("npz", ".npz", about="NumPy archive, an array a signal", needs=_MAPPED),
    "matlab": _ours("matlab", ".mat", about="MATLAB file, also LabChart's and AcqKnowledge's", needs=_MAPPED),
    "hdf5": _ours("hdf5", ".h5", ".hdf5", ".nc", about="HDF5, MATLAB 7.3", needs=f"ventstream[hdf5]; {_MAPPED}"),
    "excel": _ours("excel", ".xlsx", ".xlsb", ".ods", about="workbook, read as CSV is", needs="ventstream[excel]"),
    "edf": _ours("edf", ".edf", ".wmedf", about="EDF, EDF+ with flow; ResMed's SD card (BRP), WMEDF"),
    "poly5": _ours("poly5", ".poly5", about="TMSi Poly5, channels of 32-bit floats"),
    "wfdb": _ours("wfdb_record", ".hea", about="WFDB (PhysioNet) record, its .hea named", needs="ventstream[wfdb]"),
    "vital": _ours("vital", ".vital", about="VitalDB file: waveforms of many devices"),
})  # fmt: skip
"""Name → format of ours; recognised by content in this order, then by suffix."""


@cache
def formats() -> Mapping[str, Format]:
    """Every installed format by name. Those of other distributions come first, since ``csv`` takes most tables.

    Raises:
        ConfigError: An entry point is not a ``Format``, or has the name of a built-in format.

    Examples:
        >>> "servo_u" in formats()
        True
    """
    others = entry_points.loaded(entry_points.FORMATS, Format, FORMATS)
    return MappingProxyType({**others, **FORMATS})


def named(name: str) -> Format:
    """Look up a format by name.

    Raises:
        ConfigError: There is none; the message lists the known names.

    Examples:
        >>> named("parquet").suffixes
        ('.parquet',)
    """
    known = formats()
    if name not in known:
        raise ConfigError(f"unknown format {name!r}: known are {', '.join(known)}")
    return known[name]
