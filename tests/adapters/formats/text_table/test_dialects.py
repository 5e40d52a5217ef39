"""One table, written as programs write tables: the same samples, to the bit, and what was assumed is told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions, TextTable
from adapters.formats import text_table as csv_table
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.records import Notice
from tests.support.adapter_contract import Stream, decoded, prefix_rule, stream

N = 120
NUMBERS = [[f"{k / 50:.2f}", f"{5 + k % 16 / 8:.3f}", f"{k % 11 - 5}.{k % 7}", f"{k % 40}"] for k in range(N)]
NAMES = ["time_s", "paw_cmh2o", "flow_l_min", "pco2_mmhg"]
LABELS = ["Time [s]", "Paw (cmH2O)", "Flow [L/min]", "CO2 / mmHg"]
BARE, UNITS = ["t", "Paw", "Flow", "CO2"], ["s", "cmH2O", "L/min", "mmHg"]


@dataclass(frozen=True)
class Way:
    """How a table is written."""

    delimiter: str = ","
    point: str = "."
    quoted: bool = False
    sep_line: bool = False
    above: tuple[str, ...] = ()
    header: str = "canonical"
    index: str = "none"
    trailing: bool = False
    missing: str = ""
    end: str = "\n"
    encoding: str = "utf-8"
    padded: bool = False

    def field(self, text: str) -> str:
        text = text.replace(".", self.point)
        text = f" {text} " if self.padded and not self.quoted else text
        return f'"{text}"' if self.quoted else text

    def line(self, fields: list[str], at: int | None) -> str:
        if self.index != "none":
            first = "" if at is None else str(at)
            fields = fields if self.index == "unnamed in rows" and at is None else [self.field(first), *fields]
        return self.delimiter.join(fields) + self.delimiter * self.trailing

    def written(self) -> bytes:
        names = {"canonical": NAMES, "capitals": [name.upper() for name in NAMES], "labels": LABELS, "units": BARE}
        lines = [f"sep={self.delimiter}"] * self.sep_line + list(self.above)
        lines.append(self.line([f'"{name}"' if self.quoted else name for name in names[self.header]], None))
        if self.header == "units":
            lines.append(self.line([f'"{unit}"' if self.quoted else unit for unit in UNITS], None))
        for at, row in enumerate(NUMBERS):
            fields = [self.field(one) for one in row]
            if at in {30, 31}:
                fields[1] = self.missing
            lines.append(self.line(fields, at))
        return self.end.join([*lines, ""]).encode(self.encoding)


def read(text: bytes, **said: object) -> Stream:
    return decoded(lambda: csv_table.Decoder(ReadOptions(table=TextTable(**said))), [text])  # type: ignore[arg-type]


def waves(found: Stream) -> tuple[object, ...]:
    return found.form()[0], found.error


PLAIN = read(Way().written())
delimiters = st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", "."), ("  \t ", ".")])


@st.composite
def ways(draw: st.DrawFn) -> Way:
    delimiter, point = draw(delimiters)
    blank = delimiter.strip(" \t") == "" and delimiter != "\t"
    above = draw(
        st.sampled_from([(), ("Hospital ICU export", "Device: X", "", "Date: 2024-03-01"), ("# made by hand",)])
    )
    header = draw(st.sampled_from(["canonical", "capitals"] if blank else ["canonical", "capitals", "labels", "units"]))
    words = ["NA", "NaN", "null", "None", "#N/A", "n/a", "-"]
    return Way(
        delimiter=delimiter,
        point=point,
        quoted=draw(st.booleans()),
        sep_line=not blank and draw(st.booleans()),
        above=above,
        header=header,
        index=draw(st.sampled_from(["none"] if blank else ["none", "unnamed", "unnamed in rows"])),
        trailing=not blank and draw(st.booleans()),
        missing=draw(st.sampled_from(words if blank else ["", *words])),
        end=draw(st.sampled_from(["\n", "\r\n", "\r"])),
        encoding=draw(st.sampled_from(["utf-8", "utf-8-sig"])),
        padded=draw(st.booleans()),
    )


@settings(max_examples=200, deadline=None)
@given(ways(), st.lists(st.integers(0, 4000), max_size=4))
def test_a_table_is_the_same_however_it_is_written(way: Way, cuts: list[int]) -> None:
    text = way.written()
    found = prefix_rule(lambda: csv_table.Decoder(ReadOptions()), text, [sorted(min(at, len(text)) for at in cuts)])
    assert waves(found) == waves(PLAIN)


def test_the_plain_table_is_what_its_numbers_say() -> None:
    assert PLAIN.samples(Channel.PAW)[:30].tolist() == [float(row[1]) for row in NUMBERS[:30]]
    assert np.flatnonzero(np.isnan(PLAIN.samples(Channel.PAW))).tolist() == [30, 31]
    assert PLAIN.samples(Channel.FLOW).tolist() == [float(row[2]) / 60 for row in NUMBERS]
    assert PLAIN.notices == []


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (Way(delimiter=";", point=","), ["decimals stand behind a comma"]),
        (Way(above=("Export", "of a device")), ["the header is line 3; 2 lines above it are not read"]),
        (Way(header="units"), ["a line beside the header is one of units"]),
        (Way(index="unnamed"), ["columns that are not read: one without a name"]),
        (Way(delimiter="|"), ["fields stand between bars"]),
    ],
)
def test_what_is_assumed_is_told(way: Way, said: list[str]) -> None:
    assert [notice.detail for _, notice in read(way.written()).notices] == said


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_labels_of_windows_programs(encoding: str) -> None:
    text = Way(header="labels").written().decode().replace("CO2 / mmHg", "µ °C").encode(encoding)
    found = read(text)
    assert found.error is None
    assert [notice.detail for _, notice in found.notices] == ["columns that are not read: 'µ °C'"]


@pytest.mark.parametrize("units", [("L/s", 1.0), ("l/min", 60.0), ("mL/s", 1000.0), ("LPM", 60.0)])
def test_a_unit_of_the_header_or_the_row_below_counts(units: tuple[str, float]) -> None:
    unit, divisor = units
    for text in (f"t,Flow [{unit}]\n", f"t,Flow ({unit})\n", f"t,flow\ns,{unit}\n", f"t,Flow\n[s],[{unit}]\n"):
        found = read((text + "".join(f"{k / 50},30\n" for k in range(9))).encode())
        assert found.samples(Channel.FLOW).tolist() == [30 / divisor] * 9, text


def test_letters_of_other_forms_are_the_same() -> None:
    found = read("t [s],CO₂ [mmHg],Flow [L·s⁻¹]\n".encode() + b"".join(b"%.2f,38,1\n" % (k / 50) for k in range(9)))
    assert found.samples(Channel.PCO2).tolist() == [38.0] * 9
    assert found.samples(Channel.FLOW).tolist() == [1.0] * 9


def test_a_signal_without_a_unit_is_refused() -> None:
    for header in ("time_s,flow", "time_s,Flow,paw_cmh2o", "time_s,flow_l_s,Pressure", "time_s,flow_l_s,CO2"):
        width = header.count(",")
        text = f"{header}\n" + "".join(f"{k / 50}{',1' * width}\n" for k in range(9))
        assert "unknown column" in (read(text.encode()).error or ""), header


@pytest.mark.parametrize(
    ("step", "rate"), [(0.02, 50.0), (20, 50.0), (0.005, 200.0), (5, 200.0), (0.2, 5.0), (0.5, 2000.0)]
)
def test_a_time_without_a_unit_is_known_by_its_steps(step: float, rate: float) -> None:
    text = "time,flow_l_s\n" + "".join(f"{k * step:.6g},1\n" for k in range(99))
    found = read(text.encode())
    assert found.stretches[0].rate_hz == pytest.approx(rate)
    assert "has no unit: its steps are of" in found.notices[0][1].detail


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time_s;flow_ml_s\n" + "1,234;2,345\n" * 4, 'or thousands behind the comma: say decimal = "," or "."'),
        (
            "time_s,paw_cmh2o,flow_l_min\n" + "0,02,7,9,-2,5\n" * 9,
            "rows have 6 fields, the header 3: with decimal commas, fields need semicolons",
        ),
        ("1,2\n" * 9, "line 1: there are no names above its 2 columns of numbers; give columns = {"),
        ("flow_l_s,flow_l_s\n1,2\n", "appears twice"),
        ("Flow [L/s],Flow [L/min]\n1,2\n", "are the same signal"),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused_with_the_remedy(text: str, says: str) -> None:
    assert says in (read(text.encode()).error or "")


def test_what_somebody_says_of_a_table_goes_before_what_is_found(tmp_path: Path) -> None:
    rows = "".join(f"{k / 50:.2f};{1000 + k},5;-999\n" for k in range(20)).replace(".", ",")
    (tmp_path / "a.csv").write_text("a;b;c\n" + "time_s;paw_mbar;flow_l_s\n" + rows, encoding="utf-8")
    sidecar = '[recording]\ndelimiter = ";"\ndecimal = ","\nheader_line = 2\nmissing = ["-999"]\n'
    (tmp_path / "a.toml").write_text(sidecar, encoding="utf-8")
    found = stream(open_recording(tmp_path / "a.csv").items())
    assert np.isnan(found.samples(Channel.FLOW)).all()
    assert found.samples(Channel.PAW)[1] == pytest.approx(1001.5 * 1.0197162)
    grouped = read(("time_s;flow_ml_s\n" + "1,000;2,345\n3,000;4,567\n" * 4).encode(), decimal=",")
    assert "the time stamps say 0.5 Hz" in (grouped.error or "")


def test_a_header_in_a_comment_and_columns_between_blanks() -> None:
    rows = "".join(f"  {k / 50:.2f}\t  {k % 9}e-1   5.0\n" for k in range(30))
    for sign in ("#", "% ", "//"):
        found = read(f"{sign} time_s flow_l_s paw_cmh2o\n{rows}".encode())
        assert found.samples(Channel.FLOW)[:3].tolist() == [0.0, 0.1, 0.2]
        assert found.stretches[0].rate_hz == 50.0


def test_numbers_without_a_header_need_a_mapping_by_number() -> None:
    text = ("# of a bench\n" + "".join(f"{k / 50:.2f} {k % 9} 5\n" for k in range(30)) + "% end\n").encode()
    columns = {"0": "time_s", "1": "flow_l_s"}
    found = decoded(lambda: csv_table.Decoder(ReadOptions(columns=columns)), [text])
    assert found.samples(Channel.FLOW).tolist() == [float(k % 9) for k in range(30)]
    assert not [notice for _, notice in found.notices if "damaged" in notice.detail]


def test_exports_stacked_with_all_that_stands_above_are_runs() -> None:
    one = "Hospital export\nDate: 2024-03-01\n" + Way().written().decode()
    found = prefix_rule(lambda: csv_table.Decoder(ReadOptions()), (one * 3).encode(), [[100, 2000, 5000]])
    assert [stretch.n for stretch in found.stretches] == [N, N, N]
    assert [notice.kind.value for _, notice in found.notices] == ["note", "clock_reset", "clock_reset"]
    for _, notice in found.notices[1:]:
        assert isinstance(notice, Notice)
        assert notice.values["clock_s"] == 0.0


def test_all_pairs_of_ways_hold_together() -> None:
    choices: list[dict[str, object]] = [
        {"delimiter": ";", "point": ","}, {"quoted": True}, {"above": ("a line", "another, with a comma")},
        {"header": "units"}, {"index": "unnamed"}, {"trailing": True}, {"missing": "NA"}, {"end": "\r\n"},
    ]  # fmt: skip
    for one, other in itertools.combinations(choices, 2):
        assert waves(read(Way(**{**one, **other}).written())) == waves(PLAIN), (one, other)  # type: ignore[arg-type]
