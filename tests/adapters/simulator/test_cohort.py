"""Cohorts: how patients overlay what they share, what is refused and where, the files, and the bundled one's facts."""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
import pytest

from adapters.decoding.contract import ReadOptions
from adapters.formats import parquet_table
from adapters.simulator import simulate
from adapters.simulator.cohort import Cohort, Patient, find_cohort
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Scenario
from adapters.simulator.scenario_file import load_scenario
from adapters.simulator.truth import BreathTruth, Truth
from streamer.analysis.parallel import spread
from streamer.cli import main
from streamer.files.sidecar_files import cohort_toml, session_toml
from streamer.model.context import Context, PointSettings, Sidecar
from streamer.model.errors import ConfigError, DataError

BASE = 'title = "Two"\n[recording]\nstart_utc = 2024-03-01T08:00:00Z\n'
SMALL = """\
title = "Two, \\"synthetic\\""
duration_s = 20
start_s = 100
gap = [{ at_s = 3, duration_s = 1 }, { at_s = 8, duration_s = 1 }]
event = [{ at_s = 102.5, kind = "prone" }, { at = 2024-03-01T09:00:00+01:00, kind = "note", text = "said" }]
[recording]
start_utc = 2024-03-01T08:00:00Z
[context]
passive = "asserted"
[lung]
compliance_ml_cmh2o = 40
resistance_cmh2o_s_l = 12
[capnogram]
[[change]]
at_s = 5
lung.compliance_ml_cmh2o = 50
[[patient]]
label = "A-1"
seed = 1
[[patient]]
label = "b_2"
seed = 2
context = { sex = "female", height_cm = 160 }
lung = { compliance_ml_cmh2o = 30 }
gap = [{ at_s = 10, duration_s = 2 }]
blood_gas = [{ at_s = 110, pco2_art_mmhg = 44 }]
[[patient.change]]
at_s = 9
[patient.change.lung]
resistance_cmh2o_s_l = 20
"""


def read(tmp_path: Path, text: str) -> Cohort:
    path = tmp_path / "some.toml"
    path.write_text(text, encoding="utf-8")
    found = find_cohort(path)
    assert found is not None
    return found


def test_tables_overlay_and_lists_replace(tmp_path: Path) -> None:
    cohort = read(tmp_path, SMALL)
    plain, other = (patient.scenario for patient in cohort.patients)
    assert [patient.name for patient in cohort.patients] == ["a-1", "b_2"]
    assert (plain.seed, other.seed, plain.duration_s, other.duration_s) == (1, 2, 20, 20)
    assert [gap.at_s for gap in plain.gap] == [3, 8]
    assert [gap.at_s for gap in other.gap] == [10]
    assert plain.context == Context(passive="asserted")
    assert other.context == Context(passive="asserted", sex="female", height_cm=160)
    lungs = [[segment.lung for segment in one.segments] for one in (plain, other)]
    assert [[lung.compliance_ml_cmh2o for lung in one] for one in lungs] == [[40, 50], [30, 30]]
    assert [[lung.resistance_cmh2o_s_l for lung in one] for one in lungs] == [[12, 12], [12, 20]]


def test_a_scenario_of_one_patient_is_no_cohort() -> None:
    assert find_cohort("pcv") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BASE + '[[patient]]\nlabel = "P1"\nsede = 3\n', ":6: unknown key 'sede' in [[patient]]; did you mean 'seed'?"),
        (BASE + '[lung]\nstiff = 3\n[[patient]]\nlabel = "P1"\n', ":5: unknown key 'stiff' in [lung]"),
        (BASE + '[[patient]]\nlabel = "P1"\nlung.complianse_ml_cmh2o = 3\n', ":6: unknown key 'complianse_ml_cmh2o'"),
        (BASE + '[[patient]]\nlabel = "P1"\nlung.compliance_ml_cmh2o = -3\n', ":6: [[patient]] lung.compliance_ml_"),
        (BASE + "[[patient]]\nseed = 3\n", ":4: [[patient]]: missing key 'label'"),
        (BASE.replace('title = "Two"', "") + '[[patient]]\nlabel = "P1"\n', "missing key 'title'"),
        ("patient = []\n" + BASE, "expected an array of length >= 1"),
        (BASE + "[patient]\nlabel = 'P1'\n", ":4: [patient]: expected an array"),
        (BASE + '[[patient]]\nlabel = "../p"\n', ":5: [[patient]] label = '../p': expected"),
        (BASE + '[[patient]]\nlabel = "P1"\n[[patient]]\nlabel = "p1"\n', ":7: [[patient]] label = 'p1': another"),
        (BASE + '[[patient]]\nlabel = "Cohort"\n', ":5: [[patient]] label = 'Cohort': its session would be"),
        # A contradiction stands where its key does: with the patient, with what is shared, or at the nearest table.
        (BASE + '[ventilator]\nrate_per_min = 30\n[[patient]]\nlabel = "P1"\nventilator.tidal_volume_ml = 1500\n',
         ":5: [ventilator] rate_per_min = 30: P1: inspiration takes 3.00 s"),
        (BASE + '[ventilator]\nflow_l_min = 15\n[[patient]]\nlabel = "P1"\nventilator.rate_per_min = 40\n',
         ":8: [[patient]] ventilator.rate_per_min = 40: P1: inspiration takes 2.00 s"),
        (BASE + '[[patient]]\nlabel = "P1"\n[patient.gas_exchange]\n', ":6: [[patient]] gas_exchange: P1: nothing"),
        (BASE + '[gas_exchange]\n[[patient]]\nlabel = "P1"\ncapnogram = {}\n[[patient]]\nlabel = "P2"\n',
         ":4: [gas_exchange]: P2: nothing shows it"),
        (BASE + '[[gap]]\nat_s = 1\nduration_s = 1\n[[patient]]\nlabel = "P1"\n'
         "gap = [{ at_s = 3, duration_s = 4 }, { at_s = 5, duration_s = 1 }]\n",
         ":9: [[patient]] gap[1].at_s = 5: P1: begins before"),
        (BASE + '[[patient]]\nlabel = "P1"\n[[patient.change]]\nat_s = 3\nventilator.rise_s = 2\n'
         '[[patient.change]]\nat_s = 4\nventilator.mode = "pcv"\n', ":11: [[patient]] change[1].ventilator.rise_s: P1"),
        (BASE + '[[change]]\nat_s = 3\nventilator.mode = "pcv"\n[[patient]]\nlabel = "P1"\nventilator.rise_s = 2\n',
         ":6: [[change]] ventilator.rise_s: P1: the rise is longer"),
        ('title = "T"\n[[patient]]\nlabel = "P1"\n', ":2: [[patient]] recording.start_utc: P1: a session tells"),
        (BASE + '[capnogram]\n[capnograph]\nrate_hz = 20\n[[patient]]\nlabel = "P1"\n', ":6: [capnograph] rate_hz"),
        (BASE + '[[event]]\nkind = "prone"\n[[patient]]\nlabel = "P1"\n', ":4: [[event]]: has no time"),
        (BASE + '[[patient]]\nlabel = "P1"\n[[patient.blood_gas]]\nat_s = 3\n', ":6: [[patient]] blood_gas[0]: has"),
    ],
)  # fmt: skip
def test_faults_are_told_where_they_stand(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cohort_is_no_source_of_one_bed() -> None:
    with pytest.raises(ConfigError, match=r"prone_cohort\.toml: is a cohort, here one patient is asked for"):
        load_scenario("prone_cohort")


def test_a_session_says_all_and_its_recording_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    path, out = tmp_path / "some.toml", tmp_path / "new" / "out"
    path.write_text(SMALL, encoding="utf-8")
    assert main(["simulate", str(path), "-o", str(out), "--truth", str(tmp_path / "truth")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}/a-1.parquet: 1800 samples", f"{out}/b_2.parquet: 1800 samples", f"{out}/cohort.toml: 2 sessions",
    ]  # fmt: skip
    assert sorted(found.name for found in out.iterdir()) == [
        "a-1.parquet", "a-1.toml", "b_2.parquet", "b_2.toml", "cohort.toml",
    ]  # fmt: skip
    index = tomllib.loads((out / "cohort.toml").read_text(encoding="utf-8"))
    assert index == {"title": 'Two, "synthetic"', "sessions": ["a-1.toml", "b_2.toml"]}
    told = tomllib.loads((out / "b_2.toml").read_text(encoding="utf-8"))
    start = datetime(2024, 3, 1, 8, tzinfo=UTC)
    assert told == {
        "label": "b_2",
        "recording": [{"path": "b_2.parquet"}],
        "context": {"passive": "asserted", "sex": "female", "height_cm": 160},
        "event": [
            {"kind": "prone", "at": start + timedelta(seconds=2.5)},
            {"kind": "note", "at": start, "text": "said"},
        ],
        "blood_gas": [{"at": start + timedelta(seconds=10), "pco2_art_mmhg": 44}],
    }
    inside = parquet_table.notes(out / "b_2.parquet", ReadOptions())
    assert (inside.recording.source, inside.recording.start_utc) == ("simulated", start)
    assert inside == Sidecar(recording=inside.recording)
    truth = msgspec.json.decode((tmp_path / "truth" / "b_2.truth.json").read_bytes(), type=Truth)
    assert [segment.crs for segment in truth.segments] == [30, 30]


def test_the_same_bytes_on_one_processor_and_on_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.toml"
    path.write_text(SMALL, encoding="utf-8")
    made = []
    for processors in (1, 2):
        monkeypatch.setattr(os, "cpu_count", lambda processors=processors: processors)
        out = tmp_path / f"on{processors}"
        assert main(["simulate", str(path), "-o", str(out), "--truth", str(out)]) == 0
        made.append({found.name: found.read_bytes() for found in out.iterdir()})
    assert capsys.readouterr().err == ""
    assert len(made[0]) == 7
    assert made[0] == made[1]


def test_a_worker_that_is_killed_is_told() -> None:
    with pytest.raises(DataError, match="the system ended a worker process, perhaps because memory ran out; so"):
        list(spread(os._exit, 2, [1, 1], remedy="; so"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("", encoding="utf-8")
    (tmp_path / "there.d").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (
            ["prone_cohort", "-o", "o.parquet"],
            2,
            "o.parquet: prone_cohort is a cohort, several recordings: name a folder",
        ),
        (["prone_cohort", "-o", "O.CSV"], 2, "O.CSV: prone_cohort is a cohort"),
        (["prone_cohort", "-o", "taken"], 2, "taken: prone_cohort is a cohort"),
        (["prone_cohort", "-o", "o", "--truth", "t.json"], 2, "t.json: prone_cohort is a cohort"),
        (["prone_cohort", "-o", "taken/o"], 1, "taken/o: cannot be made: Not a directory"),
        (["pcv", "-o", "folder/"], 2, "folder: pcv is one patient: name a file, .parquet or .csv"),
        (["pcv", "-o", "there.d"], 2, "there.d: pcv is one patient"),
        (["prone_cohrt", "-o", "o"], 2, "prone_cohrt: no scenario of this name; bundled: "),
    ],
)
def test_where_it_may_be_written(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, told: str
) -> None:
    assert main(["simulate", *arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(told)
    assert captured.err.count("\n") == 1
    assert sorted(found.name for found in here.iterdir() if found.name != "o") == ["taken", "there.d"]


def test_what_is_not_known_is_not_written() -> None:
    assert session_toml("P1", ["a.parquet", "b.parquet"], Sidecar()) == (
        'label = "P1"\n\n[[recording]]\npath = "a.parquet"\n\n[[recording]]\npath = "b.parquet"\n'
    )
    assert cohort_toml("T", [], PointSettings()) == 'title = "T"\nsessions = []\n'
    stated = cohort_toml("T", ["a.toml"], PointSettings(baseline_min=(-2.0, -1.0), hours={"prone": (0.5,)}))
    assert stated.endswith('\n\n[points]\nbaseline_min = [-2.0, -1.0]\nhours = { "prone" = [0.5] }\n')


# The bundled cohort. Minutes from the turn.

TURN_S = 2400
LABELS = ["P1", "P2", "P3", "P4"]
WINDOWS = {"baseline": (-30, -5), "1 h": (45, 75), "4 h": (225, 255), "8 h": (465, 495)}
DRAWS = {"baseline": -26, "1 h": 54, "4 h": 234, "8 h": 474}


def minute(at_s: float) -> float:
    return (at_s - TURN_S) / 60


@cache
def bundled() -> Cohort:
    found = find_cohort("prone_cohort")
    assert found is not None
    return found


def patient(label: str) -> Patient:
    return next(one for one in bundled().patients if one.label == label)


def segment(label: str, window: str) -> Segment:
    """What holds in a window, throughout."""
    first, last = WINDOWS[window]
    segments = patient(label).scenario.segments
    assert not any(first <= minute(one.at_s) <= last for one in segments[1:])
    return [one for one in segments if minute(one.at_s) < first][-1]


@cache
def steady(label: str, window: str) -> BreathTruth:
    """A breath of that segment: the patient does not change in it, so a few seconds tell of hours."""
    return simulate(Scenario(duration_s=8, segments=(segment(label, window),))).truth.breaths[0]


def ratio(label: str, window: str, fraction: str) -> float:
    co2 = steady(label, window).co2
    assert co2 is not None
    return float(getattr(co2, fraction))


def power(label: str, window: str) -> float:
    breath = steady(label, window)
    return breath.energy * 60 / (breath.end_s - breath.start_s)


def test_four_patients_who_do_not_breathe_are_turned_once() -> None:
    assert [one.label for one in bundled().patients] == LABELS
    scenarios = [one.scenario for one in bundled().patients]
    assert len({one.seed for one in scenarios}) == 4
    for one in scenarios:
        assert (one.duration_s, one.rate_hz, one.context.passive) == (32_400, 100, "asserted")
        assert (one.context.co2_kind, one.context.flow_conditions, one.context.sensor_site) == (
            "mainstream",
            "BTPS",
            "wye",
        )
        assert [minute(event.at_s or 0) for event in one.event if event.kind == "prone"] == [0]
        assert one.effort == ()
    assert sorted(one.context.mode or "" for one in scenarios) == ["pcv", "vcv", "vcv", "vcv"]
    assert [one.context.mode for one in scenarios] == [one.segments[0].ventilator.mode for one in scenarios]


def test_dead_space_is_that_of_the_series() -> None:
    for window in ("baseline", "8 h"):
        for label in LABELS:
            assert ratio(label, window, "vd_vt_bohr") < ratio(label, window, "vd_vt_enghoff")
    first = {label: ratio(label, "baseline", "vd_vt_bohr") for label in LABELS}
    enghoff = {label: ratio(label, "baseline", "vd_vt_enghoff") for label in LABELS}
    assert 0.27 <= min(first.values()) < 0.28
    assert 0.59 < max(enghoff.values()) <= 0.60
    assert all(first[label] - ratio(label, "8 h", "vd_vt_bohr") >= 0.06 for label in LABELS)
    assert all(enghoff[label] - ratio(label, "8 h", "vd_vt_enghoff") >= 0.08 for label in LABELS)


def test_power_hardly_changes_and_compliance_has_no_pattern() -> None:
    for window in WINDOWS:
        assert all(abs(power(label, window) / power(label, "baseline") - 1) < 0.03 for label in LABELS)
        for label in LABELS:
            vco2 = (steady(label, window).co2.vtco2 or 0) * segment(label, window).ventilator.rate_per_min
            assert 150 < vco2 < 250
            assert abs(steady(label, window).vt_exp / steady(label, "baseline").vt_exp - 1) < 0.01
    change = {
        label: segment(label, "8 h").lung.compliance_ml_cmh2o / segment(label, "baseline").lung.compliance_ml_cmh2o - 1
        for label in LABELS
    }
    assert sorted((change > 0.05) - (change < -0.05) for change in change.values()) == [-1, 0, 0, 1]
    trapped = [label for label in LABELS if steady(label, "baseline").peep_total - steady(label, "baseline").peep > 0.5]
    assert trapped == ["P4"]


@pytest.mark.parametrize("label", LABELS)
def test_gases_are_drawn_from_the_blood_of_their_time(label: str) -> None:
    scenario = patient(label).scenario
    assert [minute(gas.at_s or 0) for gas in scenario.blood_gas] == list(DRAWS.values())
    for window, gas in zip(DRAWS, scenario.blood_gas, strict=True):
        exchange = segment(label, window).gas_exchange
        assert exchange is not None
        assert gas.pco2_art_mmhg == exchange.arterial_mmhg
        assert gas.po2_art_mmhg is not None
        assert gas.fio2 is not None
        assert window != "baseline" or gas.po2_art_mmhg / gas.fio2 < 150
    busy = [
        *(one.at_s for one in (*scenario.hold, *scenario.suction, *scenario.disconnect, *scenario.gap)),
        *(one.at_s for one in scenario.segments[1:]),
    ]
    for draw in DRAWS.values():
        assert not any(draw - 10 <= minute(at_s) < draw + 5 for at_s in busy)
        changes = [minute(one.at_s or 0) for one in scenario.event if one.kind == "settings"]
        assert not any(0 < draw - at < 15 for at in changes)


@pytest.mark.parametrize("label", LABELS)
def test_an_expiratory_hold_comes_in_the_breath_before_an_inspiratory_one(label: str) -> None:
    truth = simulate(msgspec.structs.replace(patient(label).scenario, duration_s=1300.0)).truth
    held = [n for n, breath in enumerate(truth.breaths) if breath.insp_hold_s or breath.exp_hold_s]
    assert [(hold.kind, round(minute(hold.start_s))) for hold in truth.holds] == [
        ("expiratory", -20), ("inspiratory", -20), ("expiratory", -19), ("inspiratory", -19),
    ]  # fmt: skip
    assert (held[1] - held[0], held[3] - held[2]) == (1, 1)
    times = [minute(hold.at_s) for hold in patient(label).scenario.hold]
    assert {round(at) for at in times} == {at + n for at in (-20, *range(60, 481, 60)) for n in (0, 1)}


def test_what_disturbs() -> None:
    assert all([minute(one.at_s) for one in patient(label).scenario.suction] == [140, 248] for label in LABELS)
    assert all(0 < minute(patient(label).scenario.disconnect[0].at_s) < 1 for label in LABELS)
    gaps = {label: [(minute(one.at_s), one.duration_s) for one in patient(label).scenario.gap] for label in LABELS}
    assert gaps == {"P1": [], "P2": [(305, 300)], "P3": [(488, 30)], "P4": []}
