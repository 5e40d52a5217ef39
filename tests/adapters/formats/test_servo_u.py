from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.columns import scale
from adapters.decoding.contract import ReadOptions
from adapters.formats import servo_u
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import DecodeError
from streamer.model.units import CMH2O_PER_MBAR, CMH2O_PER_MMHG
from tests.support.adapter_contract import Stream, decoded, prefix_rule, recordings, refused, same_twice
from tests.support.builders.servo_u_files import rows, stamp, transcript


def make() -> servo_u.Decoder:
    return servo_u.Decoder(ReadOptions())


def read(text: bytes) -> Stream:
    return decoded(make, [text])


def test_rows_become_canonical_from_zero_seconds() -> None:
    found = read(transcript(rows(300)))
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 300)]
    assert found.samples(Channel.PAW)[:3].tolist() == [7.0, 7.01, 7.02]
    assert found.samples(Channel.FLOW)[6] == -0.6 / 60


def test_decimal_comma_other_words_and_another_unit() -> None:
    names = "Ora\tFase respirazione\tPress. vie aeree (mbar)\tFlusso (l/s)\tV (ml)\tTrigger"
    lines = [f"{stamp(10 * k)}\tinsp.\t24,50\t-0,25\t1,00\tX" for k in range(50)]
    found = read(transcript(lines, names, "COMMA"))
    assert found.samples(Channel.PAW)[0] == 24.5 * CMH2O_PER_MBAR
    assert found.samples(Channel.FLOW)[0] == -0.25
    assert "no usable row" in (read(transcript(lines, names, "POINT")).error or "")


@pytest.mark.parametrize("unit", ["mmHg", "kPa", "mbar", "%", "Vol%"])
@pytest.mark.parametrize("first", [True, False])
def test_co2_is_no_pressure(unit: str, *, first: bool) -> None:
    columns = [f"CO2 ({unit})", "Pva (mmHg)"]
    names = "\t".join(["Tid", "Fas", *(columns if first else columns[::-1]), "Flow (ml/s)", "V (ml)"])
    pair = ("5.00", "10.00")
    lines = [f"{stamp(10 * k)}\tinsp.\t" + "\t".join(pair if first else pair[::-1]) + "\t250\t1" for k in range(50)]
    lines[7] = lines[7].replace("5.00", "***")
    found = read(transcript(lines, names))
    assert found.samples(Channel.PAW)[0] == pytest.approx(10.0 * CMH2O_PER_MMHG)
    assert found.samples(Channel.FLOW)[0] == 0.25
    factor = scale(f"pco2_{'percent' if '%' in unit else unit.lower()}")
    assert found.samples(Channel.PCO2)[0] == pytest.approx(5.0 * factor[0] / factor[1])
    assert np.flatnonzero(np.isnan(found.samples(Channel.PCO2))).tolist() == [7]
    assert not np.isnan(found.samples(Channel.FLOW)).any()


def test_co2_alone_is_no_airway_pressure() -> None:
    said = refused(make, transcript(rows(3), "Tiempo\tFase\tetCO2 (mmHg)\tFLUJO (l/m)\tV (ml)"))
    assert "no column with a unit of pressure" in said


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_every_cut_gives_the_same(end: str) -> None:
    lines = rows(24)
    lines[9] = lines[9][:20]
    text = transcript(lines)
    found = prefix_rule(make, text.replace(b"\n", end.encode()))
    assert found.form() == read(text).form()
    assert np.flatnonzero(np.isnan(found.samples(Channel.PAW))).tolist() == [9]
    assert found.notices[0][1].detail.startswith("line 20: '17:03:43:835")


def test_midnight_is_no_gap_and_a_pause_is_one() -> None:
    found = read(transcript(rows(200, 86_399_000) + rows(200, 86_400_000 + 60_000)))
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 200), (61.0, 200)]


def test_stamps_step_by_eight_to_twelve_milliseconds_without_gaps() -> None:
    rng = np.random.default_rng(5)
    lines = rows(3000)
    for k in range(3000):
        lines[k] = stamp(61_423_745 + 10 * k + int(rng.choice([0, 0, 0, 1, 2]))) + lines[k][12:]
    assert [(stretch.rate_hz, stretch.n) for stretch in read(transcript(lines)).stretches] == [(100.0, 3000)]


@pytest.mark.parametrize("tag", ["[TRE]", "[RECRUITMENT]", "[LOG]"])
def test_exports_without_waveforms_are_refused(tag: str) -> None:
    text = transcript(rows(5)).replace(b"[REC]", tag.encode())
    assert servo_u.recognise(text, "x.txt")
    assert f"line 1: '{tag}': this is a trend export without waveforms" in refused(make, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (transcript([]), "no usable row"),
        (transcript(["17:05:43:745\tesp.\t***\t0.02\t1"]), "line 11: '17:05:43:745\\txxx.\\t***"),
        (transcript(rows(3), point="DOT"), "line 5: decimal separator 'DOT' is neither POINT nor COMMA"),
        (transcript(rows(3), "Tiempo\tFase\tPva\tFLUJO (l/m)"), "line 10: no column with a unit of pressure (cmH2O,"),
        (transcript(rows(3), "Tiempo\tFase\tPva (cmH2O)\tV (ml)"), "mL/min, slm); units seen: cmH2O, ml"),
        (transcript(rows(3)).replace(b"[DATA]", b"[X]"), "ends without [DATA]"),
        (b"[REC]\n" + b"x\ty\n" * 600, "line 501: no [DATA] in the first 500 lines"),
        (b"hello\n", "not a Servo-U recording"),
    ],
)  # fmt: skip
def test_refusals(text: bytes, says: str) -> None:
    assert says in refused(make, text)


def test_recognise_wants_its_tag() -> None:
    assert servo_u.recognise(transcript(rows(2)), "x")
    assert not servo_u.recognise(b"[section]\nkey = 1\n", "x")
    assert not servo_u.recognise(b"", "x")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_any_cut(draw: st.DataObject) -> None:
    text = bytearray(transcript(rows(12)))
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(text)))
        text[at : at + draw.draw(st.integers(0, 9))] = draw.draw(
            st.sampled_from([b"", b"\0", b"\t", b"\n", b"9", b",", b"\xff", b"23:59:59:999"])
        )
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    prefix_rule(make, bytes(text), [cuts])


@pytest.mark.parametrize("path", recordings("getinge-servo-u/17*.txt"))
def test_real_recordings(path: Path) -> None:
    recording = open_recording(path)
    assert recording.format == "servo_u"
    found = same_twice(recording.items)
    lines = path.read_text(encoding="utf-8-sig").split("[DATA]\n")[1].splitlines()[1:]
    table = np.array([line.split("\t")[2:4] for line in lines], dtype=float)  # every row of these is whole
    assert len(lines) == 3000
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 3000)]
    assert np.array_equal(found.samples(Channel.PAW), table[:, 0])
    assert np.array_equal(found.samples(Channel.FLOW), table[:, 1] / 60)
    assert recording.damaged_rows == recording.dropped_rows == 0
    rng = np.random.default_rng(100)
    text = path.read_bytes()
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (1, 30, 1500)])


@pytest.mark.parametrize("path", recordings("getinge-servo-u/*trends*") + recordings("getinge-servo-u/recruit*"))
def test_real_trend_exports_are_refused(path: Path) -> None:
    with pytest.raises(DecodeError, match="trend export without waveforms"):
        list(open_recording(path).items())


def test_an_error_shows_only_what_can_be_printed() -> None:
    text = transcript(rows(3), "Tiempo\tFase\tPva (cmH2O)\tFlujo (\0\x01l/m)")
    assert "units seen: cmH2O, ??l/m" in refused(make, text)


@pytest.mark.parametrize(
    ("form", "saved"),
    [("dd/MM/yy", "28/01/26 17:06:14"), ("yyyy-MM-dd", "2026-01-28 17:06:14"), ("MM/dd/yy", "01/28/26 17:06:14"),
     ("dd.MM.yyyy", "28.01.2026 17:06:14")],
)  # fmt: skip
def test_it_says_when_it_began(form: str, saved: str) -> None:
    """The day of the header, the time of the first row; the date of the recording goes before that of the file."""
    text = transcript(rows(40)).decode().replace("28/01/26 17:06:14", saved).replace("dd/MM/yy", form)
    found = servo_u.told(text.encode(), ReadOptions()).recording
    assert (str(found.start_local), found.start_utc) == ("2026-01-28 17:03:43.745000", None)
    late = text.replace(saved, "01/01/20 10:00:00").replace("==========", f"==========\nRecorded\t{saved}")
    assert servo_u.told(late.encode(), ReadOptions()).recording == found


def test_a_recording_saved_after_midnight_began_the_day_before() -> None:
    text = transcript(rows(40, first_ms=86_390_000)).replace(b"17:06:14", b"00:01:05")
    assert str(servo_u.told(text, ReadOptions()).recording.start_local) == "2026-01-27 23:59:50"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"dd/MM/yy", b"dd/dd/yy"), (b"28/01/26", b"32/01/26"), (b"28/01/26", b"28/13/26"), (b"17:06:14", b"25:06:14"),
     (b"Date format", b"Dates"), (b":745\t", b"\t")],
)  # fmt: skip
def test_what_is_no_date_is_no_start(old: bytes, new: bytes) -> None:
    text = transcript(rows(1)).replace(old, new)
    assert servo_u.told(text, ReadOptions()).recording.start_local is None
