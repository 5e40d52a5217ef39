from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamer.files.patient_files import read_study
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError
from streamer.model.zones import dated, plausible, zone_of
from streamer.study.placing import jobs_of
from streamer.wire.timebase import RecordedTime
from tests.support.builders.edf_files import FLOW, PRESS, flow, header, press

NOON = datetime(2024, 3, 1, 12)  # noqa: DTZ001 (a device's own clock)


def at(start: datetime, zone: str) -> RecordingInfo:
    return dated(Sidecar(recording=RecordingInfo(start_local=start, zone=zone))).recording


@pytest.mark.parametrize(
    ("zone", "hour"), [("+02:00", 10), ("-0330", 15.5), ("Europe/Berlin", 11), ("UTC", 12), ("Z", 12), ("utc", 12)]
)
def test_a_zone_makes_utc_of_a_local_start(zone: str, hour: float) -> None:
    assert at(NOON, zone).start_utc == datetime(2024, 3, 1, tzinfo=UTC) + timedelta(hours=hour)
    assert at(NOON, zone).doubts == ()


@pytest.mark.parametrize("zone", ["Berlin/Europe", "+25:00", "CEST?", "../x", "2", "\0", "+99:99"])
def test_a_zone_that_is_none_is_the_users_to_mend(zone: str) -> None:
    with pytest.raises(ConfigError, match=r"is no time zone that is known here; give an offset as \+02:00"):
        zone_of(zone)


@pytest.mark.parametrize("start", [datetime(2024, 10, 27, 2, 30), datetime(2024, 3, 31, 2, 30)])  # noqa: DTZ001
def test_an_hour_that_is_there_twice_or_never_is_told(start: datetime) -> None:
    assert "clocks are changed" in at(start, "Europe/Berlin").doubts[0]


def test_what_is_stated_in_utc_stands() -> None:
    stated = RecordingInfo(start_local=NOON, zone="+02:00", start_utc=datetime(2020, 1, 1, tzinfo=UTC))
    assert dated(Sidecar(recording=stated)).recording == stated
    assert plausible(datetime(1970, 1, 1)) is plausible(None) is None  # noqa: DTZ001


def test_rows_tell_the_devices_own_time() -> None:
    clock = RecordedTime(None, NOON)
    assert clock.local(5.0) is None
    clock.arrived(3.0, 3.0, 0)
    assert (clock.local(4.25), clock.local(1e15), clock.utc_ns(4.0)) == ("2024-03-01T12:00:01.250", None, None)


def session(tmp_path: Path, *lines: str) -> Path:
    for k, start in enumerate(("01.03.2412.00.00", "01.03.2413.00.00")):
        raw = header(FLOW, PRESS, start=start, records=2) + (flow(0) + press(0)) * 2
        (tmp_path / f"{k}.edf").write_bytes(raw)
    path = tmp_path / "s.toml"
    recordings = [f'[[recording]]\npath = "{k}.edf"' for k in range(2)]
    event = '[[event]]\nkind = "prone"\nat = 2024-03-01T11:30:00Z'
    path.write_text("\n".join([*lines, *recordings, event]), "utf-8")
    return path


def test_a_session_file_adds_the_zone_once_for_all(tmp_path: Path) -> None:
    study = read_study(session(tmp_path, 'zone = "+01:00"'))
    assert len(jobs_of(study.sessions[0], 600.0)) == 2
    with pytest.raises(
        ConfigError, match=r'its start time has no zone: set zone = "Europe/Berlin" or "\+02:00" at the'
    ):
        jobs_of(read_study(session(tmp_path)).sessions[0], 600.0)
