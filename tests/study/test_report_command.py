"""``ventstream report`` as it is typed: the terminal, files of every kind, mistakes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from streamer.analysis.tables import read_about, read_table
from streamer.cli import main
from tests.support.patient_files import GAS, PRONE, session

Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, *arguments: object) -> tuple[int, str, str]:
    status = main(["report", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def cohort(folder: Path) -> Path:
    for name in ("p1", "p2"):
        session(folder, PRONE + GAS.format("08:03:00", 50) + GAS.format("08:08:00", 44), name=name)
    path = folder / "cohort.toml"
    points = "[points]\nbaseline_min = [-4, -0.5]\nhours = { prone = [0.05] }\nhalf_width_min = 1.5\nsettle_min = 0.5\n"
    path.write_text(f'title = "Two [of them]"\nsessions = ["p1.session.toml", "p2.session.toml"]\n{points}')
    return path


def test_a_cohort_in_the_terminal(capsys: Captured, cohort: Path) -> None:
    status, out, err = run(capsys, cohort, "--jobs", 1)
    assert (status, err) == (0, "")
    assert out.startswith("Two [of them] (synthetic: simulated): median [range] over patients (their number)")
    row = next(line for line in out.splitlines() if "VDaw" in line)
    assert re.search(r"14\d \[14\d-14\d\] \(2\) +11\d \[11\d-11\d\] \(2\) +2 lower", row), row
    assert re.search(r"PaCO2 mmHg +50 \[50-50\] \(2\) +44 \[44-44\] \(2\) +2 lower", out)
    assert re.search(r"\d+ of 124 values withheld, \d+ of 62 comparisons refused", out)


def test_a_patient_in_the_terminal(capsys: Captured, folder: Path) -> None:
    status, out, _ = run(capsys, session(folder, PRONE), "--jobs", 1)
    assert status == 0
    assert out.startswith("P1 (synthetic: simulated): value (breaths, holds or draws)")
    assert re.search(r"Pplat cmH2O +\d+\.\d \(1\) +\d+\.\d \(1\) +no change", out)


def test_where_nothing_can_be_said_the_reasons_are(capsys: Captured, folder: Path) -> None:
    path = session(folder, PRONE)
    path.write_text(path.read_text().partition("[points]")[0])
    status, out, _ = run(capsys, path, "--jobs", 1)
    assert status == 0
    assert out.splitlines()[-2].startswith("withheld: not_recorded ")
    assert out.splitlines()[-1].startswith("124 of 124 values withheld")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_numbers_in_every_kind_of_table(capsys: Captured, cohort: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"numbers{suffix}"
    status, shown, err = run(capsys, cohort, "-o", out, "--jobs", 1)
    assert (status, err) == (0, "")
    assert shown.endswith(f"{out}\n")
    table = read_table(out)
    assert len(table) == 2 * 2 * 31
    row = table.set_index(["patient", "point", "quantity"]).loc["P2", "3 min prone", "vd_vt_bohr"]
    assert row["baseline"] - row["value"] == pytest.approx(-row["change"])
    assert row["direction"] == "lower"
    assert row["method"] == "bohr_mainstream"


def test_numbers_on_standard_output(capsys: Captured, cohort: Path) -> None:
    status, out, err = run(capsys, cohort, "-o", "-", "--jobs", 1)
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, len(rows)) == (0, 2 * 2 * 31)
    assert "median [range]" in err  # the table for eyes does not spoil the one for programs
    assert all((row["value"] is None) == bool(row["reason"]) for row in rows)


def test_several_outputs_at_once(capsys: Captured, cohort: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outs = [tmp_path / f"r{suffix}" for suffix in (".html", ".pdf", ".png", ".svg", ".csv")]
    status, _, err = run(capsys, cohort, *(part for out in outs for part in ("-o", out)), "--jobs", 1)
    assert (status, err) == (0, "")
    starts = [out.read_bytes()[:9] for out in outs]
    assert starts[0].lower().startswith(b"<!doctype")
    assert starts[1].startswith(b"%PDF")
    assert starts[2].startswith(b"\x89PNG")
    assert starts[3].startswith(b"<?xml")


def test_the_same_study_gives_the_same_bytes(capsys: Captured, cohort: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a", "b"):
        assert run(capsys, cohort, "-o", tmp_path / f"{name}.html", "-o", tmp_path / f"{name}.csv", "--jobs", 1)[0] == 0
    for suffix in (".html", ".csv"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("outs", "said"),
    [
        (["r.docx"], "give the output a suffix: .html, .pdf, .png, .svg, .parquet, .csv, .jsonl, or '-'"),
        (["report"], "give the output a suffix"),
        (["r.html", "r.html"], "-o names one output twice"),
        (["all.parquet"], "is also to be read; name another output"),
    ],
)
def test_outputs_that_cannot_be(capsys: Captured, folder: Path, outs: list[str], said: str) -> None:
    path = session(folder, PRONE)
    status, shown, err = run(capsys, path, *(part for out in outs for part in ("-o", folder / out)))
    assert (status, shown, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_folder_that_is_not_there(capsys: Captured, folder: Path, tmp_path: Path) -> None:
    status, _, err = run(capsys, session(folder, PRONE), "-o", tmp_path / "no" / "r.csv", "--jobs", 1)
    assert (status, err.count("\n")) == (1, 1)


def test_without_matplotlib_the_tables_are_still_there(
    capsys: Captured, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("matplotlib", "streamer.report", "streamer.report.breath"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path = session(folder, PRONE)
    status, out, err = run(capsys, path, "-o", tmp_path / "r.html")
    assert (status, out) == (2, "")
    assert err == "pages and pictures need matplotlib: pip install 'ventstream[plot]'; tables do not\n"
    assert run(capsys, path, "-o", tmp_path / "r.csv", "--jobs", 1)[0] == 0


@pytest.mark.parametrize(
    ("study", "status"),
    [("nothing.toml", 2), ("nothing.parquet", 1), ("", 1)],
    ids=["no file", "no recording", "folder"],
)
def test_studies_that_are_none(capsys: Captured, tmp_path: Path, study: str, status: int) -> None:
    found, out, err = run(capsys, tmp_path / study)
    assert (found, out, err.count("\n")) == (status, "", 1), err


def test_a_recording_alone_needs_an_event(capsys: Captured, folder: Path) -> None:
    status, _, err = run(capsys, folder / "all.parquet", "--jobs", 1)
    assert (status, err.count("\n")) == (2, 1)
    assert "there is no event of kind 'prone', which ends the baseline" in err


def test_check_explains_a_study_or_refuses_it(capsys: Captured, cohort: Path) -> None:
    assert main(["check", str(cohort)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == f"{cohort}: a study, correct"
    assert lines[1] == "  session P1: 1 event, 2 blood gases"
    assert (
        lines[2]
        == f"    {cohort.parent / 'all.parquet'} (parquet, from 2024-03-01T08:00:00+00:00, 0.17 h, 200 breaths)"
    )
    assert lines[-1] == "  3 min prone: 3 min after the first event of kind prone, 1.5 min to either side"
    session(cohort.parent, PRONE.replace("prone", "pron"), name="p2")
    assert main(["check", str(cohort)]) == 2
    assert "did you mean 'prone'?" in capsys.readouterr().err


LATE = '\n[[event]]\nat = 2024-03-01T09:00:00Z\nkind = "suction"\n'


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (LATE, "dropped: [[event]] 2 at 2024-03-01T09:00:00+00:00 lies after the recordings end, and takes no part"),
        (GAS.format("07:00:00", 50), "dropped: [[blood_gas]] 1 at 2024-03-01T07:00:00+00:00 lies while nothing was"),
        (GAS.format("09:00:00", 50), "dropped: [[blood_gas]] 1 at 2024-03-01T09:00:00+00:00 lies after the recordings"),
    ],
)
@pytest.mark.parametrize("command", ["check", "report"])
def test_check_finds_what_report_finds(capsys: Captured, folder: Path, told: str, said: str, command: str) -> None:
    path = session(folder, PRONE + told)
    out = folder / "numbers.csv"
    arguments = [command, str(path)] + (["--jobs", "1", "-o", str(out)] if command == "report" else [])
    assert main(arguments) == 0
    assert f"P1: {said}" in capsys.readouterr().err
    assert main([*arguments, "--strict"]) == 1
    if command == "report":
        assert set(read_table(out)["doubts"]) == {"outside"}
        (told_of,) = read_about(out)["doubts"]
        assert (told_of["kind"], told_of["code"]) == ("dropped", "outside")


def test_doubts_stand_at_the_head_of_the_page(capsys: Captured, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "r.html"
    assert run(capsys, session(folder, PRONE + LATE), "--jobs", 1, "-o", out)[0] == 0
    page = out.read_text(encoding="utf-8")
    assert page.index("<h2>Doubts</h2>") < page.index("takes no part") < page.index("Time points</h2>")
