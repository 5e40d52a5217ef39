"""Tables: rows out and back the same, files whole or not at all, every failure one line."""

from __future__ import annotations

import csv
import os
import resource
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.analysis.rows import breath_columns, breath_row, summary_columns, summary_row
from streamer.analysis.tables import open_table, read_table
from streamer.core.metrics import METRICS
from streamer.files.output import Output
from streamer.model.errors import ConfigError, DecodeError, OutputError
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Stat, Summary

START = datetime(2020, 6, 1, 8, tzinfo=UTC)


def utc_of(device_s: float) -> int:
    return int(START.timestamp()) * 10**9 + round(device_s * 1e9)


def record(number: int, **values: float) -> BreathRecord:
    return BreathRecord(
        bed="icu-04",
        number=number,
        start_s=0.1 * number,
        end_s=0.1 * number + 0.1,
        values=values,
        missing=dict.fromkeys(METRICS.keys() - values.keys(), "no_hold"),
        quality=dict.fromkeys(values, "B"),
        methods={"pplat": "pause_short"} if "pplat" in values else {},
        flags=frozenset({Flag.HOLD, Flag.GAP_SHORT}) if "pplat" in values else frozenset(),
    )


ROWS = [
    breath_row(found, recording="a,b.csv", session="cafe", utc_of=utc_of)
    for found in (record(0, ppeak=0.1 + 0.2, pplat=21.123456789012345), record(1, ppeak=1e-17, mp=float(2**53)))
]


def write(out: Path, rows: Iterable[dict[str, Any]] | None = None) -> None:
    with open_table(str(out), breath_columns()) as table:
        for row in ROWS if rows is None else rows:
            table.write(row)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"breaths{suffix}"
    write(out)
    table = read_table(out)
    assert list(table.columns) == [column.name for column in breath_columns()]
    assert table["ppeak"].tolist() == [0.1 + 0.2, 1e-17]
    assert table["mp"].isna().tolist() == [True, False]
    assert table["pplat"][0] == 21.123456789012345
    assert table["number"].tolist() == [0, 1]
    assert table["recording"].tolist() == ["a,b.csv"] * 2
    assert table["start_utc"][1] == "2020-06-01T08:00:00.100Z"
    assert table["missing"][0]["crs"] == "no_hold"
    assert table["quality"][1] == {"ppeak": "B", "mp": "B"}
    assert table["flags"].tolist() == [["gap_short", "hold"], []]
    assert table["pplat_method"][0] == "pause_short"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_every_key_is_a_number_or_has_a_reason() -> None:
    for row in ROWS:
        for key in METRICS:
            assert (row[key] is None) == (key in row["missing"])
    assert {column.name for column in breath_columns()} == set(ROWS[0])


def test_methods_have_columns() -> None:
    names = {column.name for column in breath_columns()}
    assert {"pplat_method", "crs_method"} <= names


def test_csv_is_plain(tmp_path: Path) -> None:
    write(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["mp"] == ""
    assert rows[0]["flags"] == "gap_short hold"
    assert msgspec.json.decode(rows[0]["missing"])["mp"] == "no_hold"


def test_more_rows_than_a_batch(tmp_path: Path) -> None:
    rows = [ROWS[0] | {"number": number} for number in range(9001)]
    write(tmp_path / "t.parquet", rows)
    assert read_table(tmp_path / "t.parquet")["number"].tolist() == list(range(9001))


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    for suffix in (".parquet", ".csv"):
        write(tmp_path / f"t{suffix}", [])
        assert list(read_table(tmp_path / f"t{suffix}").columns) == [column.name for column in breath_columns()]


def test_summaries(tmp_path: Path) -> None:
    stats = {key: Stat(n=0, reason="low_coverage") for key in METRICS}
    stats["ppeak"] = Stat(n=7, median=20.5, p25=20.0, p75=21.0, last=20.1)
    stats["rr"] = Stat(n=7, mean=15.5, p25=15.0, p75=16.0, last=15.1)
    stats["crs"] = Stat(n=0, last=51.0, age_s=12.0, reason="low_coverage")
    summary = Summary(bed="b", window="1m", start_s=0.0, end_s=60.0, breaths=7, coverage=0.9, stats=stats)
    row = summary_row(summary, recording="r", session="s", utc_of=utc_of)
    assert set(row) == {column.name for column in summary_columns()}
    out = tmp_path / "s.parquet"
    with open_table(str(out), summary_columns()) as table:
        table.write(row)
    back = read_table(out).iloc[0]
    assert (back["ppeak_median"], back["rr_mean"], back["crs_last"], back["crs_age_s"]) == (20.5, 15.5, 51.0, 12.0)
    assert back["missing"]["crs"] == "low_coverage"
    assert "ppeak" not in back["missing"]


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with open_table("-", breath_columns()) as table:
        table.write(ROWS[0])
    row = msgspec.json.decode(capfdbinary.readouterr().out)
    assert row["missing"]["crs"] == "no_hold"
    assert row["flags"] == ["gap_short", "hold"]
    assert row["mp"] is None


@pytest.mark.parametrize("out", ["t.xlsx", "t", "t.csv.gz", ""])
def test_unknown_suffix(out: str) -> None:
    with pytest.raises(ConfigError, match=r"give the table a suffix: \.parquet, \.csv, \.jsonl"), open_table(out, []):
        pass


def interrupted() -> Iterator[dict[str, Any]]:
    yield ROWS[0]
    raise KeyboardInterrupt


def test_a_failure_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    out.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write(out, interrupted())
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match=r"the folder .*nowhere does not exist; create it first"):
        write(tmp_path / "nowhere" / "t.csv")
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path / "folder.csv")
    with pytest.raises(OutputError, match=r"cannot be written: embedded null"):
        write(tmp_path / "a\0b.csv")


def test_no_permission(tmp_path: Path) -> None:
    folder = Path("/sys") if os.geteuid() == 0 else tmp_path  # where even root may not
    if folder == tmp_path:
        tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"t\.csv: cannot be written: Permission denied"):
        write(folder / "t.csv")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    out.symlink_to("/dev/full")
    with pytest.raises(OutputError, match=rf"t{suffix}: cannot be written: No space left on device"):
        write(out)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The closest a test comes to a disk that fills up while a file grows."""
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_disk_that_fills_up(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    out.write_text("before")
    # Rows that do not compress, in several batches.
    rows = [ROWS[0] | {"number": n, "missing": {"x": os.urandom(60).hex()}} for n in range(9000)]
    with files_of_at_most(100_000), pytest.raises(OutputError, match="cannot be written: File too large"):
        write(out, rows)
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"junk")
    with pytest.raises(DecodeError, match=r"t\.parquet: cannot be read as a table"):
        read_table(tmp_path / "t.parquet")
    with pytest.raises(DecodeError, match=r"none\.csv: cannot be read as a table"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="expected a table"):
        read_table(tmp_path / "t.txt")


def test_any_output_file_is_whole_or_absent(tmp_path: Path) -> None:
    out = tmp_path / "truth.json"
    with Output(str(out)) as output:
        output.write(b"{}")
        assert not out.exists()
    assert out.read_bytes() == b"{}"
