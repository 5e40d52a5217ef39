"""Excel workbooks (.xlsx, .xlsb, .xls) and OpenDocument sheets, read by ``python-calamine`` as a table of text is.

Needs the extra ``ventstream[excel]``. The rows of a sheet become lines, so all that holds for CSV holds here: lines
above the header, a row of units, date-times, ``columns`` of the sidecar. The first sheet with two rows of numbers is
used, and told; ``sheet`` under ``[recording]`` names another.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import Any

from adapters.decoding.contract import ReadOptions
from adapters.decoding.inflate import MAX_RATIO, RATIO_FROM
from adapters.formats.text_table import Decoder
from adapters.formats.text_table import told as table_told
from streamer.model.chunk import Chunk
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind

MAX_BYTES, MAX_COLUMNS, LINES = 2**31, 512, 500
"""Of a workbook unpacked; of a sheet; rows handed on at a time."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
MAX_CELLS, PIECE = 25_000_000, 1 << 20
"""Of a sheet; bytes of it that are looked at together."""
_COLUMN = re.compile(rb'<c [^>]{0,40}?r="([A-Z]{1,3})\d')
_ROW = re.compile(rb'<row [^>]{0,80}?r="(\d{1,7})"')
_ROW_END, _FAR = re.compile(rb"</row>"), re.compile(rb'r="([A-Z]{3})\d')
_LONGEST = 512
"""The place of a cell and of a row in the XML of a sheet, and bytes that each has at most."""
_HEAD = 200
"""Rows that tell when it began."""


def recognise(head: bytes, name: str) -> bool:
    """Whether it is a ZIP archive with a workbook in it, or an old workbook by its name."""
    if head.startswith(_OLE):
        return name.lower().endswith(".xls")
    return head.startswith(_ZIP) and (b"xl/" in head or b"opendocument.spreadsheet" in head[:200])


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """What the beginning of the sheet says of its gas and its start."""
    try:
        rows, _ = _sheet(path, options, most=_HEAD)
    except (DecodeError, ConfigError):  # told when its samples are read
        return Sidecar()
    return table_told(_lines(rows[:_HEAD]), options)


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The rows of a sheet. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    rows, note = _sheet(path, options)
    if note:
        yield Notice(bed="", at_s=0.0, kind=NoticeKind.NOTE, detail=note)
    decoder = Decoder(options)
    for first in range(0, len(rows), LINES):
        yield from decoder.feed(_lines(rows[first : first + LINES]))
    yield from decoder.close()


def _sheet(path: Path, options: ReadOptions, most: int | None = None) -> tuple[list[list[Any]], str]:
    """The first rows of the sheet that is used, and what is to be told. Raises ``DecodeError`` or ``ConfigError``."""
    try:
        import python_calamine  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigError("a workbook needs ventstream[excel]: pip install 'ventstream[excel]'") from None
    _check(path)
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        return _chosen(book, options.table.sheet, most)
    except (DecodeError, ConfigError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 (a panic of the library is no Exception)
        said = ascii(str(error).partition("\n")[0])[1:-1][:120]
        raise DecodeError(f"not readable as a workbook: {said or type(error).__name__}") from None


def _chosen(book: Any, wanted: str | None, most: int | None) -> tuple[list[list[Any]], str]:
    names = list(book.sheet_names)
    if wanted is not None and wanted not in names:
        raise DecodeError(f"no sheet {wanted[:40]!r}; there are {', '.join(ascii(name[:40]) for name in names[:10])}")
    for name in names if wanted is None else [wanted]:
        rows: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=True, nrows=most)
        if sum(any(isinstance(cell, float | int) for cell in row) for row in rows) > 1:
            several = f"of {len(names)} sheets {name[:40]!a} is read; sheet under [recording] names another"
            return rows, several if len(names) > 1 and wanted is None else ""
    raise DecodeError("no sheet holds rows of numbers")


def _check(path: Path) -> None:
    """Raises ``DecodeError`` for what unpacks to more than any recording."""
    packed = path.stat().st_size
    if packed > MAX_BYTES:
        raise DecodeError(f"a workbook of {packed >> 20} MiB is more than is read at once; save the sheet as CSV")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(sum(entry.file_size for entry in archive.infolist()), packed)
            cells = max(map(partial(_cells, archive), archive.namelist()), default=0)
    except DecodeError:
        raise
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError, KeyError):
        return  # an old workbook, or damage that the library names
    if cells > MAX_CELLS:
        what = f"a sheet reaches over {cells} cells, with the empty ones"
        raise DecodeError(f"{what}: delete what stands far below or beside the samples, or save the sheet as CSV")


def _check_size(size: int, packed: int) -> None:
    if size > MAX_BYTES or size > max(RATIO_FROM, MAX_RATIO * packed):
        raise DecodeError(f"{packed} bytes that unpack to {size}: this is no recording")


def _cells(archive: zipfile.ZipFile, name: str) -> int:
    """How many cells a sheet of an ``.xlsx`` reaches over: the library holds them all, empty ones as well."""
    if not name.startswith("xl/worksheets/") or not name.endswith(".xml"):
        return 0
    rows, columns, kept = 0, 0, b""
    with archive.open(name) as file:
        while piece := file.read(PIECE):
            kept += piece
            lasts = (_COLUMN.match(kept, kept.rfind(b"<c ", 0, end.start())) for end in _ROW_END.finditer(kept))
            letters = {*_FAR.findall(kept), *(last[1] for last in lasts if last)}
            columns = max([columns, *map(_column, letters)])
            rows = max([rows, *map(int, _ROW.findall(kept))])
            kept = kept[-_LONGEST:]
    return rows * columns


def _column(letters: bytes) -> int:
    """``AB`` → 28."""
    return reduce(lambda before, letter: 26 * before + letter - 64, letters, 0)


def _lines(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([_cell(cell) for cell in row[:MAX_COLUMNS]] for row in rows)
    return text.getvalue().encode()


def _cell(cell: Any) -> str:
    """A cell as a table of text has it."""
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, timedelta):
        return repr(cell.total_seconds())
    if isinstance(cell, date):  # midnight
        return f"{cell.isoformat()} 00:00:00"
    if isinstance(cell, time):
        return cell.isoformat()
    if isinstance(cell, float):
        return repr(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)  # noqa: PLR2004 (exact)
    return " ".join(str(cell).split())
