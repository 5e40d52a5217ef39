from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import MAX_LINE
from adapters.formats import FORMATS, parquet_table, pb840, pirds, rapidvent, respiraworks, servo_u, vscapture
from adapters.formats import text_table as csv_table
from adapters.formats import vscapture_wave as _vscapture
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import DecodeError
from streamer.model.records import NoticeKind
from streamer.model.units import CMH2O_PER_MBAR, MMHG_PER_KPA
from tests.support.adapter_contract import Stream, recordings, stream
from tests.support.builders.vscapture_files import Value, batches, flow, packets, paw

FLOW, PAW, CO2 = "NOM_FLOW_AWAY", "NOM_PRESS_AWAY", "NOM_AWAY_CO2"
DRAEGER_FLOW, DRAEGER_PAW = "Flow_inspiratory_expiratory", "Airway_pressure"
BOM = b"\xef\xbb\xbf"


def save(folder: Path, name: str, rows: list[str], rest: str = "WaveExport.csv", end: str = "\r\n") -> Path:
    path = folder / f"{name}{rest}"
    path.write_bytes(BOM + "".join(row + end for row in rows).encode())
    return path


def philips(folder: Path, n: int = 6) -> Path:
    save(folder, PAW, packets(n, paw))
    save(folder, CO2, packets(n, lambda k: f"{k % 40}"))
    return save(folder, FLOW, packets(n, flow))


def read(path: Path, columns: dict[str, str] | None = None, rate_hz: float | None = None) -> Stream:
    return stream(vscapture.read(path, ReadOptions(rate_hz=rate_hz, columns=columns or {})))


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def form(found: Stream) -> list[tuple[float, float, int]]:
    return [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches]


def missing(found: Stream, channel: Channel) -> list[int]:
    return np.flatnonzero(np.isnan(found.samples(channel))).tolist()


def test_files_of_a_session_are_one_recording_whichever_is_named(tmp_path: Path) -> None:
    found = read(philips(tmp_path))
    assert form(found) == [(0.0, 62.5, 96)]
    assert list(found.stretches[0].joined()) == [Channel.FLOW, Channel.PAW, Channel.PCO2]
    assert found.samples(Channel.FLOW)[:3].tolist() == [-0.5, -0.4, -0.3]
    assert found.samples(Channel.PAW)[:3].tolist() == [5.0, 5.125, 5.25]
    assert found.samples(Channel.PCO2)[:3].tolist() == [0.0, 1.0, 2.0]
    taken = "NOM_FLOW_AWAY is taken as flow_l_min, NOM_PRESS_AWAY is taken as paw_cmh2o, NOM_AWAY_CO2 is taken as"
    assert details(found) == [f"the files name no units: {taken} pco2_mmhg"]
    for name in (PAW, CO2):
        assert read(tmp_path / f"{name}WaveExport.csv").form() == found.form()


def test_draeger_is_in_mbar_and_batches_may_come_early_or_late(tmp_path: Path) -> None:
    save(tmp_path, DRAEGER_FLOW, batches(300, flow), "DrgWaveExport.csv")
    path = save(tmp_path, DRAEGER_PAW, batches(300, paw), "DrgWaveExport.csv")
    found = read(path)
    assert form(found) == [(0.0, 50.0, 3000)]
    assert found.samples(Channel.PAW)[:2].tolist() == [5 * CMH2O_PER_MBAR, 5.125 * CMH2O_PER_MBAR]
    assert found.samples(Channel.FLOW)[:2].tolist() == [-0.5, -0.4]
    assert not missing(found, Channel.PAW)
    assert "only jumps over 1 s are seen as gaps" in details(found)[2]
    assert {notice.kind for _, notice in found.notices} == {NoticeKind.NOTE}


def test_a_prefix_belongs_to_the_session_and_other_sessions_are_not_read(tmp_path: Path) -> None:
    save(tmp_path, f"x01_Philips_{FLOW}", packets(4, flow))
    save(tmp_path, f"x02_Philips_{PAW}", packets(4, paw))
    save(tmp_path, PAW, packets(4, paw))
    found = read(tmp_path / f"x01_Philips_{FLOW}WaveExport.csv")
    assert list(found.stretches[0].joined()) == [Channel.FLOW]
    assert details(found)[1] == "there is no file of paw and of pco2 beside it"


def test_the_computers_time_decimal_commas_and_semicolons(tmp_path: Path) -> None:
    rows = [row.replace(",18", ",18", 1).split(",") for row in packets(4, lambda k: f"{k}.25")]
    mine = [f"{time},{ticks},23-09-2020 15:55:03.731,{value}," for time, ticks, value, _ in rows]
    for lines in (
        mine,
        [line.replace(".25,", ",25,") for line in mine],
        [line.replace(",", ";").replace(".25;", ",25;") for line in mine],
    ):
        found = read(save(tmp_path, CO2, lines))
        assert found.samples(Channel.PCO2).tolist() == [k + 0.25 for k in range(64)]


def test_the_sidecar_says_units_and_what_a_file_with_another_name_is(tmp_path: Path) -> None:
    path = philips(tmp_path)
    found = read(path, {CO2: "pco2_kpa", FLOW: "flow_l_s"} | {"time": "time_s"})
    assert found.samples(Channel.PCO2)[1] == MMHG_PER_KPA
    assert found.samples(Channel.FLOW)[0] == -30.0
    other = path.rename(tmp_path / "bed 4.csv")
    assert "keep the name that VSCapture gave it" in (read(other).error or "")
    found = read(other, {"value": "flow_l_min"})
    assert (list(found.stretches[0].joined()), found.n) == ([Channel.FLOW], 96)


def test_a_lost_packet_is_a_gap_or_missing_in_the_file_that_lacks_it(tmp_path: Path) -> None:
    path = philips(tmp_path)
    rows = packets(6, paw)
    save(tmp_path, PAW, rows[:32] + rows[48:])
    found = read(path)
    assert (form(found), missing(found, Channel.PAW)) == ([(0.0, 62.5, 96)], list(range(32, 48)))
    assert found.samples(Channel.PAW)[48:50].tolist() == [11.0, 11.125]
    rows = packets(6, flow)
    save(tmp_path, FLOW, rows[:32] + rows[48:])
    found = read(path)
    assert form(found) == [(0.0, 62.5, 32), (0.768, 62.5, 48)]
    assert details(found)[-1] == f"{CO2}: 16 rows without one of {FLOW} at their time are left out, 80 were joined"


def test_a_file_that_begins_later_and_ends_sooner(tmp_path: Path) -> None:
    path = philips(tmp_path, 8)
    save(tmp_path, CO2, packets(8, lambda k: f"{k % 40}")[32:80])
    found = read(path)
    assert missing(found, Channel.PCO2) == [*range(32), *range(80, 128)]
    assert found.samples(Channel.PCO2)[32] == 32.0


def test_the_counter_rolls_over(tmp_path: Path) -> None:
    first = 2**32 - 3 * 2048
    save(tmp_path, PAW, packets(8, paw, first))
    found = read(save(tmp_path, FLOW, packets(8, flow, first)))
    assert (form(found), missing(found, Channel.PAW)) == ([(0.0, 62.5, 128)], [])


@pytest.mark.parametrize("lost", [0, 1, 16])
def test_a_clock_that_begins_anew_is_a_pause_in_all_files_and_told(tmp_path: Path, lost: int) -> None:
    def again(value: Value) -> list[str]:
        return packets(4, value, first=4096, start=128)

    save(tmp_path, PAW, packets(8, paw)[: 128 - lost] + again(paw))
    found = read(save(tmp_path, FLOW, packets(8, flow) + again(flow)))
    assert [(start_s, n) for start_s, _, n in form(found)] == [(0.0, 128), (pytest.approx(2.048 + 2.0), 64)]
    assert missing(found, Channel.PAW) == list(range(128 - lost, 128))
    assert found.samples(Channel.PAW)[-1] == 5 + (191 % 80) / 8
    assert [notice.kind for _, notice in found.notices].count(NoticeKind.CLOCK_RESET) == 1


def test_the_computers_clock_set_back_and_a_long_gap(tmp_path: Path) -> None:
    hour = 3_600_000
    rows = batches(100, flow)
    path = save(tmp_path, DRAEGER_FLOW, rows + batches(100, flow, 1_652_435_584_000 - hour), "DrgWaveExport.csv")
    found = read(path)
    assert [n for _, _, n in form(found)] == [1000, 1000]
    assert form(found)[1][0] == pytest.approx(20.0 + 2.0, abs=0.1)
    assert NoticeKind.CLOCK_RESET in {notice.kind for _, notice in found.notices}
    path = save(tmp_path, DRAEGER_FLOW, rows + batches(100, flow, 1_652_435_584_000 + hour), "DrgWaveExport.csv")
    assert [(start_s, n) for start_s, _, n in form(read(path))] == [(0.0, 1000), (pytest.approx(3600.0), 1000)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("23-09-2020 15:55:03.7224,1837826048", "is no row (NOM_FLOW_AWAY)"),
        ("23-09-2020 15:55:03.7224,1837826048,5", "is no row (NOM_FLOW_AWAY)"),
        ("23-09-2020 15:55:03.7224,9999999999,5,", "is no row (NOM_FLOW_AWAY)"),
        (
            "23-09-2020 15:55:03.7224,37826048,5,",
            "the stamp 37826048 does not go on from the row before (NOM_FLOW_AWAY)",
        ),
        ("\0\0\xff", "is no row (NOM_FLOW_AWAY)"),
        ("9" * (MAX_LINE + 1), "longer than 65536 bytes (NOM_FLOW_AWAY)"),
    ],
)
def test_a_damaged_row_is_told_with_its_line_and_costs_no_more(tmp_path: Path, line: str, what: str) -> None:
    path = philips(tmp_path)
    rows = packets(6, flow)
    rows[47] = line  # the last of its packet
    save(tmp_path, FLOW, rows)
    found = read(path)
    assert (form(found), missing(found, Channel.FLOW)) == ([(0.0, 62.5, 96)], [47])
    told = next(detail for detail in details(found) if detail.startswith("line 48: "))
    assert told.endswith(what)
    save(tmp_path, FLOW, packets(6, flow))
    save(tmp_path, PAW, rows)
    found = read(path)
    assert (missing(found, Channel.FLOW), missing(found, Channel.PAW)) == ([], [47])
    assert any(what.replace(FLOW, PAW) in detail for detail in details(found))


def test_a_row_lost_within_a_packet_shifts_the_rest_of_it_only(tmp_path: Path) -> None:
    path = philips(tmp_path)
    rows = packets(6, flow)
    del rows[35]
    save(tmp_path, FLOW, rows)
    found = read(path)
    assert found.n == 95
    assert found.stretches[-1].start_s + found.stretches[-1].n / 62.5 == pytest.approx(1.536)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_size_of_blocks_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    rows = packets(6, flow)
    rows[20] = "junk"
    save(tmp_path, PAW, packets(6, paw)[3:], end=end)
    path = save(tmp_path, FLOW, rows + packets(2, flow, 5), end=end)
    whole = read(path)
    assert whole.n > 100
    for block in (1, 2, 7, 100):
        monkeypatch.setattr(_vscapture, "BLOCK", block)
        monkeypatch.setattr(vscapture, "_ROWS", block)
        assert read(path).form() == whole.form()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (packets(4, lambda k: f"{1400 + k}"), "its values are around 1431.5, which is no pco2_mmhg: raw numbers"),
        (["23-09-2020 15:55:03.7224,2547,"] * 9, "stamped only when it arrived: its rate is unknown"),
        (["Time,RelativeTime,SystemLocalTime,NOM_ECG_CARD_BEAT_RATE", "1,2,3,4"], "a numeric export of VSCapture"),
        (["13-5-2022 11:52:04,1837821952,NOM_RESP_RATE,12,"], "a numeric export of VSCapture: trends"),
        (["hello"], "line 1: 'xxxxx' is no row of a waveform that VSCapture writes"),
        (
            [f"05/13/2022 11:53:04,{10**12 + 20_000 * k},5," for k in range(9)],
            "its first stamps give no rate; give --rate HZ",
        ),
        (["05/13/2022 11:53:04,1652435584000,5,"], "its first stamps give no rate"),
        ([f"05/13/2022 11:53:04,{10**12 + 500 * k},5," for k in range(9)], "its stamps say 2 Hz, outside 5-2000 Hz"),
        (["23-09-2020 15:55:03.7224,1837821952,NaN,"] * 16, "there are no rows with numbers; no usable row"),
    ],
)
def test_refusals(tmp_path: Path, rows: list[str], says: str) -> None:
    found = read(save(tmp_path, CO2, rows))
    assert found.n == 0
    assert says in (found.error or "")
    assert (found.error or "").startswith(DecodeError.__name__)


def test_a_file_beside_it_that_cannot_be_used_is_left_out_and_told(tmp_path: Path) -> None:
    path = philips(tmp_path)
    save(tmp_path, CO2, packets(4, lambda k: f"{1400 + k}"))
    save(tmp_path, PAW, ["hello"])
    found = read(path)
    assert list(found.stretches[0].joined()) == [Channel.FLOW]
    assert details(found)[0].startswith("NOM_PRESS_AWAY beside it is left out: line 1: 'xxxxx' is no row")
    assert details(found)[1].startswith("NOM_AWAY_CO2 beside it is left out: its values are around 1431.5")


def test_the_rate_given_must_agree_with_the_stamps(tmp_path: Path) -> None:
    path = philips(tmp_path)
    assert "given as 100 Hz (option, context or sidecar), but the time stamps say 62.5 Hz" in (
        read(path, rate_hz=100.0).error or ""
    )
    assert form(read(path, rate_hz=62.5)) == [(0.0, 62.5, 96)]


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (BOM + b"05/13/2022 11:53:04,1652435584123,5.1,InspStart\r\n", True),
        (b"13-5-2022 1:53:04 PM,1652435584123,5.1,\r\n", True),
        (b"23-09-2020 15:55:03.7224,1837821952,3017,\n", True),
        (b"10-12-2022 12:12:40.127,2547,\n", True),
        (BOM + b"Time,Inspiratory_oxygen_fraction,Inspiratory_time\n", True),
        (b"13-5-2022 11:53:04,Respiratory_rate,21\n", True),
        (b"2020-06-01 08:00:00.000,5.10, 7.00\n", False),
        (b"Time,Flow,Pressure\n", False),
        (b"time_s,flow_l_s\n0,1\n", False),
        (b"", False),
    ],
)
def test_recognise(head: bytes, *, is_ours: bool) -> None:
    assert vscapture.recognise(head, "x.csv") is is_ours


def test_no_other_format_before_it_claims_it() -> None:
    head = "\r\n".join(packets(4, flow)).encode()
    for other in (csv_table, parquet_table, pb840, servo_u, respiraworks, pirds, rapidvent):
        assert not other.recognise(head, "x.csv")
    assert list(FORMATS).index("vscapture") < list(FORMATS).index("csv")


def test_no_row_of_a_longer_file_is_lost(tmp_path: Path) -> None:
    path = philips(tmp_path, 200)
    assert stream(open_recording(path).items()).n == 3200


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("any")
    save(folder, PAW, packets(4, paw))
    path = save(folder, FLOW, packets(4, flow) + packets(2, flow, 5))
    for one in sorted(folder.iterdir()):
        text = bytearray(one.read_bytes())
        for _ in range(draw.draw(st.integers(0, 4))):
            at = draw.draw(st.integers(0, len(text)))
            junk = st.sampled_from([b"", b"\0", b" ", b"\n", b"9", b".", b",", b";", b"\xff", b"-", b"\r", BOM])
            text[at : at + draw.draw(st.integers(0, 90))] = draw.draw(junk | st.binary(max_size=9))
        one.write_bytes(bytes(text))
    first, second = read(path), read(path)
    assert first.form() == second.form()
    assert first.error is None or first.error.startswith(DecodeError.__name__)


@pytest.mark.parametrize("path", recordings("draeger-medibus-testlung/*.csv"))
def test_real_numeric_exports_are_refused_in_one_line(path: Path) -> None:
    recording = open_recording(path)
    assert recording.format == "vscapture"
    with pytest.raises(
        DecodeError, match=r"trends, a row a minute or so, no waveforms; read the files …WaveExport.csv"
    ):
        list(recording.items())
