"""``ventstream plot``: the picture shows what was measured, and nothing that was withheld."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from adapters.recordings.open import open_recording
from streamer.cli import main
from streamer.core.bed import Bed
from streamer.core.expirogram import expirogram_of
from streamer.report.breath import breath_figure, rendered
from streamer.report.breath.label_layout import spread
from tests.support.streams import recording

REPLAY = Path(__file__).parents[2] / "replay_data"
DEAD_SPACE = REPLAY / "dead_space.parquet"


def seen(path: Path = DEAD_SPACE):
    """Every breath as an observer of the bed gets it."""
    source, found = open_recording(path), []
    bed = Bed(
        "b", context=source.sidecar.context, blood_gases=source.sidecar.blood_gas,
        on_breath=lambda *one: found.append(one),
    )  # fmt: skip
    events = [event for item in source.items() for event in bed.push(item)] + bed.close()
    assert [one[1] for one in found] == [event for event in events if hasattr(event, "number")]
    return found


def words(svg: Path) -> str:
    return " ".join(re.findall(r">([^<>]+)</text>", svg.read_text(encoding="utf-8")))


def plot(tmp_path: Path, *args: str, source: Path = DEAD_SPACE) -> Path:
    out = tmp_path / "breath.svg"
    assert main(["plot", str(source), "-o", str(out), *args]) == 0
    return out


def test_the_picture_carries_the_numbers_of_the_record(tmp_path: Path) -> None:
    """The last breath with a dead space, unless one is chosen."""
    *_, (_, record, _) = [one for one in seen() if "vd_aw" in one[1].values]
    text = words(plot(tmp_path))
    values = record.values
    for shown in (
        f"VDaw {values['vd_aw']:.0f} mL", f"VTalv {values['vt_alv']:.0f} mL", f"SIII {values['slope_3']:.1f} mmHg/L",
        f"{values['vd_vt_bohr']:.3f}", f"{values['vtco2']:.2f}", f"PETCO₂ {values['petco2']:.1f}",
        f"PACO₂ {values['pco2_alv']:.1f}", "fowler_mainstream", "withheld: abg_missing", "phase I", "phase III",
        f"breath {record.number}", "research software",
    ):  # fmt: skip
        assert shown in text, shown


def test_areas_about_the_line_are_equal() -> None:
    """What Fowler's line is: as much CO2 before it as is lacking after it."""
    for one in seen():
        picture = expirogram_of(*one)
        if picture is None or picture.marks is None:
            continue
        before, after = picture.areas()
        assert before == pytest.approx(after, abs=2.0)
        assert before > 50.0
        assert picture.marks.dead_ml == one[1].values["vd_aw"]
        assert picture.marks.fitted_mmhg == pytest.approx(picture.pco2_mmhg, abs=4.0)
        assert picture.volume_ml[-1] < picture.expired_ml


@pytest.mark.parametrize("choice", [("--breath", "20"), ("--at", "70.0")])
def test_a_breath_may_be_chosen(tmp_path: Path, choice: tuple[str, str]) -> None:
    by_time = next(record.number for _, record, _ in seen() if record.start_s <= 70.0 < record.end_s)
    number = 20 if choice[0] == "--breath" else by_time
    assert f"breath {number} " in words(plot(tmp_path, *choice))


def test_what_is_withheld_is_drawn_nowhere(tmp_path: Path) -> None:
    context = tmp_path / "context.toml"
    context.write_text('[context]\nco2_kind = "sidestream"\n', encoding="utf-8")
    text = words(plot(tmp_path, "--context", str(context)))
    assert "sidestream_unsuitable" in text
    assert "time_sidestream" in text
    for absent in ("VDaw 2", "phase I II phase III", "SIII 1", "SIII 2", "Fowler's line", "PACO₂ 4"):
        assert absent not in text


def test_a_breath_without_co2_has_its_waves(tmp_path: Path) -> None:
    text = words(plot(tmp_path, source=recording("getinge-servo-u/17*.txt")))
    assert "no capnogram (co2_missing)" in text
    assert "Flow (L/s)" in text
    assert "PCO₂ (mmHg)" not in text


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_formats_and_the_same_file_twice(suffix: str, magic: bytes) -> None:
    one = seen()[20]
    first, second = (rendered(breath_figure(*one, caption="x"), suffix) for _ in range(2))
    assert first.startswith(magic)
    assert first == second


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["-o", "b.gif"], 2, "a picture ends in .png, .svg, .pdf"),
        (["-o", "b.png", "--breath", "3", "--at", "9"], 2, "give one of them"),
        (["-o", "b.png", "--breath", "9999"], 1, "no breath 9999 with flow in it; there are 36, from 0"),
        (["-o", "b.png", "--at", "9999"], 1, "no breath with flow at 9999 s; the recording ends at 120.0 s"),
        (["-o", "no/such/folder/b.png"], 1, "cannot be written"),
    ],
)
def test_refused(args: list[str], status: int, said: str, *, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(DEAD_SPACE), *args]) == status
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_not_a_recording(tmp_path: Path, capsys) -> None:
    junk = tmp_path / "junk.csv"
    junk.write_bytes(b"\x00\x01nothing")
    assert main(["plot", str(junk), "-o", str(tmp_path / "b.png")]) == 1
    assert "junk.csv" in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch, capsys) -> None:
    found = importlib.import_module

    def absent(name: str, package: str | None = None) -> object:
        if name == "streamer.report.breath":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return found(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert main(["plot", str(DEAD_SPACE), "-o", str(tmp_path / "b.png")]) == 2
    assert "pip install 'ventstream[plot]'" in capsys.readouterr().err


def test_names_of_levels_keep_apart() -> None:
    assert spread([1.0, 1.1, 5.0], 1.0) == pytest.approx([0.55, 1.55, 5.0])
    places = spread(sorted(np.random.default_rng(0).uniform(0.0, 10.0, 8).tolist()), 1.0)
    assert min(np.diff(places)) >= 1.0 - 1e-9
