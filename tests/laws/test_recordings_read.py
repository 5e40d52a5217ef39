"""Every recording made by others is read without a hint, and agrees with what its folder's README says of it."""

from __future__ import annotations

import pytest

from streamer.model.chunk import Channel
from tests.tools.recordings_table import files, read

pytestmark = pytest.mark.recordings
FILES = {f"{path.parent.name}/{path.name}": path for path in files()}
NONE = not FILES

READ = {
    # start of the name: format, Hz, seconds, breaths found, mL of an inspiration where the README has it
    "draeger-medibus-testlung/001_": ("poly5", 100, 109.9, 33, 400.0),
    "getinge-servo-u/1769619974162": ("servo_u", 100, 30.0, 17, 402.0),
    "getinge-servo-u/1769620119673": ("servo_u", 100, 30.0, 9, 404.0),
    "getinge-servo-u/1769620717174": ("servo_u", 100, 30.0, 12, 404.0),
    "illinois-rapidvent-bench/low_rate": ("rapidvent", 100, 64.0, 0, None),
    "illinois-rapidvent-bench/lung_dis": ("rapidvent", 133, 44.8, 0, None),
    "pb840-ventmap/0149_2016-02-17-08-38-13_1.": ("pb840", 50, 940.4, 316, 555.0),
    "pb840-ventmap/ards-alone": ("pb840", 50, 20.0, 9, 439.0),
    "pb840-ventmap/jimmy": (
        "pb840",
        50,
        93.4,
        16,
        None,
    ),  # README: 522, all positive flow, also in expiration; ours 493
    "pb840-ventmap/raw_utils_3": ("pb840", 50, 197.5, 62, None),
    "pb840-ventmap/real_time": ("pb840", 50, 193.6, 9, None),
    "pb840-ventmap/speedup": ("pb840", 50, 93.4, 15, None),
    "pb840-ventmap/vent-file": ("pb840", 50, 8.0, 4, None),
    "pb840-ventmode/raw_057e": ("pb840", 50, 3960.8, 1020, None),
    "pb840-ventmode/raw_18e5": ("pb840", 50, 2477.0, 769, None),
    "pb840-ventmode/raw_40b6": ("pb840", 50, 5333.7, 1506, None),
    "pb840-ventmode/raw_70d0": ("pb840", 50, 5134.3, 2631, None),
    "pb840-ventmode/raw_c8ae": ("pb840", 50, 3394.1, 1121, None),
    "pb840-ventmode/raw_dbd6": ("pb840", 50, 3233.8, 1356, None),
    "pb840-ventmode/raw_e9c6": ("pb840", 50, 601.5, 225, None),
    "pirds-ventmon/0Logfile": ("pirds", 15.873, 276.2, 9, None),
    "resmed-edf-airsense/20230822_001118_BRP": ("edf", 25, 1560.0, 206, 1153.0),
    "resmed-edf-airsense/20230822_010636_BRP": ("edf", 25, 4740.0, 1237, 404.0),
    "respiraworks-quicklung/covent_pc_1": ("respiraworks", 100, 31.6, 10, None),
    "respiraworks-quicklung/covent_pc_2": ("respiraworks", 100, 31.6, 6, None),
    "respiraworks-quicklung/covent_pc_3": ("respiraworks", 100, 31.6, 11, None),
    "respiraworks-quicklung/covent_pc_5": ("respiraworks", 100, 31.3, 10, None),
    "respiraworks-quicklung/covent_pc_7": ("respiraworks", 100, 31.6, 10, None),
}
REFUSED = {
    "draeger-medibus-testlung/DrgVent": "a numeric export of VSCapture: trends",
    "draeger-medibus-testlung/Log": "not a recording that is known",
    "getinge-servo-u/breath_trends": "this is a trend export without waveforms",
    "getinge-servo-u/recruitment": "this is a trend export without waveforms",
    "getinge-servo-u/trends": "this is a trend export without waveforms",
    "pb840-ventmap/0149_2016-02-17-08-38-13_1_v5": "not a recording that is known",
    "physio-co2/resp4": "does not say how many samples a second it has or what they are; write a file resp4_CO2.toml",
    "resmed-edf-airsense/20230822_001107_EVE": "this file holds annotations, no waveforms",
    "resmed-edf-airsense/20230822_001119_PLD": "this file holds trends",
    "resmed-edf-airsense/20230822_010636_PLD": "this file holds trends",
    "respiraworks-quicklung/iso": "unknown column 'id'",
}


def known(name: str) -> str:
    return next(start for start in (*READ, *REFUSED) if name.startswith(start))


@pytest.mark.skipif(NONE, reason="no recordings beside the repository")
def test_the_tables_above_are_of_these_files() -> None:
    assert {known(name) for name in FILES} == {*READ, *REFUSED}


@pytest.mark.parametrize("name", FILES or [pytest.param("", marks=pytest.mark.skip(reason="no recordings"))])
def test_a_recording_is_read_as_its_readme_says_or_refused_with_the_reason(name: str) -> None:
    found, notices, middles = read(FILES[name])
    start = known(name)
    if start in REFUSED:
        assert found.samples == 0
        assert REFUSED[start] in str(found.error)
        return
    form, rate_hz, seconds, breaths, vt_ml = READ[start]
    assert found.error is None
    assert (found.format, found.breaths) == (form, breaths)
    assert [*found.rates_hz] == pytest.approx([rate_hz], abs=1e-3)
    assert found.duration_s == pytest.approx(seconds, abs=0.06)
    assert not [notice for notice in notices if notice.kind == "suspicion"]
    if vt_ml is not None:
        assert middles["vt_insp"] == pytest.approx(vt_ml, rel=0.05)


@pytest.mark.skipif(NONE, reason="no recordings beside the repository")
def test_without_flow_there_is_pressure_and_a_word_about_it() -> None:
    (path,) = [path for name, path in FILES.items() if "low_rate" in name]
    found, notices, _ = read(path)
    assert set(found.channels) == {Channel.PAW}
    assert any("flow" in notice.detail for notice in notices)
