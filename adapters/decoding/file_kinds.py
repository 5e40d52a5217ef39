"""What a file is that is no recording: named by its first bytes, with what to do, and never quoted."""

from __future__ import annotations

import re
from collections.abc import Sequence

_EXPORT = "export the waveforms from the program that wrote it, as text (CSV) or EDF"
_UNPACK = "unpack it, and name the recording in it"
_SPREADSHEET = "save the sheet as CSV, or as .xlsx"
_MAGIC: Sequence[tuple[int, bytes, str, str]] = (
    (0, b"PK\x05\x06", "an empty ZIP archive", _UNPACK),
    (0, b"PK\x07\x08", "a ZIP archive in parts", _UNPACK),
    (0, b"BZh", "compressed with bzip2", _UNPACK),
    (0, b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "compressed with LZ4", _UNPACK),
    (0, b"\x1f\x9d", "compressed with compress (.Z)", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"%PDF", "a PDF document", f"it shows pictures of samples; {_EXPORT}"),
    (0, b"{\\rtf", "an RTF document", "save it as plain text"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file (.xls, .doc)", _SPREADSHEET),
    (0, b"SQLite format 3\0", "an SQLite database", f"write the samples out of it as CSV; or {_EXPORT}"),
    (0, b"\x00\x01\x00\x00Standard ", "an Access database", "write the samples out of it as CSV"),
    (0, b"\x89PNG", "a picture (PNG)", f"it has no samples; {_EXPORT}"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)", f"it has no samples; {_EXPORT}"),
    (0, b"GIF8", "a picture (GIF)", f"it has no samples; {_EXPORT}"),
    (0, b"II*\0", "a picture (TIFF)", f"it has no samples; {_EXPORT}"),
    (0, b"MM\0*", "a picture (TIFF)", f"it has no samples; {_EXPORT}"),
    (0, b"ID3", "sound (MP3)", _EXPORT),
    (0, b"OggS", "sound (Ogg)", _EXPORT),
    (0, b"fLaC", "sound (FLAC)", _EXPORT),
    (4, b"ftyp", "a film (MP4)", _EXPORT),
    (128, b"DICM", "a DICOM file", f"waveforms of DICOM are not read; {_EXPORT}"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "name it with --format hdf5"),
    (0, b"CDF\x01", "a NetCDF file", "save it as HDF5 (NetCDF 4) or CSV"),
    (0, b"CDF\x02", "a NetCDF file", "save it as HDF5 (NetCDF 4) or CSV"),
    (0, b"ARROW1", "an Arrow (Feather) file", "save it as Parquet: pandas.read_feather(a).to_parquet(b)"),
    (0, b"ORC", "an ORC file", "save it as Parquet"),
    (0, b"Obj\x01", "an Avro file", "save it as Parquet"),
    (0, b"SIMPLE  =", "a FITS file", _EXPORT),
    (0, b"TDSm", "a LabVIEW file (TDMS)", "save it as CSV or HDF5"),
    (0, b"CFWB", "a LabChart binary file (CFWB)", "export it from LabChart as text"),
    (0, b"GDF 1", "a GDF file", "export it as EDF"),
    (0, b"GDF 2", "a GDF file", "export it as EDF"),
    (0, b"RDX", "an R data file", "write it out in R: write.csv(table, 'name.csv', row.names = FALSE)"),
    (0, b"RDA", "an R data file", "write it out in R: write.csv(table, 'name.csv', row.names = FALSE)"),
    (0, b"X\n\0\0\0", "an R object (.rds)", "write it out in R: write.csv(table, 'name.csv', row.names = FALSE)"),
    (0, b"$FL2", "an SPSS file", "save it as CSV"),
    (0, b"<stata_dta>", "a Stata file", "save it as CSV"),
    (0, b"\x80\x04\x95", "a Python pickle", "it may hold a program and is not opened; save it as CSV or Parquet"),
    (0, b"\x80\x05\x95", "a Python pickle", "it may hold a program and is not opened; save it as CSV or Parquet"),
    (0, b"\x7fELF", "a program", "name a recording"),
    (0, b"MZ\x90\0", "a program", "name a recording"),
)
"""Where, what, what it is, what to do."""
_ZIPPED: Sequence[tuple[bytes, str, str]] = (
    (b"xl/", "an Excel workbook", "name it with --format excel, or save the sheet as CSV"),
    (b"word/", "a Word document", f"it is no table; {_EXPORT}"),
    (b"ppt/", "a PowerPoint presentation", _EXPORT),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet", _SPREADSHEET),
    (b"opendocument", "an OpenDocument file", _EXPORT),
    (b".npy", "a NumPy archive (.npz)", "name it with --format npz"),
)
"""A part of its names, what a ZIP archive is then, what to do."""
_RIFF = {b"WAVE": "sound (WAV)", b"AVI ": "a film (AVI)", b"WEBP": "a picture (WebP)"}
_PLAIN = frozenset(range(0x20, 0x7F)) | {9, 10, 13}
_MANY = 0.3
"""Share of bytes that are no ASCII from which it is not called text."""


def named(head: bytes) -> str | None:
    """What a file is, and what to do with it, by its first bytes; None where they tell nothing."""
    what, remedy = "", _EXPORT
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"PK\x03\x04"):
        known = ((what, remedy) for part, what, remedy in _ZIPPED if part in head)
        what, remedy = next(known, ("a ZIP archive", _UNPACK))
    elif head.startswith(b"RIFF"):
        what = _RIFF.get(head[8:12], "a RIFF container")
    elif head.startswith(b"MATLAB 5.0"):
        what, remedy = "a MATLAB file", "name it with --format matlab"
    elif start.startswith((b"<!doctype html", b"<html")):
        what = "a web page"
    elif start.startswith(b"<?xml"):
        what = "XML"
    elif is_labelled(head):
        what = "text in which each number has its name before it, as serial plotters take it"
        remedy = "write the names once, as a header such as time_s,flow_l_min,paw_cmh2o, and the numbers alone below"
    else:
        known = ((what, remedy) for at, magic, what, remedy in _MAGIC if head.startswith(magic, at))
        what, remedy = next(known, ("", ""))
    return f"is {what}; {remedy}" if what else None


def is_labelled(head: bytes) -> bool:
    """Whether the first whole lines are fields ``name:number``, the same names in each."""
    lines = [line.strip() for line in head[:4096].splitlines()[:-1] if line.strip()][:20]
    names = {tuple(_LABELLED.findall(line)) for line in lines if _ALL_LABELLED.fullmatch(line)}
    return len(lines) > 1 and len(names) == 1 and all(map(_ALL_LABELLED.fullmatch, lines))


_NUMBER = rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_LABELLED = re.compile(rb"([A-Za-z]\w*) ?[:=]")
_ALL_LABELLED = re.compile(rb"(?:[A-Za-z]\w* ?[:=] ?" + _NUMBER + rb"(?:[,;\t ]+|$))+")


def is_text(head: bytes) -> bool:
    """Whether it may be text."""
    return b"\0" not in head and sum(byte in _PLAIN for byte in head) >= (1.0 - _MANY) * len(head)


def described(head: bytes) -> str:
    """What unknown bytes look like, without showing any: they may tell of a patient."""
    printable = sum(byte in _PLAIN for byte in head) / len(head)
    if b"\0" in head or printable < 1.0 - _MANY:
        return f"binary, {100 * printable:.0f} % printable"
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").lstrip()
    if text.startswith(("{", "[")):
        return "text that looks like JSON"
    lines = [line for line in text.splitlines() if line.strip()]
    separators = ((line, mark) for line in lines[:20] for mark in ("\t", ";", ",") if mark in line)
    counts = [(line.count(mark), mark) for line, mark in separators]
    if not counts:
        fields = max((len(line.split()) for line in lines[:20]), default=0)
        return f"text, {len(lines)} lines or more of {fields} words" if len(lines) > 1 else "text, one line"
    count, mark = max(counts)
    shown = {"\t": "tabs", ";": "semicolons", ",": "commas"}[mark]
    return f"text of {count + 1} columns between {shown}"
