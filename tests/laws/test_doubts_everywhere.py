"""The law of doubts: whatever is doubtful about a recording stands in every output made of it, and --strict sees it."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from streamer.analysis.tables import read_about, read_table
from streamer.cli import main
from streamer.model.doubts import STRICT, DoubtKind
from tests.support.doubtful_files import PCV, REPLAY, again, hurt, outward, rows, twice
from tests.support.replays import published, replayed

Captured = pytest.CaptureFixture[str]


class Case(NamedTuple):
    """A recording with one doubt: its lines, what its sidecar says besides, and the doubt."""

    lines: Callable[[list[str]], list[str]]
    kind: DoubtKind
    code: str
    said: str
    told: str = ""
    is_live: bool = True
    """Whether its source, or the core, knows it while samples come."""


def as_it_is(lines: list[str]) -> list[str]:
    return lines


def late(_: list[str]) -> list[str]:
    """Flow negative into the patient from the middle of three minutes on."""
    return [*PCV[:1500], *outward([PCV[0], *PCV[1500:]])[1:]]


def spiked(lines: list[str]) -> list[str]:
    """Numbers that no sensor gives."""
    at = lines[0].split(",").index("paw_cmh2o")
    cells = lines[900].split(",")
    cells[at] = "812"  # nines would stand for what is missing
    return [*lines[:900], ",".join(cells), *lines[901:]]


def named(lines: list[str]) -> list[str]:
    """A column that is not known."""
    return [f"{lines[0]},Wetter", *(f"{line},7" for line in lines[1:])]


GAS = "\n[[blood_gas]]\nat_s = 9.0\npco2_art_mmhg = 6.0\n"
NOTE = '\n[[event]]\nat_s = 900.0\nkind = "note"\ntext = "late"\n'
CASES = {
    "outward": Case(outward, DoubtKind.SUSPICION, "flow_reversed", "is flow positive out of the patient?"),
    "late": Case(late, DoubtKind.SUSPICION, "flow_reversed", "is flow positive out of the patient?"),
    "unit": Case(as_it_is, DoubtKind.SUSPICION, "blood_gas_unit", "is unusually low: is it in kPa?", GAS),
    "twice": Case(twice, DoubtKind.DROPPED, "dropped_rows", "100 rows: "),
    "outside": Case(as_it_is, DoubtKind.DROPPED, "outside", "lies after the ", NOTE, is_live=False),
    "hurt": Case(hurt, DoubtKind.DAMAGE, "damaged_rows", "2 rows: "),
    "spiked": Case(spiked, DoubtKind.DAMAGE, "implausible", "far outside"),
    "again": Case(again, DoubtKind.ASSUMPTION, "clock_reset", "the pause is unknown"),
    "named": Case(named, DoubtKind.ASSUMPTION, "columns_left_out", "Wetter"),
}


class Made(NamedTuple):
    """A recording of a case, a session file about it, and a folder for outputs."""

    case: Case
    path: Path
    study: Path
    out: Path


@pytest.fixture(params=CASES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    case = CASES[request.param]
    path = tmp_path / "bench.csv"
    path.write_text("\n".join(case.lines(rows())) + "\n")
    path.with_suffix(".toml").write_text((REPLAY / "pcv.toml").read_text() + case.told)
    study = tmp_path / "told.session.toml"
    study.write_text(
        'label = "P1"\n[[recording]]\npath = "bench.csv"\n[points]\n'
        "baseline_min = [-0.2, -0.01]\nhalf_width_min = 0.1\n"
        'hours = { prone = [0.002] }\nsettle_min = 0\ntrend_min = 0.1\n[[event]]\nkind = "prone"\nat_s = 15.0\n'
        f"{NOTE if case.told == NOTE else ''}"  # what a session tells stands for what a sidecar does
    )
    out = tmp_path / "out"
    out.mkdir()
    return Made(case, path, study, out)


def run(capsys: Captured, *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def told_in(text: str, case: Case) -> bool:
    return f"{case.kind}: " in text and case.said in text


def words_of(svg: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", svg))


def test_lines(capsys: Captured, made: Made) -> None:
    """Standard error of each command, and its exit status with --strict."""
    pytest.importorskip("matplotlib")
    commands = (
        ("analyze", made.path),
        ("analyze", made.path, "-o", made.out / "b.parquet", "--summaries", made.out / "s.csv"),
        ("analyze", made.path, "-o", "-"),
        ("convert", made.path, "-o", made.out / "c.csv"),
        ("plot", made.path, "--at", "6", "-o", made.out / "p.png"),
        ("check", made.path),
        ("check", made.study),
        ("report", made.study),
        ("report", made.study, "-o", "-"),
    )
    for command in commands:
        status, out, err = run(capsys, *command, "--strict")
        assert status == (made.case.kind in STRICT), (command, err)
        assert told_in(out if command == ("check", made.path) else err, made.case), (command, out, err)
        assert ("--strict: " in err) == (made.case.kind in STRICT), command


def test_the_exit_line_counts(capsys: Captured, made: Made) -> None:
    status, out, _ = run(capsys, "analyze", made.path)
    assert status == 0
    found = {
        what.rstrip("s"): int(number) for number, what in re.findall(r"(\d+) ([a-z ]+?)(?:,|$)", out.splitlines()[-1])
    }
    least = {DoubtKind.SUSPICION: "suspicion", DoubtKind.ASSUMPTION: "assumption"}
    if made.case.kind in least:
        assert found[least[made.case.kind]] >= 1
    if made.case.code.endswith("_rows"):
        assert found[made.case.code.replace("_rows", " row")] == int(made.case.said.split()[0])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_tables(capsys: Captured, made: Made, suffix: str) -> None:
    """Each row has the code, also those before it was noticed; the metadata has the whole."""
    outs = made.out / f"b{suffix}", made.out / f"s{suffix}", made.out / f"n{suffix}"
    run(capsys, "analyze", made.path, REPLAY / "vcv_hold.csv", "-o", outs[0], "--summaries", outs[1], "--jobs", 2)
    run(capsys, "report", made.study, "-o", outs[2])
    for out in outs:
        table, about = read_table(out), read_about(out)
        is_of_report = out is outs[2]
        if not is_of_report:
            assert list(table.columns)[-2:] == ["run", "doubts"]
            table = table[table["recording"] == str(made.path)]
        assert len(table) > 0
        assert all(made.case.code in str(doubts) for doubts in table["doubts"]), out
        doubts: list[dict[str, Any]] = about["doubts"] if is_of_report else about["recordings"][0]["doubts"]
        (doubt,) = (one for one in doubts if one["code"] == made.case.code)
        assert doubt["kind"] == made.case.kind
        assert made.case.said in f"{doubt['rows']} rows: {doubt['detail']}"


def test_pictures_and_pages(capsys: Captured, made: Made) -> None:
    pytest.importorskip("matplotlib")
    page, picture, breath = made.out / "r.html", made.out / "r.svg", made.out / "p.svg"
    assert run(capsys, "report", made.study, "-o", page, "-o", picture)[0] == 0
    assert run(capsys, "plot", made.path, "--at", "6", "-o", breath)[0] == 0
    head = words_of(page.read_text().partition("Time points</h2>")[0])
    assert told_in(head, made.case)
    assert f"{made.case.kind}: " in words_of(picture.read_text())
    assert made.case.code in words_of(breath.read_text())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_converted_keeps_it(capsys: Captured, made: Made, suffix: str) -> None:
    out = made.out / f"c{suffix}"
    run(capsys, "convert", made.path, "-o", out)
    code = made.case.code.removesuffix("_rows")
    _, said, _ = run(capsys, "check", out)
    assert f"{made.case.kind}: " in said
    run(capsys, "analyze", out, "-o", made.out / "b.csv")
    table = read_table(made.out / "b.csv")
    assert all(code in " ".join(doubts) for doubts in table["doubts"])


async def test_live(made: Made) -> None:
    """On ``event`` with its text, and on ``state`` as long as it holds."""
    _, messages, _ = await published(replayed(made.path, math.inf))
    payloads = [(one.topic, json.loads(one.payload)) for one in messages if one.payload]
    states = [row for topic, row in payloads if topic.endswith("/state")]
    said = [row["detail"] for topic, row in payloads if topic.endswith("/event")]
    if made.case.is_live:
        assert made.case.code in states[-1]["doubts"]
        assert any(made.case.said.partition(" rows: ")[2] in detail for detail in said)


def test_no_table_without_its_columns(capsys: Captured, tmp_path: Path) -> None:
    run(capsys, "analyze", REPLAY / "pcv.csv", "-o", tmp_path / "a.csv")
    assert pd.read_csv(tmp_path / "a.csv", keep_default_na=False)["doubts"].eq("").all()
