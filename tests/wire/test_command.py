"""A payload of the command topic: understood or refused, never anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.model.context import BloodGas, Context, SessionEvent, doubts
from streamer.wire import MAX_PAYLOAD, Command, Refusal, json_schemas, parse_command
from streamer.wire.command import COMMANDS, MAX_ID
from tests.support.json_schema import problems

GAS = {"kind": "blood_gas", "pco2_art_mmhg": 52, "po2_art_mmhg": 81, "fio2": 0.6, "ph": 7.31}


def parsed(**row: object) -> Command | Refusal:
    return parse_command(json.dumps({"schema": "command/1"} | row).encode())


def reason(**row: object) -> str:
    found = parsed(**row)
    assert isinstance(found, Refusal), found
    return found.reason


def test_what_each_kind_says() -> None:
    gas = parsed(**GAS, at_s=12, id="7")
    assert isinstance(gas, Command)
    assert (gas.kind, gas.id, gas.at_s, gas.at) == ("blood_gas", "7", 12.0, None)
    assert isinstance(gas.said, BloodGas)
    assert (gas.said.pco2_art_mmhg, gas.said.po2_art_mmhg, gas.said.fio2, gas.said.ph) == (52.0, 81.0, 0.6, 7.31)
    event = parsed(kind="prone", at="2020-06-01T08:00:00Z", text=" turned\n by\tfour \x1b[2J")
    assert isinstance(event, Command)
    assert isinstance(event.said, SessionEvent)
    assert (event.at, event.said.kind) == (datetime(2020, 6, 1, 8, tzinfo=UTC), "prone")
    assert event.said.text == r"turned by four \x1b[2J"  # one line that no terminal obeys
    context = parsed(kind="context", passive="asserted", height_cm=162)
    assert isinstance(context, Command)
    assert isinstance(context.said, Context)
    assert context.keys == {"passive", "height_cm"}
    assert (context.at_s, context.at) == (None, None)
    withdrawn = parsed(kind="context", allow_sidestream_vcap=False)  # the default, and yet stated
    assert isinstance(withdrawn, Command)
    assert withdrawn.keys == {"allow_sidestream_vcap"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"kind": "note", "schema": "command/2"}, 'expected "schema": "command/1", not \'command/2\''),
        ({}, "missing key 'kind'; known: blood_gas, context, note, prone, recruitment, settings, suction, supine"),
        ({"kind": "pron"}, "unknown kind 'pron'; did you mean 'prone'?"),
        ({"kind": 3}, "unknown kind 3.0; known: blood_gas"),
        ({"kind": "context", "pasive": "asserted"}, "unknown key 'pasive'; did you mean 'passive'?"),
        ({"kind": "context", "passive": "yes"}, "passive = 'yes': expected one of asserted, not_asserted"),
        ({"kind": "context", "at_s": 3, "sex": "male"}, "at_s: a context has no time: it holds from now on"),
        ({"kind": "context"}, "a context that states nothing: name the keys that change"),
        ({"kind": "context", "sex": None}, "a value is null: leave out what is not known"),
        ({"kind": "context", "height_cm": -162}, "height_cm = -162: expected a number >= 20"),
        ({"kind": "context", "height_cm": True}, "height_cm = true: expected a number"),
        (GAS | {"fio2": 60}, "fio2 = 60: expected a number <= 1 (a fraction; 60 % is 0.6)"),
        (GAS | {"pco2_art_mmhg": 4.6}, "pco2_art_mmhg = 4.6: expected a number >= 5 (mmHg; 1 kPa is 7.5)"),
        (GAS | {"pco2_art_mmhg": "52"}, "pco2_art_mmhg = '52': expected a number (mmHg; 1 kPa is 7.5)"),
        ({"kind": "blood_gas"}, "a blood gas without a value: give one of pco2_art_mmhg, po2_art_mmhg, fio2, ph"),
        (GAS | {"at_s": 1, "at": "2020-06-01T08:00:00Z"}, "at_s and at both give a time"),
        (GAS | {"at": "2020-06-01T08:00:00"}, "expected a date-time with an offset, such as 2020-06-01T08:00:00Z"),
        (GAS | {"at": "yesterday"}, "at = 'yesterday'"),
        ({"kind": "note", "text": "x" * 501}, "text = 'xxx"),
        ({"kind": "note", "id": "x" * (MAX_ID + 1)}, "id = 'xxx"),
        ({"kind": "note", "text": {"a": 1}}, "not a command: send one flat JSON object"),
    ],
)
def test_what_is_refused_says_why_and_what_to_do(row: dict[str, object], says: str) -> None:
    assert says in reason(**row)


def test_a_refusal_names_what_could_be_read() -> None:
    found = parsed(kind="blood_gas", id="abc", fio2=60)
    assert isinstance(found, Refusal)
    assert (found.kind, found.id) == ("blood_gas", "abc")


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"1", b"\xff", b'{"a":"\xff"}', b"[" * 15_000, b'{"a":' * 3000, b'{"schema":"command/1"',
     b'{"at_s":1e999}', b'{"at_s":NaN}', b'{"at_s":' + b"9" * 5000 + b"}", b'{"a":"\\ud800"}',
     b"x" * (MAX_PAYLOAD + 1)],
)  # fmt: skip
def test_what_is_no_command(payload: bytes) -> None:
    found = parse_command(payload)
    assert isinstance(found, Refusal)
    assert found.reason
    assert found.reason.isprintable()


SCALARS = st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=70), st.just([]))
FIELDS = sorted({name for holder in COMMANDS.values() for name in holder.__struct_fields__} | {"x"})
KINDS = st.sampled_from(sorted(COMMANDS))


@given(st.binary(max_size=300))
def test_any_bytes_are_understood_or_refused(payload: bytes) -> None:
    assert isinstance(parse_command(payload), Command | Refusal)


@given(KINDS, st.dictionaries(st.sampled_from(FIELDS), SCALARS, max_size=6))
def test_any_object_is_understood_or_refused_in_one_line(kind: str, row: dict[str, object]) -> None:
    found = parsed(**{"kind": kind} | row)
    if isinstance(found, Refusal):
        assert found.reason
        assert found.reason.isprintable()
    else:
        assert len(found.id) <= MAX_ID
        assert found.keys <= row.keys()


VALUES = {
    "blood_gas": {"pco2_art_mmhg": st.floats(0, 300), "fio2": st.floats(0, 2), "at_s": st.floats(-1e6, 1e6)},
    "context": {"height_cm": st.floats(0, 300), "sex": st.sampled_from(["male", "m"]), "weight_kg": st.floats(-1, 501)},
    "note": {"text": st.text(max_size=20), "id": st.text(max_size=70), "at_s": st.floats(-1e6, 1e6)},
}


@given(st.data())
def test_the_schema_says_what_the_parser_does(data: st.DataObject) -> None:
    """Each key by itself; that a gas has a value, and a context a key, JSON Schema is not asked to say."""
    kind = data.draw(st.sampled_from(sorted(VALUES)))
    filler = {"blood_gas": {"ph": 7.3}, "context": {"mode": "vcv"}, "note": {}}[kind]
    row = {"schema": "command/1", "kind": kind, **filler, **data.draw(st.fixed_dictionaries({}, optional=VALUES[kind]))}
    fits = not problems(row, json_schemas()["command/1"])
    assert fits == isinstance(parse_command(json.dumps(row).encode()), Command)


def test_the_schema_refuses_null_and_unknown_keys() -> None:
    schema = json_schemas()["command/1"]
    good = {"schema": "command/1", **GAS}
    assert not problems(good, schema)
    assert problems(good | {"fio2": None}, schema)
    assert problems(good | {"fi02": 0.6}, schema)
    assert problems({key: good[key] for key in good if key != "schema"}, schema)


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"pco2_art_mmhg": 6.9}, {"pco2_art_mmhg"}),
        ({"pco2_art_mmhg": 6.9, "po2_art_mmhg": 10.8}, {"pco2_art_mmhg", "po2_art_mmhg"}),
        ({"pco2_art_mmhg": 15.0, "po2_art_mmhg": 20.0, "fio2": 0.21}, set()),
    ],
)
def test_a_value_that_may_be_in_kpa_is_asked_about_and_left_as_it_is(values: dict, asked: set[str]) -> None:
    found = doubts(BloodGas(**values))
    assert found.keys() == asked
    assert all("is it in kPa?" in text for text in found.values())
