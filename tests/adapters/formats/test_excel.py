from __future__ import annotations

import builtins
import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from adapters.formats import excel
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.context import RecordingInfo, Sidecar
from tests.support.adapter_contract import Stream, stream
from tests.support.builders.excel_files import HEADER, rows, workbook


def read(tmp_path: Path, content: bytes, **told: Any) -> Stream:
    path = tmp_path / "x.xlsx"
    path.write_bytes(content)
    return stream(open_recording(path, context=Sidecar(recording=RecordingInfo(**told))).items())


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def test_a_sheet_is_read_as_its_csv_is(tmp_path: Path) -> None:
    found = read(tmp_path, workbook(rows(40)))
    assert (found.error, found.n, found.stretches[0].rate_hz) == (None, 40, 50.0)
    assert found.samples(Channel.FLOW) * 60 == pytest.approx([6.0 * (k % 8) for k in range(40)])
    assert details(found) == []


def test_lines_above_a_row_of_units_and_empty_cells(tmp_path: Path) -> None:
    lines = [["Patient", "Jane Doe"], [], ["t", "Flow", "Paw"], ["s", "LPM", "mmHg"], *rows(40)[1:]]
    lines[9] = [lines[9][0], None, "n/a"]
    found = read(tmp_path, workbook(lines))
    assert (found.error, found.n) == (None, 40)
    assert found.samples(Channel.PAW)[0] == pytest.approx(5 * 1.35951, rel=1e-5)
    assert "Jane" not in "".join(details(found))


def test_date_times_say_when_it_began(tmp_path: Path) -> None:
    start = datetime(2024, 3, 1)  # noqa: DTZ001 (Excel knows no zones)
    lines = [HEADER, *([start + timedelta(seconds=k / 50), *row[1:]] for k, row in enumerate(rows(40)[1:]))]
    lines[0] = ["when", *HEADER[1:]]
    path = tmp_path / "x.xlsx"
    path.write_bytes(workbook(lines))
    recording = open_recording(path)
    assert recording.sidecar.recording.start_local == start
    assert stream(recording.items()).n == 40


def test_the_first_sheet_with_numbers_is_read_and_another_may_be_named(tmp_path: Path) -> None:
    content = workbook([["Patient", "Jane Doe"]], rows(40), rows(30))
    found = read(tmp_path, content)
    assert (found.n, details(found)[0]) == (40, "of 3 sheets 'B' is read; sheet under [recording] names another")
    assert read(tmp_path, content, sheet="C").n == 30
    assert "no sheet 'D'; there are 'A', 'B', 'C'" in (read(tmp_path, content, sheet="D").error or "")
    assert "no sheet holds rows of numbers" in (read(tmp_path, workbook([["a"], ["b"]])).error or "")


def test_columns_of_the_sidecar_hold_here_too(tmp_path: Path) -> None:
    lines = [["a", "b", "c"], *rows(40)[1:]]
    found = read(tmp_path, workbook(lines), columns={"a": "time_s", "b": "flow_l_s"})
    assert found.samples(Channel.FLOW)[1] == 6.0


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "RATIO_FROM", 2**16)
    out = io.BytesIO(workbook(rows(40)))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/more.xml", b" " * 10**8)
    assert "this is no recording" in (read(tmp_path, out.getvalue()).error or "")


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "python_calamine":
            raise ImportError(name)
        return ordinary(name, *rest, **more)

    content = workbook(rows(40))
    monkeypatch.setattr(builtins, "__import__", absent)
    assert "pip install 'ventstream[excel]'" in (read(tmp_path, content).error or "")


@pytest.mark.parametrize(
    ("head", "name", "is_ours"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.xls", True),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.doc", False),
        (b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "x.ods", True),
        (b"PK\x03\x04" + b"\0" * 26 + b"word/document.xml", "x.xlsx", False),
        (b"", "x.xlsx", False),
    ],
)
def test_recognise(head: bytes, name: str, *, is_ours: bool) -> None:
    assert excel.recognise(head, name) is is_ours


def test_a_cell_far_away_is_refused_before_the_library_holds_all_between(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows(40):
        sheet.append(row)
    sheet.cell(1_048_576, 16_384, "note")
    out = io.BytesIO()
    book.save(out)
    found = read(tmp_path, out.getvalue())
    assert found.error is not None
    assert "delete what stands far below or beside the samples, or save the sheet as CSV" in found.error


@pytest.mark.parametrize(("row", "column"), [(400, 700), (20_000, 30), (41, 9)])
def test_a_note_beside_the_samples_is_none(row: int, column: int, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for one in rows(40):
        sheet.append(one)
    sheet.cell(row, column, "note")
    out = io.BytesIO()
    book.save(out)
    assert read(tmp_path, out.getvalue()).n == 40
