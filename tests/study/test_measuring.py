"""From session files to frames: clocks, several recordings, events of their own, and what cannot be used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from adapters.recordings.canonical import write_recording
from adapters.simulator import simulate
from adapters.simulator.scenario import Scenario
from streamer.model.chunk import Channel
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.study import Results, measure, read_study
from streamer.study.collect import collect
from streamer.study.placing import jobs_of
from tests.support.patient_files import GAS, MINUTES, PRONE, session


def measured(path: Path) -> Results:
    return measure(read_study(path), jobs=1)


def value(results: Results, name: str, point: str) -> float | None:
    rows = results.numbers
    row = rows[(rows["quantity"] == name) & (rows["point"] == point)].iloc[0]
    return None if row["reason"] else float(row["value"])


def test_a_session_of_one_recording(folder: Path) -> None:
    results = measured(session(folder, PRONE + GAS.format("08:03:00", 50) + GAS.format("08:08:00", 44)))
    assert results.is_simulated
    assert value(results, "vd_aw", "baseline") == pytest.approx(150, abs=4)
    assert value(results, "vd_aw", "3 min prone") == pytest.approx(120, abs=4)
    assert value(results, "pco2_art_mmhg", "baseline") == 50
    assert value(results, "pplat", "3 min prone") == pytest.approx(14.0, abs=0.2)
    changes = results.changes.set_index("quantity")
    assert changes.loc["vd_aw", "direction"] == "lower"
    assert changes.loc["mp", "direction"] == "no change"
    assert list(results.events["kind"]) == ["blood_gas", "prone", "blood_gas"]
    assert list(results.events["at"])[1] == "2024-03-01 08:05:00Z"
    assert results.recordings.iloc[0]["sha256"] == hashlib.sha256((folder / "all.parquet").read_bytes()).hexdigest()


def test_device_seconds_say_the_same(folder: Path) -> None:
    dated = measured(session(folder, PRONE + GAS.format("08:03:00", 50)))
    gas = GAS.format("08:03:00", 50).replace("at = 2024-03-01T08:03:00Z", "at_s = 180")
    seconds = measured(session(folder, PRONE.replace("at = 2024-03-01T08:05:00Z", "at_s = 300") + gas))
    assert dated.values.equals(seconds.values)


def test_several_recordings_make_one_session(folder: Path) -> None:
    text = PRONE + GAS.format("08:03:00", 50) + GAS.format("08:08:00", 44)
    one, two = measured(session(folder, text)), measured(session(folder, text, "rest", "first"))  # in any order
    for name in ("vd_aw", "pplat", "mp", "pco2_art_mmhg"):
        for point in ("baseline", "3 min prone"):
            assert value(two, name, point) == pytest.approx(value(one, name, point), rel=0.01), (name, point)
    assert list(two.events["kind"]) == ["blood_gas", "prone", "blood_gas"]  # told to each, counted once
    assert len(two.recordings) == 2


def test_recordings_that_overlap_are_refused(folder: Path) -> None:
    path = session(folder, PRONE, "late", "all")
    with pytest.raises(
        ConfigError, match=r"p1.session.toml:2: \[\[recording\]\]: begins 320 s before \[\[recording\]\] 2 ends"
    ):
        measured(path)


@pytest.mark.parametrize(
    ("day", "said"),
    [("2023-03-01", "lies 366.0 days before the recordings begin"), ("2024-03-09", "after the recordings end")],
)
def test_a_date_far_from_every_recording_is_doubted(folder: Path, day: str, said: str) -> None:
    path = session(folder, PRONE + GAS.format("08:03:00", 50).replace("2024-03-01", day))
    with pytest.raises(ConfigError, match=rf"session.toml:\d+: \[\[blood_gas\]\]: .*{said}.*is its date right"):
        measured(path)


def test_events_of_the_recording_itself_serve_where_the_file_states_none(folder: Path) -> None:
    side = folder / "all.parquet.toml"
    side.write_text(f"{PRONE.replace('08:05:00', '08:04:00')}{GAS.format('08:03:00', 50)}")
    try:
        own = measured(session(folder, ""))
        assert list(own.events["at"]) == ["2024-03-01 08:03:00Z", "2024-03-01 08:04:00Z"]
        stated = measured(session(folder, PRONE))
        assert list(stated.events["at"]) == ["2024-03-01 08:03:00Z", "2024-03-01 08:05:00Z"]  # its gas is still there
        alone = read_study(folder / "all.parquet")
        assert len(measure(alone, jobs=1).events) == 2
    finally:
        side.unlink()


def test_without_the_event_there_is_no_baseline(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no event of kind 'prone', which ends the baseline"):
        measured(session(folder, ""))


def test_a_recording_that_breaks_off_is_used_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(_: object) -> list[object]:
        raise DecodeError("line 20001: nothing that can be read; export it again")

    write_recording(tmp_path / "cut.csv", list(simulate(Scenario(duration_s=400.0, rate_hz=50.0)).chunks()), Sidecar())
    monkeypatch.setattr("adapters.formats.text_table.Decoder.close", break_off)
    path = tmp_path / "cut.session.toml"
    path.write_text(f'[[recording]]\npath = "cut.csv"\nrate_hz = 50\n[[event]]\nat_s = 300\nkind = "prone"\n{MINUTES}')
    results = measured(path)
    assert value(results, "vt_exp", "baseline") == pytest.approx(500, rel=0.01)
    assert value(results, "vt_exp", "3 min prone") is None
    assert results.recordings["error"][0] == "cut.csv: line 20001: nothing that can be read; export it again"
    assert any("reading ended early" in note for note in results.notes)
    assert not any(str(tmp_path) in told for told in (*results.notes, *results.recordings["path"]))


def test_what_comes_after_a_clock_that_began_anew_is_left_out(tmp_path: Path) -> None:
    """How long it was away nobody knows: the times after it would be wrong."""
    lines = ["time_s,paw_cmh2o,flow_l_s"]
    for start_s in (1000.0, 10.0):
        for chunk in simulate(Scenario(duration_s=200.0, rate_hz=50.0)).chunks(10.0):
            samples = zip(chunk.channels[Channel.PAW], chunk.channels[Channel.FLOW], strict=True)
            times = (start_s + chunk.start_s + n / 50 for n in range(len(chunk)))
            lines += [f"{at:.2f},{paw:.2f},{flow:.4f}" for at, (paw, flow) in zip(times, samples, strict=True)]
    (tmp_path / "reset.csv").write_text("\n".join(lines) + "\n")
    path = tmp_path / "reset.session.toml"
    prone = '[[event]]\nat_s = 1150\nkind = "prone"\n'
    points = (
        "[points]\nbaseline_min = [-2, 0]\nhours = { prone = [0.01, 0.03] }\nhalf_width_min = 0.5\nsettle_min = 0\n"
    )
    path.write_text(f'[[recording]]\npath = "reset.csv"\n{prone}{points}')
    results = measured(path)
    rows = results.numbers[results.numbers["quantity"] == "vt_exp"].set_index("point")
    assert rows.loc["0.6 min prone", "value"] == pytest.approx(500, rel=0.02)
    assert rows.loc["1.8 min prone", "reason"] == "not_recorded"
    assert any("left out, since its time is unknown" in note for note in results.notes)
    assert results.withheld["share"].max() <= 1.0


def test_what_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "junk.bin").write_bytes(b"\x00\x01junk" * 50)
    path = tmp_path / "junk.session.toml"
    path.write_text(f'[[recording]]\npath = "junk.bin"\n{PRONE}')
    with pytest.raises(DecodeError, match=r"junk\.bin: not a recording that is known"):
        measured(path)


def test_processes_change_nothing(folder: Path) -> None:
    path = session(folder, PRONE, "first", "rest")
    one, two = measured(path), measure(read_study(path), jobs=2)
    for name in ("values", "changes", "cohort", "trend", "events", "recordings", "withheld"):
        assert getattr(one, name).equals(getattr(two, name)), name


def test_a_course_keeps_breaths_not_samples(folder: Path) -> None:
    job = jobs_of(read_study(session(folder, PRONE)).sessions[0], 30.0)[0]
    course = collect(job)
    kept = sum(getattr(course, name).nbytes for name in ("start_s", "end_s", "values", "reasons", "methods", "grades"))
    assert kept / course.start_s.size < 400
    assert course.contexts[0].sensor_site == "wye"
