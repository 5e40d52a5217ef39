"""What is doubtful stands beside every result: on standard error, in every row, in metadata, in the exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.analysis.tables import read_about, read_table
from streamer.cli import main
from streamer.core.session_events import gas_notice
from streamer.model.context import BloodGas, SessionEvent, Sidecar
from streamer.model.doubts import STRICT, Doubt, DoubtKind, DoubtList, doubts_of, kept, never_reached, written
from streamer.model.records import Notice, NoticeKind
from tests.support.doubtful_files import PCV, REPLAY, again, hurt, outward, rows, twice

Captured = pytest.CaptureFixture[str]


CASES: dict[str, tuple[Callable[[list[str]], list[str]], DoubtKind, str]] = {
    "outward": (outward, DoubtKind.SUSPICION, "flow_reversed"),
    "twice": (twice, DoubtKind.DROPPED, "dropped_rows"),
    "hurt": (hurt, DoubtKind.DAMAGE, "damaged_rows"),
    "again": (again, DoubtKind.ASSUMPTION, "clock_reset"),
}
every_case = pytest.mark.parametrize("name", CASES)


def run(capsys: Captured, *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def recording(tmp_path: Path, name: str) -> Path:
    path = tmp_path / f"{name}.csv"
    path.write_text("\n".join(CASES[name][0](rows())) + "\n")
    (tmp_path / f"{name}.toml").write_bytes((REPLAY / "pcv.toml").read_bytes())
    return path


@every_case
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_analyze(capsys: Captured, recording: Path, name: str, suffix: str, jobs: int) -> None:
    tmp_path = recording.parent
    _, kind, code = CASES[name]
    outs = tmp_path / f"breaths{suffix}", tmp_path / f"windows{suffix}"
    plain = REPLAY / "vcv_hold.csv"
    status, out, err = run(
        capsys, "analyze", recording, plain, "-o", outs[0], "--summaries", outs[1], "--jobs", jobs, "--strict"
    )
    assert status == (kind in STRICT)
    assert f"{name}.csv: {kind}: " in err
    assert "vcv_hold" not in err
    assert ("--strict" in err) == (kind in STRICT)
    assert out.splitlines()[-1].startswith("2 recordings, ")
    for table in map(read_table, outs):
        of_it = table["recording"] == str(recording)
        assert of_it.any()
        assert all(code in doubts for doubts in table["doubts"][of_it]), "also rows before it was noticed"
        assert all(not doubts for doubts in table["doubts"][~of_it])
    for path in outs:
        told, other = read_about(path)["recordings"]
        assert (told["recording"], other["doubts"]) == (str(recording), [])
        assert {"kind": kind, "code": code}.items() <= told["doubts"][0].items()
        assert told["doubts"][0]["detail"] in err


@every_case
def test_convert_and_what_becomes_of_it(capsys: Captured, recording: Path, name: str, tmp_path: Path) -> None:
    """What the converted file cannot show any more is not forgotten."""
    _, kind, code = CASES[name]
    for suffix in (".csv", ".parquet"):
        out = tmp_path / f"converted{suffix}"
        status, _, err = run(capsys, "convert", recording, "-o", out, "--strict")
        assert status == (kind in STRICT)
        assert f"{name}.csv: {kind}: " in err
        _, _, err = run(capsys, "analyze", out, "-o", tmp_path / "o.csv")
        assert f"converted{suffix}: {kind}: " in err
        assert code.removesuffix("_rows") in " ".join(read_table(tmp_path / "o.csv")["doubts"][0])


@every_case
def test_plot(capsys: Captured, recording: Path, name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    _, kind, code = CASES[name]
    out = tmp_path / "b.svg"
    status, _, err = run(capsys, "plot", recording, "--at", "6", "-o", out, "--strict")
    assert status == (kind in STRICT)
    assert f"{name}.csv: {kind}: " in err
    assert out.is_file()
    assert code


@every_case
def test_check(capsys: Captured, recording: Path, name: str) -> None:
    _, kind, _ = CASES[name]
    status, out, _ = run(capsys, "check", recording, "--strict")
    assert status == (kind in STRICT)
    assert f"doubt     {kind}: " in out


def test_rows_are_counted_in_the_table_its_metadata_and_the_exit_line(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(hurt(twice(rows()))) + "\n")
    _, out, err = run(capsys, "analyze", path, "-o", tmp_path / "o.parquet")
    row = next(line.split() for line in out.splitlines() if line.split()[:1] == ["a.csv"])
    assert row[4:6] == ["2", "100"]
    (told,) = read_about(tmp_path / "o.parquet")["recordings"]
    assert (told["damaged_rows"], told["dropped_rows"]) == (2, 100)
    assert "100 dropped rows, 2 damaged rows" in out.splitlines()[-1]
    assert "dropped: 100 rows: " in err


def test_without_doubts_nothing_is_said_but_that(capsys: Captured, tmp_path: Path) -> None:
    status, out, err = run(capsys, "analyze", REPLAY / "pcv.csv", "-o", tmp_path / "o.csv", "--strict")
    assert (status, err) == (0, "")
    assert out.endswith("0 dropped rows, 0 damaged rows, 0 suspicions, 0 assumptions\n")
    assert read_about(tmp_path / "o.csv")["recordings"][0]["doubts"] == []


def test_a_pipe_gets_the_column_and_no_file(capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("\n".join(outward(rows())) + "\n")
    monkeypatch.chdir(tmp_path)
    _, out, err = run(capsys, "analyze", "a.csv", "-o", "-")
    assert all(json.loads(line)["doubts"] == ["flow_reversed"] for line in out.splitlines())
    assert "a.csv: suspicion: " in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_runs_are_numbered_and_can_be_named(capsys: Captured, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.csv"
    path.write_text("\n".join(again(PCV)) + "\n")
    run(capsys, "analyze", path, "-o", tmp_path / "o.csv")
    table = read_table(tmp_path / "o.csv")
    first, second = (table[table["run"] == number] for number in (1, 2))
    assert len(first) == len(second) > 5
    assert first["end_s"].max() <= second["start_s"].min()
    (told,) = read_about(tmp_path / "o.csv")["recordings"]
    assert [one["run"] for one in told["runs"]] == [1, 2]
    whole = second.iloc[2]
    at_s = whole["start_s"] + 0.5 - told["runs"][1]["start_s"]
    status, said, _ = run(capsys, "plot", path, "--at", f"2:{at_s:.2f}", "-o", tmp_path / "b.png")
    assert status == 0
    assert f"breath {whole['number']} of a.csv" in said
    status, said, _ = run(capsys, "plot", path, "--at", f"1:{at_s:.2f}", "-o", tmp_path / "b.png")
    assert f"breath {first.iloc[2]['number']} of a.csv" in said
    for wrong, message in (
        ("3:1", "no run 3; the recording has 2, counted from 1"),
        ("2:900", "run 2 lasts from 0 to 75 s, 900 s is not in it"),
    ):
        status, _, err = run(capsys, "plot", path, "--at", wrong, "-o", tmp_path / "b.png")
        assert status == 1
        assert message in err
    for wrong in ("0:1", "a", "1:2:3", ":4", "nan"):
        status, _, err = run(capsys, "plot", path, "--at", wrong, "-o", tmp_path / "b.png")
        assert (status, "RUN:SECONDS" in err) == (2, True)


def notice(kind: NoticeKind, detail: str = "x", **values: float | str) -> Notice:
    return Notice(bed="", at_s=1.0, kind=kind, detail=detail, values=values)


def test_what_is_a_doubt_and_what_is_none() -> None:
    for kind in NoticeKind:
        found = list(doubts_of(notice(kind)))
        assert len(found) <= 1
        assert all(doubt.code and " " not in doubt.code for doubt in found)
    assert not list(doubts_of(notice(NoticeKind.NOTE, event="note")))
    assert not list(doubts_of(notice(NoticeKind.SUSPICION, rule="r", over=1.0)))
    assert not list(doubts_of(notice(NoticeKind.GAP)))
    (doubt,) = doubts_of(gas_notice(BloodGas(at_s=1.0, pco2_art_mmhg=6.0)))
    assert (doubt.kind, doubt.code) == (DoubtKind.SUSPICION, "blood_gas_unit")


def test_what_comes_again_is_counted() -> None:
    found = DoubtList()
    for at_s in (-0.3, 5.0, 9.0):
        found.hear(notice(NoticeKind.CLOCK_RESET, f"back at {at_s}"))
        found.hear(notice(NoticeKind.SUSPICION, "odd", rule="r"))
    assert [str(doubt) for doubt in found] == [
        "suspicion: odd (from 1 s on)",
        "assumption: back at -0.3 (and 2 more)",
    ]
    assert str(Doubt(DoubtKind.SUSPICION, "r", "odd", -0.3)) == "suspicion: odd (from 0 s on)"


ODD = st.one_of(st.floats(), st.text(max_size=3))


@settings()  # a busy machine draws slowly
@given(
    st.sampled_from(NoticeKind),
    st.dictionaries(
        st.sampled_from(
            [
                "rows",
                "samples",
                "damaged_rows",
                "dropped_rows",
                "rule",
                "assumes",
                "over",
                "event",
                "pco2_art_mmhg",
                "ph",
            ]
        ),
        ODD,
    ),
)
def test_whatever_a_source_says_is_no_error(kind: NoticeKind, values: dict[str, float | str]) -> None:
    found = DoubtList()
    found.hear(notice(kind, **values))
    assert all(" " not in code for code in found.codes)


notices = st.builds(
    notice,
    st.sampled_from(NoticeKind),
    st.text(max_size=3),
    rows=st.integers(0, 50).map(float),
)


@given(st.lists(notices, max_size=200))
def test_a_list_is_bounded_and_loses_no_count(told: list[Notice]) -> None:
    found = DoubtList()
    for one in told:
        found.hear(one)
    assert len(list(found)) <= len(DoubtKind) * 21
    dropped = sum(one.values["rows"] for one in told if one.kind in {NoticeKind.DROPPED, NoticeKind.OVERLAP})
    assert found.dropped_rows == dropped
    assert set(found.codes) == {doubt.code for doubt in found}
    assert found.is_strict == all(doubt.kind is DoubtKind.ASSUMPTION for doubt in found)


@given(st.lists(st.text(max_size=1500), max_size=5))
def test_doubts_go_through_a_file(texts: list[str]) -> None:
    found = DoubtList()
    for text in texts:
        found.add(Doubt(DoubtKind.DAMAGE, "implausible", text))
    back = list(kept(written(found)))
    assert len(back) == len(list(found))
    assert all(one.kind is DoubtKind.DAMAGE for one in back)


def test_entries_after_the_end_are_told() -> None:
    told = Sidecar(event=(SessionEvent(kind="prone", at_s=50.0), SessionEvent(kind="supine", at_s=9.0)),
                   blood_gas=(BloodGas(at_s=70.0, ph=7.3),))  # fmt: skip
    found = list(never_reached(told, 60.0))
    assert [doubt.at_s for doubt in found] == [70.0]
    assert "lies after the end of the recording at 60.0 s" in found[0].detail
    assert np.isfinite(found[0].at_s or np.nan)


def test_check_takes_folders_as_analyze_does(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(outward(rows())) + "\n")
    (tmp_path / "b.csv").write_text("\n".join(rows()) + "\n")
    (tmp_path / "notes.docx").write_bytes(b"\xd0\xcf\x11\xe0" * 40)
    status, out, err = run(capsys, "check", tmp_path)
    assert status == 0
    assert [line for line in out.splitlines() if line.startswith("recording ")] == [
        f"recording {tmp_path / name}" for name in ("a.csv", "b.csv")
    ]
    assert out.count("doubt     suspicion: ") == 1
    assert err.startswith("skipped: ")
    assert run(capsys, "check", tmp_path, "--strict")[0] == 1
    (tmp_path / "c.csv").write_text("paw_cmh2o,flow_l_min\n1,2\n")
    status, out, err = run(capsys, "check", tmp_path)
    assert (status, out.count("recording ")) == (1, 2)
    assert f"{tmp_path / 'c.csv'}: " in err


def test_waveforms_are_shown_in_the_units_of_the_file(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(rows()) + "\n")
    _, out, _ = run(capsys, "check", tmp_path / "a.csv")
    flow = next(line.split() for line in out.splitlines() if line.startswith("flow "))
    assert flow[-1] == "L/min"
    assert 40 < float(flow[3]) < 80
    times = [line.split(",") for line in rows()]
    at = times[0].index("paw_cmh2o")
    for cells in times[1:]:
        cells[at] = f"{float(cells[at]) / 10.19716:.6f}"
    times[0][at] = "paw_kpa"
    (tmp_path / "k.csv").write_text("\n".join(map(",".join, times)) + "\n")
    _, out, _ = run(capsys, "check", tmp_path / "k.csv")
    assert "paw       0.7" in out  # 7.6 cmH2O
    assert next(line for line in out.splitlines() if line.startswith("paw ")).endswith(" kPa")
