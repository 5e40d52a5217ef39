"""Times in text tables: date-times, times of day, packets, rates of their own, a channel a row; volume for flow."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions, TextTable
from adapters.decoding.stamp_kernels import stamp
from adapters.decoding.stamps import ORDERS, Stamps
from adapters.formats import text_table as csv_table
from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.model.chunk import Channel, Chunk
from streamer.model.records import BreathRecord, Notice, NoticeKind
from tests.support.adapter_contract import Stream, decoded, prefix_rule, refused, stream

EPOCH = datetime.fromisoformat("1970-01-01")
START = datetime.fromisoformat("2024-10-27T23:59:59.250")


def make(rate_hz: float | None = None, **said: object) -> csv_table.Decoder:
    return csv_table.Decoder(ReadOptions(rate_hz=rate_hz, table=TextTable(**said)))  # type: ignore[arg-type]


def read(text: str, rate_hz: float | None = None, **said: object) -> Stream:
    return decoded(lambda: make(rate_hz, **said), [text.encode()])


def by_source(text: str, size: int = 10**9) -> dict[str, Stream]:
    """The streams of a table of several sources, read in pieces."""
    decoder, raw = make(), text.encode()
    items = [item for at in range(0, len(raw), size) for item in decoder.feed(raw[at : at + size])] + decoder.close()
    sources = {item.source for item in items if isinstance(item, Chunk)}
    found = {one: stream(i for i in items if isinstance(i, Chunk) and i.source == one) for one in sources}
    return found | {"": stream(item for item in items if isinstance(item, Notice))}


def form(found: Stream) -> list[tuple[float, float, int]]:
    return [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches]


def table(times: list[str], name: str = "time", delimiter: str = ",") -> str:
    rows = [f"{time}{delimiter}{k % 7}" for k, time in enumerate(times)]
    return "\n".join([f"{name}{delimiter}flow_l_min", *rows, ""])


# ── date-times


def _ms(time: datetime) -> str:
    return f".{time.microsecond // 1000:03d}"


WAYS: dict[str, Callable[[datetime], str]] = {
    "ISO": lambda t: t.isoformat(" ", "milliseconds"),
    "ISO with T": lambda t: t.isoformat("T", "microseconds"),
    "German": lambda t: f"{t:%d.%m.%Y %H:%M:%S}.{t.microsecond // 1000:03d}",
    "American, 12 h": lambda t: f"{t:%m/%d/%Y %I:%M:%S}.{t.microsecond // 1000:03d} {'AM' if t.hour < 12 else 'PM'}",
    "short 12 h": lambda t: f"{t.month}/{t.day}/{t:%y} {t.hour % 12 or 12}:{t:%M:%S}{_ms(t)}{'ap'[t.hour >= 12]}m",
    "month by name": lambda t: f"{t:%d-%b-%Y %H:%M:%S}.{t.microsecond // 1000:03d}",
    "slashes, year first": lambda t: f"{t:%Y/%m/%d %H:%M:%S}.{t.microsecond // 1000:03d}",
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("name", ["time", "time_s", "Timestamp", "Datum"])
def test_date_times_are_seconds_from_the_first(way: Callable[[datetime], str], name: str) -> None:
    found = read(table([way(START + k * timedelta(milliseconds=20)) for k in range(120)], name))
    assert form(found) == [(0.0, 50.0, 120)]  # past midnight
    assert "2024-10-27 23:59:59 local time" in found.notices[0][1].detail


def test_a_start_with_an_offset_is_known_and_one_without_is_local(tmp_path: Path) -> None:
    def info(way: Callable[[datetime], str]) -> tuple[datetime | None, datetime | None]:
        path = tmp_path / "a.csv"
        path.write_text(table([way(START + k * timedelta(milliseconds=20)) for k in range(60)]), encoding="utf-8")
        known = open_recording(path).sidecar.recording
        return known.start_utc, known.start_local

    assert info(lambda t: t.isoformat(" ") + "Z") == (START.replace(tzinfo=UTC), None)
    cet = START.replace(tzinfo=timezone(timedelta(hours=1)))
    assert info(lambda t: t.isoformat(" ") + "+01:00") == (cet, None)
    assert info(lambda t: t.isoformat(" ") + "+0100") == (cet, None)
    assert info(lambda t: t.isoformat(" ")) == (None, START)
    assert info(lambda t: t.strftime("%H:%M:%S.%f")) == (None, None)


def test_an_hour_that_is_repeated_is_none_where_the_offset_says_so() -> None:
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    change = datetime(2024, 10, 27, 1, 0, tzinfo=UTC)
    times = [change + k * timedelta(milliseconds=20) for k in range(-50, 50)]
    text = table([t.astimezone(summer if t < change else winter).isoformat(" ", "milliseconds") for t in times])
    assert form(read(text)) == [(0.0, 50.0, 100)]


@pytest.mark.parametrize("layout", ["%H:%M:%S.%f", "%M:%S.%f", "%I:%M:%S.%f %p"])
def test_times_of_day_go_on_past_midnight(layout: str) -> None:
    first = START if layout != "%M:%S.%f" else START.replace(minute=10)
    found = read(table([(first + k * timedelta(milliseconds=20)).strftime(layout) for k in range(120)]))
    assert form(found) == [(0.0, 50.0, 120)]


def test_days_and_months_that_may_be_exchanged() -> None:
    morning = datetime.fromisoformat("2024-03-04T08:00")
    times = [f"{morning + k * timedelta(milliseconds=20):%d/%m/%Y %H:%M:%S.%f}" for k in range(90)]
    found = read(table(times))
    assert form(found) == [(0.0, 50.0, 90)]
    assert 'may be exchanged, so they give no start; say dates = "dmy" or "mdy"' in found.notices[0][1].detail
    night = datetime.fromisoformat("2024-03-04T23:59:59")
    times = [f"{night + k * timedelta(milliseconds=20):%d/%m/%Y %H:%M:%S.%f}" for k in range(90)]
    assert 'can be read in two ways: say dates = "dmy" or "mdy"' in (read(table(times)).error or "")
    assert form(read(table(times), dates="dmy")) == [(0.0, 50.0, 90)]


@settings(max_examples=300, deadline=None)
@given(st.datetimes(EPOCH + timedelta(days=1), EPOCH + timedelta(days=36_500)), st.sampled_from(list(WAYS)))
def test_compiled_stamps_are_those_of_the_standard_library(when: datetime, way: str) -> None:
    when = when.replace(microsecond=when.microsecond // 1000 * 1000)
    order = "mdy" if "American" in way or "12" in way else "dmy" if way in {"German", "month by name"} else "ymd"
    raw = np.frombuffer(WAYS[way](when).encode(), np.uint8)
    at, micros = stamp(raw, 0, raw.size, 0, np.array([*ORDERS[order], 4, 5, 6]))
    assert at == raw.size
    assert micros == (when - EPOCH) // timedelta(microseconds=1)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.sampled_from([(1, 2, 3, 4, 5, 6), (3, 2, 1, 4, 5, 6), (4, 5, 6), (5, 6), (4, 5)]))
def test_any_bytes_are_a_stamp_or_none(raw: bytes, order: tuple[int, ...]) -> None:
    found = np.frombuffer(raw, np.uint8)
    at, micros = stamp(found, 0, found.size, ord(","), np.array(order))
    assert at == -1 or 0 <= at <= found.size
    assert at == -1 or np.isfinite(micros)


def test_a_damaged_stamp_is_damage_and_both_paths_agree() -> None:
    times = [WAYS["ISO"](START + k * timedelta(milliseconds=20)) for k in range(60)]
    times[20], times[21], times[22] = "2024-13-01 00:00:00", "", '"' + times[22] + '"'
    text = table(times).encode()
    found = prefix_rule(make, text, [range(1, len(text), 7)])
    assert found.notices[-1][1].values["damaged_rows"] == 2
    assert [stretch.n for stretch in found.stretches] == [60]


def test_stamps_that_are_none_are_refused() -> None:
    assert "line 1: " in refused(make, table(["2024-99-99 99:99:99"] * 20).encode())
    with pytest.raises(Exception, match="cannot be read"):
        Stamps(["99:99:99:99"], None)


# ── packets


def packed(stamps: np.ndarray, decimals: int = 3) -> str:  # type: ignore[type-arg]
    rng = random.Random(1)
    rows = [f"{one:.{decimals}f},{rng.random():.3f},{row}" for row, one in enumerate(stamps)]
    return "\n".join(["time_s,flow_l_s,paw_cmh2o", *rows, ""])


@pytest.mark.parametrize("rows", [2, 3, 16, 100])
@pytest.mark.parametrize("rate", [25, 50, 62.5, 100, 200])
@pytest.mark.parametrize("given_hz", [False, True])
def test_rows_of_a_packet_are_even(rows: int, rate: float, given_hz: bool) -> None:  # noqa: FBT001
    row = np.arange(40 * rows)
    text = packed(7 + row // rows * rows / rate, 6)
    (stretch,) = read(text, rate if given_hz else None).stretches
    assert (stretch.start_s, stretch.n) == (7.0, row.size)
    assert stretch.rate_hz == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize("rate", [25, 50, 62.5, 100, 128, 200])
@pytest.mark.parametrize("first", [0.0, 0.33, 0.98])
def test_one_stamp_a_second(rate: float, first: float) -> None:
    times = 100 + first + np.arange(int(30 * rate)) / rate
    (stretch,) = read(packed(np.floor(times + 1e-9), 0)).stretches
    assert stretch.n == times.size
    assert stretch.rate_hz == pytest.approx(rate, rel=2e-3)
    assert abs(stretch.start_s - times[0]) <= 1.0 / rate + 1e-6


def test_a_packet_that_is_missing_is_a_gap_and_a_row_too() -> None:
    stamps = 16 / 50 * (np.arange(1600) // 16)
    found = read(packed(np.delete(stamps, np.s_[800:816])))
    assert form(found) == [(0.0, 50.0, 800), (pytest.approx(816 / 50), 50.0, 784)]
    short = read(packed(np.delete(stamps, 805)))
    assert [stretch.n for stretch in short.stretches] == [815, 784]


def test_seconds_of_stacked_exports_begin_where_they_did() -> None:
    one = np.floor(0.6 + np.arange(1500) / 50)
    found = read(packed(np.concatenate([one, one]), 0))
    assert [stretch.n for stretch in found.stretches] == [1500, 1500]
    assert [notice.kind for _, notice in found.notices] == [NoticeKind.NOTE, NoticeKind.CLOCK_RESET]


def test_packets_at_odd_times_need_a_rate() -> None:
    stamps = np.repeat([0.0, 1.0, 1.1, 9.0, 9.01, 30.0, 30.2, 31.9], 4)
    assert "too irregular to give the rate" in (read(packed(stamps)).error or "")
    assert [one.n for one in read(packed(stamps), 50.0).stretches]
    falling = np.repeat([5.0, 9.0, 8.0, 7.0], 4)
    assert read(packed(falling), 50.0).n > 0


def test_rows_written_twice_are_no_packets() -> None:
    rows = [f"{k // 2 / 50:.2f},{k // 2 % 9},{k // 2}" for k in range(600)]
    found = read("\n".join(["time_s,flow_l_s,paw_cmh2o", *rows, ""]))
    assert form(found) == [(0.0, 50.0, 300)]
    assert found.notices[-1][1].values["dropped_rows"] == 300


def test_cuts_do_not_matter_with_packets() -> None:
    stamps = np.floor(0.3 + np.arange(2500) / 50)
    text = packed(stamps, 0).encode().replace(b"17,", b"x,", 1)
    prefix_rule(make, text, [[len(text) // 2], range(0, len(text), 997), range(0, len(text), 64)])


# ── stacked exports


@pytest.mark.parametrize("lasts_s", [2.0, 5.0, 20.0, 59.0, 90.0])
@pytest.mark.parametrize("first_s", [0.0, 17.5])
def test_a_clock_that_returns_to_its_beginning_is_a_run(lasts_s: float, first_s: float) -> None:
    n = int(lasts_s * 50)
    times = first_s + np.arange(n) / 50
    text = packed(np.concatenate([times, times, times]))
    found = read(text)
    assert [stretch.n for stretch in found.stretches] == [n, n, n]
    resets = [notice for _, notice in found.notices if notice.kind is NoticeKind.CLOCK_RESET]
    assert [notice.values["clock_s"] for notice in resets] == [first_s, first_s]
    assert [notice.values["start_s"] for notice in resets] == [stretch.start_s for stretch in found.stretches[1:]]
    raw = text.encode()
    prefix_rule(make, raw, [range(0, len(raw), 499)])


def test_a_second_header_may_bring_another_rate() -> None:
    def one(rate: float, first: float = 0.0) -> str:
        return packed(first + np.arange(300) / rate)

    assert [(s.rate_hz, s.n) for s in read(one(50) + one(100)).stretches] == [(50.0, 300), (100.0, 300)]
    on = read(one(50) + one(50, 60.0))
    assert form(on) == [(0.0, 50.0, 300), (60.0, 50.0, 300)]  # its times say that it is later
    again = read(one(50, 3.0) + one(50, 1.0))
    assert [s.n for s in again.stretches] == [300, 300]


# ── rates of their own


def joined(n: int, every: int, word: str, *, paw_every: int = 1) -> str:
    rows = [
        f"{k / 50:.2f},{5 + k % 16 if k % paw_every == 0 else word},{k % 9 - 4},{k % 40 if k % every == 0 else word}"
        for k in range(n)
    ]
    return "\n".join(["time_s,paw_cmh2o,flow_l_min,pco2_mmhg", *rows, ""])


@pytest.mark.parametrize("every", [2, 3, 4, 5, 10])
@pytest.mark.parametrize("word", ["NA", "", "null", "None", "#N/A", "NaN"])
def test_co2_in_some_rows_has_a_rate_of_its_own(every: int, word: str) -> None:
    found = by_source(joined(3000, every, word))
    ((vent,), (co2,)) = found["csv"].stretches, found["csv.co2"].stretches
    assert (vent.rate_hz, vent.n) == (50.0, 3000)
    assert (co2.start_s, co2.n) == (0.0, 3000 // every)
    assert co2.rate_hz == pytest.approx(50 / every)
    assert co2.joined()[Channel.PCO2].tolist() == [float(k % 40) for k in range(0, 3000, every)]


def test_co2_that_is_missing_now_and_then_keeps_its_rows() -> None:
    rng = np.random.default_rng(3)
    rows = [f"{k / 50:.2f},{k % 9},{'NA' if rng.random() < 0.2 or 500 < k < 600 else 38}" for k in range(2000)]
    found = read("\n".join(["time_s,flow_l_min,pco2_mmhg", *rows, ""]))
    assert [(stretch.n, set(stretch.joined())) for stretch in found.stretches] == [(2000, {Channel.FLOW, Channel.PCO2})]


def test_signals_joined_on_their_times() -> None:
    """Flow at 100 Hz, pressure at 50 Hz, CO2 at 62.5 Hz, a row for each time of any of them."""
    signals = {"flow": (0.0, 100.0), "paw": (0.0, 50.0), "co2": (0.003, 62.5)}
    rows: dict[float, dict[str, str]] = {}
    for name, (first, rate) in signals.items():
        for k in range(int(40 * rate)):
            rows.setdefault(round(first + k / rate, 6), {})[name] = (
                f"{k % 40}" if name != "paw" else f"{10 * (k / rate):.4f}"
            )
    lines = [
        f"{t:.6f},{one.get('flow', '')},{one.get('paw', '')},{one.get('co2', '')}" for t, one in sorted(rows.items())
    ]
    text = "\n".join(["time_s,flow_l_min,paw_cmh2o,pco2_mmhg", *lines, ""])
    found = by_source(text)
    assert [(one.rate_hz, one.n) for one in found["csv"].stretches] == [(100.0, 4000)]
    assert [(one.rate_hz, one.n) for one in found["csv.co2"].stretches] == [(62.5, 2500)]
    paw = found["csv"].samples(Channel.PAW)
    assert np.allclose(paw[:-2], 0.1 * np.arange(3998), atol=1e-3)  # interpolated at the times of flow
    assert any("interpolated" in notice.detail for _, notice in found[""].notices)
    prefix_rule(make, text.encode(), [range(0, len(text), 1000), range(0, len(text), 70_001)])


# ── a channel a row


def melted(rows: list[list[str]], *, by_channel: bool, delimiter: str = ",") -> str:
    cells = [
        (row[0], name, value)
        for row in rows
        for name, value in zip(("Paw [cmH2O]", "Flow [L/min]", "CO2 [mmHg]"), row[1:], strict=True)
        if value != "NA"
    ]
    if by_channel:
        cells.sort(key=lambda cell: cell[1])
    return "\n".join([delimiter.join(("time_s", "channel", "value")), *(delimiter.join(cell) for cell in cells), ""])


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize("runs", [1, 2])
def test_a_channel_a_row_is_the_same_table(by_channel: bool, runs: int) -> None:  # noqa: FBT001
    rows = [line.split(",") for line in joined(1500, 4, "NA").splitlines()[1:]]
    wide = by_source(joined(1500, 4, "NA"))
    text = (
        melted(rows, by_channel=by_channel)
        if runs == 1
        else "".join(melted(rows, by_channel=by_channel) for _ in range(runs))
    )
    long = by_source(text)
    for source, channels in {"csv": (Channel.FLOW, Channel.PAW), "csv.co2": (Channel.PCO2,)}.items():
        for channel in channels:
            once = wide[source].samples(channel)
            assert np.array_equal(long[source].samples(channel), np.tile(once, runs))
        assert len(long[source].stretches) == runs
    starts = [[one.start_s for one in long[source].stretches] for source in ("csv", "csv.co2")]
    assert starts[0] == starts[1]
    assert sum(notice.kind is NoticeKind.CLOCK_RESET for _, notice in long[""].notices) == runs - 1


def test_a_channel_a_row_names_what_it_cannot_use() -> None:
    rows = "time_s,signal,value\n"
    rows += "".join(f"{k / 50:.2f},{name},1\n" for k in range(50) for name in ("flow", "spo2", "paw_mbar"))
    assert "channel 'flow' has no unit that is known" in (read(rows).error or "")
    mapped = ReadOptions(columns={"flow": "flow_l_min"})
    found = decoded(lambda: csv_table.Decoder(mapped), [rows.encode()])
    assert found.samples(Channel.FLOW).tolist() == [1 / 60] * 50
    assert any("'spo2', 'paw_mbar'" in notice.detail for _, notice in found.notices)


# ── volume for flow


def breaths(rate: float, *, reset: bool, residual_ml: float = 0.0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Flow L/s and volume mL of breaths of 500 mL, 20 a minute; volume falls back to zero at each, if ``reset``."""
    time = np.arange(int(60 * rate)) / rate
    phase = time % 3.0
    flow = np.where(phase < 1.0, 0.5, -0.5 / 0.4 * np.exp(-(phase - 1.0) / 0.4))
    volume = np.where(phase < 1.0, 500 * phase, 500 * np.exp(-(phase - 1.0) / 0.4))
    if reset:
        volume = np.where(phase < 1.0, volume, volume + residual_ml)
    return flow, volume


@pytest.mark.parametrize("rate", [25, 50, 100, 200])
@pytest.mark.parametrize("residual_ml", [0.0, 40.0])
@pytest.mark.parametrize("decimals", [0, 1])
def test_flow_is_the_slope_of_volume(rate: float, residual_ml: float, decimals: int) -> None:
    flow, volume = breaths(rate, reset=True, residual_ml=residual_ml)
    rows = [f"{k / rate:.4f},{one:.{decimals}f}" for k, one in enumerate(volume)]
    text = "\n".join(["time_s,volume_ml", *rows, ""])
    found = read(text)
    (stretch,) = found.stretches
    got = stretch.joined()[Channel.FLOW]
    assert got.size == flow.size
    third = int(3 * rate)
    for first in range(third, flow.size - third, third):
        assert got[first : first + int(rate)].sum() / rate == pytest.approx(0.5, rel=0.06)
    assert found.notices[0][1].values["grade"] == "B"
    raw = text.encode()
    prefix_rule(make, raw, [range(0, len(raw), 4999), [len(raw) // 2]])


def test_numbers_from_volume_are_of_quality_b_at_best() -> None:
    _, volume = breaths(50, reset=True)
    rows = [f"{k / 50:.2f},{one:.1f},{5 + one / 50:.2f}" for k, one in enumerate(volume)]
    bed = Bed("bed")
    events = []
    decoder = make()
    for item in [*decoder.feed("\n".join(["time_s,volume_ml,paw_cmh2o", *rows, ""]).encode()), *decoder.close()]:
        events += bed.push(item)
    records = [event for event in [*events, *bed.close()] if isinstance(event, BreathRecord) and event.values]
    assert records
    for record in records:
        assert record.quality.keys() == record.values.keys()
        assert set(record.quality.values()) <= {"B", "C"}


def test_volume_beside_flow_is_not_used() -> None:
    found = read("time_s,flow_l_s,volume_ml\n" + "".join(f"{k / 50},1,x\n" for k in range(9)))
    assert found.samples(Channel.FLOW).tolist() == [1.0] * 9
    assert found.notices == []


@pytest.mark.parametrize(
    ("said", "is_noted"), [("", True), ('zone = "Europe/Berlin"', False), ('zone = "+02:00"', False)]
)
def test_a_zone_answers_what_is_said_of_local_times(tmp_path: Path, said: str, is_noted: bool) -> None:  # noqa: FBT001
    times = [(START + k * timedelta(milliseconds=20)).isoformat() for k in range(60)]
    (tmp_path / "a.csv").write_text(table(times), encoding="utf-8")
    (tmp_path / "a.toml").write_text(f"[recording]\n{said}\n")
    notes = [item.detail for item in open_recording(tmp_path / "a.csv").items() if isinstance(item, Notice)]
    assert [note for note in notes if "local time; zone = " in note] == notes[: int(is_noted)]
    assert any("local time" in note for note in notes) is is_noted
