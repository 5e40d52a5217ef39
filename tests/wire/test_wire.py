from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.rolling import RollingSettings
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind, Stat, Summary
from streamer.service.counters import Counters
from streamer.wire import (
    DEFAULT_PERIOD_S,
    BedState,
    Message,
    Origin,
    Policy,
    Presence,
    Source,
    WireSettings,
    asyncapi_document,
    check_bed_id,
    clear,
    decode,
    encode,
    encode_state,
    encode_status,
    json_schemas,
    schema_document,
    schema_payload,
    utc_text,
)
from streamer.wire.asyncapi import CHANNELS
from streamer.wire.encode import BREATH_FIELDS, ENVELOPE, SUMMARY_FIELDS
from streamer.wire.keys import key_table
from tests.support.fakes import breath, summary
from tests.support.json_schema import problems

REPO = Path(__file__).parents[2]
ORIGIN = Origin(prefix="ventstream/v1", bed="icu-04", session="20200601T080000-a1b2c3", source=Source.RECORDED)
EPOCH_NS = 1_591_000_000_000_000_000


def utc_of(device_s: float) -> int:
    return EPOCH_NS + round(device_s * 1e9)


def numbered(message: Message) -> Message:
    return replace(message, seq=3, published_ns=EPOCH_NS)


def row_of(event: Event, clock: Callable[[float], int | None] = utc_of) -> dict:
    return json.loads(numbered(encode(event, ORIGIN, clock)).payload)


def test_a_breath_is_one_flat_row_with_every_key() -> None:
    record = breath("icu-04", 118, length_s=4.0007)
    row = row_of(record)
    assert set(key_table()) <= row.keys()
    assert row["schema"] == "breath/1"
    assert (row["bed"], row["session"], row["seq"], row["source"]) == ("icu-04", ORIGIN.session, 3, "recorded")
    assert row["start_s"] == 472.083
    assert row["end_s"] == 476.083  # to the millisecond
    assert row["start_utc"] == utc_text(utc_of(472.0826))
    assert row["published_utc"] == "2020-06-01T08:26:40.000Z"
    keys = list(key_table())
    assert row[keys[0]] == 17.8571  # six digits
    assert row[keys[1]] is None
    assert row["missing"][keys[1]] == "no_hold"
    assert row[f"{keys[0]}_method"] == "standard"
    assert row["quality"] == {keys[0]: "B"}
    assert row["flags"] == ["hold"]


def test_topics_and_delivery() -> None:
    found = encode(breath("icu-04", 0), ORIGIN, utc_of)
    assert (found.topic, found.qos, found.retain, found.policy) == (
        "ventstream/v1/icu-04/breath",
        1,
        False,
        Policy.EVERY,
    )
    found = encode(summary("icu-04", 60.0), ORIGIN, utc_of)
    assert found.topic == "ventstream/v1/icu-04/summary/1m"
    assert (found.qos, found.retain, found.policy, found.expiry_s) == (1, True, Policy.LATEST, 20)
    assert encode(summary("b", 3600.0, "60m", 3600.0), ORIGIN, utc_of).expiry_s == 240
    found = encode(Notice(bed="icu-04", at_s=1.0, kind=NoticeKind.GAP), ORIGIN, utc_of)
    assert (found.topic, found.retain, found.policy) == ("ventstream/v1/icu-04/event", False, Policy.EVERY)
    found = encode_state(BedState(state=Presence.ONLINE), ORIGIN, utc_of, policy=Policy.LATEST)
    assert (found.topic, found.retain, found.policy) == ("ventstream/v1/icu-04/state", True, Policy.LATEST)
    found = clear("ventstream/v1/icu-04/state", ORIGIN)
    assert (found.payload, found.retain) == (b"", True)


def test_a_summary_has_a_centre_for_every_key_or_a_reason() -> None:
    table = key_table()
    withheld = next(iter(table))
    whole = summary("icu-04", 60.0)
    stats = {**whole.stats, withheld: Stat(n=2, last=5.0, age_s=12.3456, reason="low_coverage")}
    row = row_of(replace(whole, stats=stats))
    for key, entry in table.items():
        centre = "mean" if entry.weighted_by else "median"
        assert row[f"{key}_{centre}"] == (None if key == withheld else 2.0)
        assert f"{key}_{'median' if centre == 'mean' else 'mean'}" not in row
    assert row["missing"] == {withheld: "low_coverage"}
    assert (row[f"{withheld}_n"], row[f"{withheld}_last"], row[f"{withheld}_age_s"]) == (2, 5.0, 12.346)


def test_what_is_not_a_number_never_reaches_the_wire() -> None:
    keys = list(key_table())
    odd = replace(breath("b", 0), values={keys[0]: math.nan, keys[2]: math.inf}, missing={keys[1]: "no_hold"})
    row = row_of(odd)
    assert row[keys[0]] is None
    assert row["missing"] == {keys[0]: "implausible", keys[1]: "no_hold", keys[2]: "implausible"}
    assert "NaN" not in encode(odd, ORIGIN, utc_of).body.decode()


def test_an_unknown_utc_is_null_and_events_may_use_any_name() -> None:
    row = row_of(breath("b", 0), clock=lambda _: None)
    assert row["start_utc"] is None
    notice = Notice(bed="icu-04", at_s=2.0, kind=NoticeKind.NOTE, detail="x", values={"kind": "y", "count": 3.0})
    row = row_of(notice)
    assert (row["kind"], row["value_kind"], row["count"]) == ("note", "y", 3.0)
    assert decode(numbered(encode(notice, ORIGIN, utc_of)).payload).event == notice  # type: ignore[union-attr]


def test_utc_text_knows_its_bounds() -> None:
    assert utc_text(0) == "1970-01-01T00:00:00.000Z"
    assert utc_text(999_500_000) == "1970-01-01T00:00:01.000Z"
    assert utc_text(-1_500_000) == "1969-12-31T23:59:59.999Z"
    assert utc_text(10**25) is None
    assert utc_text(None) is None


TIMES = st.floats(min_value=0.0, max_value=1e7)
VALUES = st.floats(min_value=-1e6, max_value=1e6)


@st.composite
def breaths(draw: st.DrawFn) -> BreathRecord:
    keys = list(key_table())
    present = draw(st.sets(st.sampled_from(keys)))
    start = draw(TIMES)
    return BreathRecord(
        bed="icu-04",
        number=draw(st.integers(0, 10**6)),
        start_s=start,
        end_s=start + draw(st.floats(0.5, 15.0)),
        values={key: draw(VALUES) for key in keys if key in present},
        missing={key: draw(st.sampled_from(["no_hold", "leak_high"])) for key in keys if key not in present},
        quality=dict.fromkeys(list(present)[:2], "A"),
        methods=dict.fromkeys(list(present)[:1], "quasi-static"),
        flags=frozenset(draw(st.sets(st.sampled_from(Flag)))),
    )


@st.composite
def summaries(draw: st.DrawFn) -> Summary:
    optional = st.none() | VALUES
    stats = {}
    for key, entry in key_table().items():
        centre = draw(optional)
        stats[key] = Stat(
            n=draw(st.integers(0, 900)),
            **{"mean" if entry.weighted_by else "median": centre},
            p25=draw(optional),
            p75=draw(optional),
            last=draw(optional),
            age_s=draw(st.none() | TIMES),
            reason=None if centre is not None else "low_coverage",
        )
    end = draw(TIMES)
    window = draw(st.sampled_from(["1m", "60m"]))
    return Summary(bed="icu-04", window=window, start_s=end - 60.0, end_s=end, breaths=9, coverage=0.5, stats=stats)


NOTICES = st.builds(
    Notice,
    bed=st.just("icu-04"),
    at_s=TIMES,
    kind=st.sampled_from(NoticeKind),
    detail=st.text(max_size=50),
    values=st.dictionaries(st.sampled_from(["messages", "gap_s", "line"]), VALUES | st.text(max_size=9)),
)


@given(breaths() | summaries() | NOTICES)
def test_round_trip(event: Event) -> None:
    """What comes back is what went out, to six digits and the millisecond; and going out again changes nothing."""
    sent = numbered(encode(event, ORIGIN, utc_of))
    received = decode(sent.payload)
    assert received is not None
    assert not problems(received.row, json_schemas()[f"{received.kind}/1"])
    back = received.event
    assert back is not None
    again = numbered(encode(back, ORIGIN, utc_of))
    assert without_utc(again) == without_utc(sent)
    assert_near(event, back)


def without_utc(message: Message) -> dict:
    """Times are rounded before UTC is made of them the second time."""
    return {key: value for key, value in json.loads(message.payload).items() if not key.endswith("_utc")}


def assert_near(sent: Event, back: Event) -> None:
    if isinstance(sent, BreathRecord):
        assert isinstance(back, BreathRecord)
        assert (back.number, back.missing, back.quality, back.methods, back.flags) == (
            sent.number,
            sent.missing,
            sent.quality,
            sent.methods,
            sent.flags,
        )
        assert back.values == pytest.approx(dict(sent.values), rel=5.1e-6)
        assert back.start_s == pytest.approx(sent.start_s, abs=5.1e-4)
    elif isinstance(sent, Summary):
        assert isinstance(back, Summary)
        for key, stat in sent.stats.items():
            assert (back.stats[key].n, back.stats[key].reason) == (stat.n, stat.reason)
            for name in ("median", "mean", "p25", "p75", "last"):
                went, came = getattr(stat, name), getattr(back.stats[key], name)
                assert came is None if went is None else came == pytest.approx(went, rel=5.1e-6)
    else:
        assert isinstance(back, Notice)
        assert (back.kind, back.detail, back.values.keys()) == (sent.kind, sent.detail, sent.values.keys())


def test_the_summary_period_is_that_of_rolling() -> None:
    assert RollingSettings().min_period_s == DEFAULT_PERIOD_S


def test_no_metric_is_named_like_a_field() -> None:
    assert not set(key_table()) & {*ENVELOPE, *BREATH_FIELDS, *SUMMARY_FIELDS}
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) and not key.endswith("_method") for key in key_table())


def test_every_kind_fits_its_published_schema() -> None:
    schemas = json_schemas()
    state = BedState(
        state=Presence.OFFLINE,
        at_s=12.3456,
        reason="the source ended",
        adapter="recording",
        mode="vcv",
        speed=1.0,
        rate_hz=100.0,
        clock_offset_s=1.5e9,
        counters=Counters().totals(),
        last_seq={"breath": 10, "summary/1m": 2},
    )
    payload = numbered(encode_state(state, ORIGIN, utc_of, policy=Policy.EVERY)).payload
    assert json.loads(payload)["last_seq_summary_1m"] == 2
    assert not problems(json.loads(payload), schemas["state/2"])
    status = json.loads(encode_status(online=True, session="ab", version="1.0"))
    assert not problems(status, schemas["status/1"])
    assert problems(status | {"extra": 1}, schemas["status/1"])  # the check can fail
    row = row_of(breath("icu-04", 1))
    assert not problems(row, schemas["breath/1"])
    assert problems({key: row[key] for key in row if key != "missing"}, schemas["breath/1"])
    assert problems(row | {next(iter(key_table())): "1"}, schemas["breath/1"])


def test_the_schema_document_explains_every_key() -> None:
    document = json.loads(schema_payload(schema_document()))
    assert document["schema"] == "schema/1"
    assert list(document["keys"]) == list(key_table())
    for entry in document["keys"].values():
        assert entry["unit"]
        assert entry["about"]
    assert decode(schema_payload(schema_document())).kind == "schema"  # type: ignore[union-attr]


def test_asyncapi_names_every_topic_and_only_existing_schemas() -> None:
    document = asyncapi_document()
    assert document["asyncapi"] == "3.0.0"
    assert document["channels"].keys() == document["components"]["messages"].keys() == CHANNELS.keys()
    text = json.dumps(document)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', text):
        node = document
        for part in reference.split("/"):
            node = node[part]
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    assert {name for name, action in actions.items() if action == "receive"} == {"receive_command"}
    assert document["channels"]["command"]["address"] == "ventstream/v1/{bed}/command"
    assert document["components"]["schemas"]["command"] == json_schemas()["command/1"]
    assert document["channels"]["breath"]["address"] == "ventstream/v1/{bed}/breath"


def test_the_asyncapi_document_is_printed() -> None:
    done = subprocess.run([sys.executable, "-m", "streamer.wire"], capture_output=True, check=True, cwd=REPO)
    assert json.loads(done.stdout) == json.loads(json.dumps(asyncapi_document()))


@pytest.mark.parametrize("bed", ["", "a/b", "bed#1", "+", "ü", "a b", "x" * 65, "status", "schema", "a\n"])
def test_bad_bed_ids(bed: str) -> None:
    with pytest.raises(ConfigError, match="bed id"):
        check_bed_id(bed)


@pytest.mark.parametrize("root", ["", "/x", "x/", "a//b", "a/#", "+", "$SYS", "a b"])
def test_bad_roots(root: str) -> None:
    with pytest.raises(ConfigError, match="topic root"):
        WireSettings(root=root)


def test_good_names() -> None:
    assert check_bed_id("icu-04.b_1") == "icu-04.b_1"
    assert WireSettings(root="hospital/ventstream").status_topic == "hospital/ventstream/v1/status"


@pytest.mark.parametrize(
    "payload",
    [b"{", b"[]", b"1", b"\xff", b"{}", b'{"schema":7}', b'{"schema":"breath"}', b'{"schema":"other/1"}',
     b"[" * 100_000, b'{"schema":"breath/1"}', b'{"schema":"event/1","kind":"x","bed":"a","at_s":1,"detail":""}'],
)  # fmt: skip
def test_malformed_payloads_are_one_line_errors(payload: bytes) -> None:
    with pytest.raises(DecodeError) as error:
        decode(payload)
    assert "\n" not in str(error.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    with suppress(DecodeError):
        decode(payload)


def test_a_cleared_topic_is_nothing_and_newer_schemas_still_read() -> None:
    assert decode(b"") is None
    row = row_of(breath("icu-04", 1)) | {"schema": "breath/2", "flags": ["hold", "new_flag"]}
    received = decode(json.dumps(row).encode())
    assert received is not None
    assert isinstance(received.event, BreathRecord)
    assert received.event.flags == {Flag.HOLD}
