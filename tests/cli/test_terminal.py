"""The terminal views: what a subscriber gets, readable, and nothing it gets may break them."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from streamer.cli.terminal import SAFETY, Board, Display
from streamer.core.metrics import METRICS
from streamer.core.metrics.display import SHOWN
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind, Stat, Summary
from streamer.wire import BedState, Message, Origin, Policy, Presence, Source, WireSettings, encode, encode_state

WIRE = WireSettings()
ORIGIN = Origin(prefix=WIRE.prefix, bed="icu-04", session="s1", source=Source.SIMULATED)
BREATH = BreathRecord(
    bed="icu-04",
    number=118,
    start_s=808.4,
    end_s=812.4,
    values={"rr": 15.04, "vt_exp": 421.7, "ppeak": 23.14, "peep": 8.0, "mp": 12.35},
    missing={key: "no_hold" for key in METRICS if key not in {"rr", "vt_exp", "ppeak", "peep", "mp"}},
    flags=frozenset({Flag.SHORT_CYCLE}),
)
SUMMARY = Summary(
    bed="icu-04",
    window="1m",
    start_s=750.0,
    end_s=810.0,
    breaths=15,
    coverage=0.98,
    stats={
        "rr": Stat(n=15, mean=15.1, p25=15.0, p75=15.2, last=15.0),
        "pplat": Stat(n=0, last=21.34, age_s=42.0, reason="low_coverage"),
    },
)


def no_utc(_device_s: float) -> None:
    return None


def put(board: Board, message: Message) -> str | None:
    return board.take(message.topic, message.payload)


def text_of(screen: RenderableType) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(screen)
    return capture.get()


def state(presence: Presence) -> Message:
    return encode_state(BedState(state=presence), ORIGIN, no_utc, policy=Policy.EVERY)


def test_a_bed_in_one_line() -> None:
    board = Board(WIRE)
    assert put(board, state(Presence.ONLINE)) == "icu-04  online"
    line = put(board, encode(BREATH, ORIGIN, no_utc))
    assert line == (
        "icu-04  812.4 s  breath 118  RR 15.0  VTe 422  Ppeak 23.1  PEEP 8.0  MP 12.3  PetCO2 -(no_hold)  "
        "VD/VT -(no_hold)  Cest -(no_hold)  short_cycle"
    )
    assert put(board, encode(SUMMARY, ORIGIN, no_utc)) is None
    shown = text_of(board.table())
    row = next(line for line in shown.splitlines() if "icu-04" in line)
    assert row.split() == [
        "icu-04",
        "simulated",
        "812.4",
        "s",
        "15.0",
        "422",
        "23.1",
        "8.0",
        "21.3",
        "-",
        "12.3",
        "-",
        "-",
        "-",
        "42",
        "s",
    ]
    assert SAFETY in shown
    assert re.search(r"1m .* 15\.1", text_of(board.rolling("icu-04")))


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_number_is_cut_on_a_narrow_screen(width: int) -> None:
    board = Board(WIRE)
    for message in (state(Presence.ONLINE), encode(BREATH, ORIGIN, no_utc), encode(SUMMARY, ORIGIN, no_utc)):
        put(board, message)
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(board.table(width))
    shown = capture.get()
    row = next(line.split() for line in shown.splitlines() if "icu-04" in line)
    assert "…" not in shown
    full = ["icu-04", "simulated", "812.4", "s", "15.0", "422", "23.1", "8.0", "21.3", "-", "12.3", "-", "-", "-"]
    assert row[:-2] == full[: len(row) - 2]
    assert len(row) == {80: 14, 100: 16}.get(width, len(row))


def test_events_and_changes_of_state() -> None:
    board = Board(WIRE)
    put(board, state(Presence.ONLINE))
    assert put(board, state(Presence.ONLINE)) is None
    assert put(board, state(Presence.STALLED)) == "icu-04  stalled"
    notice = Notice(bed="icu-04", at_s=3.0, kind=NoticeKind.GAP, detail="1.2 s without samples")
    assert put(board, encode(notice, ORIGIN, no_utc)) == "icu-04  3.0 s  gap: 1.2 s without samples"
    assert "gap: 1.2 s without samples" in text_of(board.table())


def test_a_bed_that_ended_stays_until_there_are_many() -> None:
    board = Board(WIRE)
    put(board, state(Presence.ONLINE))
    put(board, encode(BREATH, ORIGIN, no_utc))
    for topic in ("icu-04/summary/1m", "icu-04/state", "never/state"):
        assert board.take(f"{WIRE.prefix}/{topic}", b"") is None
    assert list(board.beds) == ["icu-04"]
    assert re.search(r"icu-04 ended .*812\.4 s", text_of(board.table()))
    for number in range(100):
        row = {"schema": "state/2", "state": "online"}
        board.take(f"{WIRE.prefix}/bed-{number}/state", msgspec.json.encode(row))
        board.take(f"{WIRE.prefix}/bed-{number}/state", b"")
    assert len(board.beds) == 20


@pytest.mark.parametrize(
    "payload", [b"{", b"[]", b"null", b"\xff", b"{}", b'{"schema":"breath/1"}', b'{"schema":"vital/9"}']
)
def test_what_cannot_be_read_is_said_and_counted(payload: bytes) -> None:
    board = Board(WIRE)
    line = board.take(f"{WIRE.prefix}/icu-04/breath", payload)
    assert line is not None
    assert line.startswith("ventstream/v1/icu-04/breath: payload ")
    assert "1 unreadable" in text_of(board.table())


def test_a_newer_schema_is_still_read() -> None:
    board = Board(WIRE)
    row = msgspec.json.decode(encode(BREATH, ORIGIN, no_utc).payload) | {"schema": "breath/2", "new_field": None}
    assert "breath 118" in str(board.take(f"{WIRE.prefix}/icu-04/breath", msgspec.json.encode(row)))


def test_nothing_steers_the_terminal() -> None:
    board = Board(WIRE)
    notice = Notice(bed="icu-04", at_s=3.0, kind=NoticeKind.NOTE, detail="\x1b[2J\n[red]x[/red][/]")
    line = put(board, encode(notice, ORIGIN, no_utc))
    assert line == "icu-04  3.0 s  note: [2J[red]x[/red][/]"
    assert "[red]x[/red][/]" in text_of(board.table())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
FIELDS = [
    "bed", "state", "reason", "source", "status", "number", "start_s", "end_s", "window", "breaths", "coverage",
    "missing", "quality", "flags", "kind", "at_s", "detail", "rr", "rr_n", "rr_mean", "pplat_last", "pplat_age_s",
]  # fmt: skip
ROWS = st.builds(
    lambda kind, row: {"schema": f"{kind}/1", **row},
    st.sampled_from(["breath", "summary", "event", "state", "status", "schema"]),
    st.dictionaries(
        st.sampled_from(FIELDS),
        JSON,
    ),
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a/breath", "a/summary/1m", "a/state", "status", "a", "a/x/y"]), ROWS), max_size=4
    )
)
def test_no_message_breaks_the_view(messages: list[tuple[str, dict[str, object]]]) -> None:
    board = Board(WIRE)
    for topic, row in messages:
        line = board.take(f"{WIRE.prefix}/{topic}", msgspec.json.encode(row))
        assert line is None or line.isprintable()
    text_of(board.table())
    text_of(board.rolling("a"))


def test_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(WIRE) as display:
        message = encode(BREATH, ORIGIN, no_utc)
        display.take(message.topic, message.payload)
    assert capsys.readouterr().out.startswith("icu-04  812.4 s  breath 118")


def test_only_known_keys_are_shown() -> None:
    assert SHOWN.keys() <= METRICS.keys()
    assert all(METRICS[key].unit == unit for key, (_, unit, _) in SHOWN.items())
