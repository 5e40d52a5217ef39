"""Session and cohort files: what is read, and the message for every mistake that is made first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.recordings.canonical import write_recording
from streamer.files.patient_files import read_study
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, VentstreamError
from streamer.study.placing import jobs_of

SESSION = """label = "P1"
[[recording]]
path = "p1.csv"
[context]
sex = "male"
height_cm = 175
[[event]]
at = 2024-03-01T08:40:00Z
kind = "prone"
[[blood_gas]]
at = 2024-03-01T08:14:00Z
pco2_art_mmhg = 46
po2_art_mmhg = 80
fio2 = 0.6
"""
ADD = ""
"""In place of what is to be replaced: what is added at the end."""
TURN = "\n[[event]]\nat = {}\nkind = {!r}\n"

PIECES = (
    "[[event]]\n", "[[recording]]\n", "[points]\n", "sessions = ['session.toml']\n", "at_s = 1e300\n", "at_s = -1e9\n",
    "at = 0001-01-01T00:00:00+14:00\n", "at = 9999-12-31T23:59:59-14:00\n", 'path = "."\n', 'path = ".."\n',
    'path = "/dev/zero"\n', 'format = "session"\n', "rate_hz = 5\n", "hours = { prone = [720] }\n",
    "settle_min = 720\n", "columns = { x = 'flow_l_s' }\n", "start_utc = 0001-01-01T00:00:00Z\n",
    "start_utc = 9999-12-31T23:59:59Z\n",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("study")
    chunk = Chunk(source="s", start_s=0.0, rate_hz=50.0, channels={Channel.FLOW: np.zeros(100)})
    for name, start in (("p1", "2024-03-01T08:00:00Z"), ("p2", "2024-03-01T09:00:00Z"), ("undated", None)):
        write_recording(found / f"{name}.csv", [chunk], Sidecar(recording=RecordingInfo(rate_hz=50.0)))
        if start:
            (found / f"{name}.csv.toml").write_text(f"[recording]\nrate_hz = 50\nstart_utc = {start}\n")
    return found


def refused(path: Path) -> str:
    def read() -> None:
        for session in read_study(path).sessions:
            jobs_of(session, 600.0)

    with pytest.raises(ConfigError) as caught:
        read()
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("was", "becomes", "line", "said"),
    [
        ("height_cm", "hieght_cm", 6, "unknown key 'hieght_cm' in [context]; did you mean 'height_cm'?"),
        ("[[event]]", "[[events]]", 7, "unknown key 'events'; did you mean 'event'?"),
        ("[[event]]", "[event]", 7, "expected an array, not a table: write [[event]], one for each"),
        ("[[recording]]", "[recording]", 2, 'names its recordings: [[recording]] with path = "…"'),
        ('"prone"', '"pron"', 9, "did you mean 'prone'?"),
        ("08:40:00Z", "08:40:00", 8, "expected a date-time with an offset, such as 2020-06-01T08:00:00Z"),
        ("2024-03-01T08:40:00Z", '"08:40"', 8, "expected a date-time with an offset"),
        ("T08:40:00Z", "", 8, "expected a date-time with an offset"),
        ("at = 2024-03-01T08:40:00Z\n", "", 7, "has no time: give at_s = seconds"),
        ("at = 2024-03-01T08:40:00Z", "at_s = 3\nat = 2024-03-01T08:40:00Z", 7, "has two times: give at or at_s"),
        (ADD, TURN.format("2024-03-01T08:45:00Z", "supine"), 16, "5 min after [[event]] 1 (prone): they overlap"),
        (ADD, TURN.format("2024-03-01T08:35:00Z", "supine"), 7, "5 min after [[event]] 2 (supine): they overlap"),
        (ADD, TURN.format("2024-03-01T08:40:00Z", "supine"), 16, "0 min after [[event]] 1 (prone): they overlap"),
        (ADD, TURN.format("2024-03-01T09:40:00Z", "prone"), 16, "already since [[event]] 1 (prone): is it 'supine'"),
        (ADD, "\n[[blood_gas]]\nat = 2024-03-01T08:14:00Z\nph = 7.3", 16, "at the same time as [[blood_gas]] 1"),
        ("p1.csv", "p1.cvs", 3, "there is no such file in"),
        ("p1.csv", "p1.cvs", 3, "did you mean 'p1.csv'?"),
        ("p1.csv", "data/p1.csv", 3, "paths start at the folder of this file"),
        ('path = "p1.csv"', 'path = "p1.csv"\nformat = "edff"', 2, "unknown format 'edff'"),
        ('path = "p1.csv"', 'path = "p1.csv"\nrate_hz = 5000', 4, "expected a number <= 2000"),
        (
            "po2_art_mmhg = 80",
            "po2_art_mmhg = 10.7",
            13,
            "is it in kPa? (1 kPa is 7.50062 mmHg, 10.7 kPa are 80.3 mmHg)",
        ),
        ("pco2_art_mmhg = 46", "pco2_art_mmhg = 6.1", 12, "6.1 kPa are 45.8 mmHg"),
        ("pco2_art_mmhg = 46", "pco2_art_mmhg = 4.9", 12, "expected a number >= 5 (mmHg; 1 kPa is 7.5)"),
        ("po2_art_mmhg", "po2_art_kpa", 13, "did you mean 'po2_art_mmhg'?"),
        ("fio2 = 0.6", "fio2 = 60", 14, "expected a number <= 1 (a fraction; 60 % is 0.6)"),
        ("height_cm = 175", "height_cm = 1.75", 6, "expected a number >= 20 (cm; 1.62 m is 162)"),
        ('"prone"', '"note"', 7, "there is no event of kind 'prone', which ends the baseline"),
        ("p1.csv", "undated.csv", 8, "no recording has a start time in UTC: give it start_utc"),
        (
            '"p1.csv"',
            '"p1.csv"\n[[recording]]\npath = "undated.csv"',
            4,
            "has no start time, but other recordings have one",
        ),
        ('label = "P1"', 'label = "P1', 1, "not TOML"),
        (ADD, "\n[points]\noffsets_h = [8]", 17, "unknown key 'offsets_h' in [points]"),
        (ADD, "\n[points]\nbaseline_min = [-5, -30]", 17, "the window ends before it begins"),
        (ADD, "\n[points]\nbaseline_min = [5, 30]", 17, "the baseline lies before the event"),
        (ADD, "\n[points]\nhours = { pron = [8] }", 17, "did you mean 'prone'?"),
        (ADD, "\n[points]\nhours = { prone = [8, 1] }", 17, "write each hour once, in order"),
        (ADD, "\n[points]\nhours = { prone = [] }", 17, "expected at least one time point"),
        (ADD, "\n[points]\nmin_coverage = 50", 17, "expected a number <= 1 (a share; 50 % is 0.5)"),
    ],
)
def test_the_mistakes_made_first_name_line_and_remedy(
    folder: Path, was: str, becomes: str, line: int, said: str
) -> None:
    text = SESSION.replace(was, becomes, 1) if was else SESSION + becomes
    assert text != SESSION
    path = folder / "session.toml"
    path.write_text(text)
    told = refused(path)
    assert said in told
    assert told.startswith(f"session.toml:{line}: "), told
    assert "\n" not in told


def test_device_seconds_are_of_one_recording(folder: Path) -> None:
    path = folder / "session.toml"
    path.write_text(SESSION.replace("at = 2024-03-01T08:40:00Z", "at_s = 2400"))
    assert len(jobs_of(read_study(path).sessions[0], 600.0)) == 1
    two = SESSION.replace('"p1.csv"', '"p1.csv"\n[[recording]]\npath = "p2.csv"')
    path.write_text(two.replace("at = 2024-03-01T08:40:00Z", "at_s = 2400"))
    assert "each recording has a clock of its own" in refused(path)
    assert refused(path).startswith("session.toml:10: [[event]] at_s = 2400: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('sessions = ["good.toml", "god.toml"]', "cohort.toml:1: sessions[1] = 'god.toml': there is no such file"),
        ('sessions = ["good.toml", "god.toml"]', "did you mean 'good.toml'?"),
        (
            'sessions = ["good.toml", "good.toml"]',
            "good.toml:1: label = 'P1': another patient of cohort.toml has this label",
        ),
        ('titel = "x"\nsessions = ["good.toml"]', "cohort.toml:1: unknown key 'titel'; did you mean 'title'?"),
        ('sessions = ["cohort.toml"]', "is a cohort file itself; name the patient files"),
        ("sessions = []", "cohort.toml:1: sessions: expected an array of length >= 1"),
        ('sessions = ["typo.toml"]', "typo.toml:6: unknown key 'hieght_cm'"),
        ("[context]\nheight_cm = 170", "a patient file names its recordings"),
    ],
)
def test_mistakes_in_a_cohort_file(folder: Path, text: str, said: str) -> None:
    (folder / "good.toml").write_text(SESSION)
    (folder / "typo.toml").write_text(SESSION.replace("height_cm", "hieght_cm"))
    (folder / "cohort.toml").write_text(text)
    assert said in refused(folder / "cohort.toml")


def test_a_cohort_says_which_points_hold_for_all(folder: Path) -> None:
    (folder / "good.toml").write_text(SESSION + "\n[points]\nhours = { prone = [2] }\n")
    assert read_study(folder / "good.toml").points.hours == {"prone": (2.0,)}
    (folder / "cohort.toml").write_text('title = "T"\nsessions = ["good.toml"]\n[points]\nhours = { prone = [3] }\n')
    study = read_study(folder / "cohort.toml")
    assert (study.title, study.points.hours) == ("T", {"prone": (3.0,)})
    assert study.files == (folder / "cohort.toml", folder / "good.toml")
    assert study.sessions[0].recordings[0].path == folder / "p1.csv"


def test_a_recording_by_itself_is_a_study(folder: Path) -> None:
    study = read_study(folder / "p1.csv")
    assert (study.sessions[0].label, study.sessions[0].recordings[0].path) == ("p1", folder / "p1.csv")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SESSION)), st.integers(0, 30), st.text(max_size=20) | st.sampled_from(PIECES))
def test_no_session_file_does_worse_than_be_refused(folder: Path, at: int, without: int, put: str) -> None:
    """In one line, whatever somebody's editor did to it."""
    path = folder / "mutated.session.toml"
    path.write_text(SESSION[:at] + put + SESSION[at + without :], encoding="utf-8")
    said = ""
    try:
        for session in read_study(path).sessions:
            jobs_of(session, 600.0)
    except VentstreamError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 2000
