"""Commands to a bed that runs: placed, obeyed, answered. Without a network."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.core.session_events import ContextChange
from streamer.model.chunk import Chunk
from streamer.model.context import Context
from streamer.model.errors import ConfigError, SourceLost
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind
from streamer.service import BedPlan, SourcePlan, run_beds
from streamer.service.command_handler import REMEMBERED
from streamer.service.plan import Core, new_core
from streamer.service.publish import MemoryPublisher
from streamer.service.publish.command_inbox import MAX_WAITING, Inboxes
from streamer.service.settings import RunSettings
from streamer.wire import MAX_PAYLOAD, Source, json_schemas
from tests.support.fakes import BREATH, FakeCore, Settings, chunk
from tests.support.json_schema import problems

REPLAY = Path(__file__).parents[2] / "replay_data"
FAST = RunSettings(stall_s=5.0, state_period_s=5.0, backoff_first_s=0.01, backoff_max_s=0.02)
START = datetime(2020, 6, 1, 8, tzinfo=UTC)
GAS = {"kind": "blood_gas", "pco2_art_mmhg": 52, "po2_art_mmhg": 81, "fio2": 0.6}


class Operator:
    """Sends commands to bed ``a`` and waits for what comes of them."""

    def __init__(self) -> None:
        self.publisher = MemoryPublisher()
        self._ids = itertools.count()
        self._rows: dict[str, list[dict]] = {}
        self._read = 0

    def rows(self, topic: str) -> list[dict]:
        """All payloads of a topic; each message is read once."""
        for one in self.publisher.messages[self._read :]:
            self._read += 1
            if one.payload:
                self._rows.setdefault(one.topic.removeprefix("ventstream/v1/a/"), []).append(json.loads(one.payload))
        return self._rows.get(topic, [])

    def events(self, kind: str = "") -> list[dict]:
        return [row for row in self.rows("event") if kind in {"", row["kind"]}]

    async def until(self, kind: str, count: int = 1) -> dict:
        """Wait for so many events of a kind; the last of them."""
        async with asyncio.timeout(2.0):
            while len(found := self.events(kind)) < count:  # noqa: ASYNC110 (what is awaited has no event)
                await asyncio.sleep(0)
        return found[-1]

    async def send(self, payload: bytes, *, retained: bool = False) -> dict:
        before = len(self.events("command"))
        self.publisher.inboxes.deliver("a", payload, retained=retained)
        return await self.until("command", before + 1)

    async def say(self, *, retained: bool = False, **row: object) -> dict:
        row = {"schema": "command/1", "id": f"auto-{next(self._ids)}"} | row
        return await self.send(json.dumps(row).encode(), retained=retained)


Script = Callable[[Operator], Awaitable[None]]


async def play(
    script: Script,
    *,
    speed: float | None = math.inf,
    make_core: Callable[[BedPlan], Core] = FakeCore,
    before: bool = False,
    **more,
) -> Operator:
    """50 s of samples from 100 s on, then the script, then 10 s more; or the script ``before`` any sample."""
    operator, stop = Operator(), asyncio.Event()

    async def stream() -> AsyncGenerator[Chunk | Notice]:
        if not before:
            yield chunk(100.0, 25 * BREATH, received_ns=round(1.6e18) if speed is None else None)
        await script(operator)
        yield chunk(150.0, 5 * BREATH, received_ns=round(1.6e18 + 10e9) if speed is None else None)
        if speed is None:
            stop.set()
            await asyncio.sleep(10.0)

    source = SourcePlan(adapter="tests.support.fakes", options=Settings(stream), speed=speed)
    kind = Source.LIVE if speed is None else Source.RECORDED
    plan = BedPlan(bed="a", sources=(source,), source=kind, **more)
    (outcome,) = await run_beds([plan], operator.publisher, settings=FAST, make_core=make_core, stop=stop)
    assert not outcome.error
    schema = json_schemas()["event/1"]
    assert [text for row in operator.events() for text in problems(row, schema)] == []
    return operator


async def test_an_accepted_command_happens_and_is_answered() -> None:
    answers = []

    async def script(operator: Operator) -> None:
        answers.append(await operator.say(**GAS, id="gas-1", at_s=120.5))
        answers.append(await operator.say(kind="prone", text="four people"))

    operator = await play(script)
    gas, prone = answers
    assert (gas["outcome"], gas["command"], gas["id"]) == ("accepted", "blood_gas", "gas-1")
    assert (gas["applied_at_s"], gas["at_s"]) == (120.5, 150.0)
    assert gas["detail"] == "blood_gas accepted"
    assert prone["applied_at_s"] == 150.0  # now: the end of the newest sample
    (drawn,) = operator.events("blood_gas")
    assert (drawn["at_s"], drawn["pco2_art_mmhg"], drawn["po2_art_mmhg"], drawn["fio2"]) == (120.5, 52.0, 81.0, 0.6)
    (turned,) = operator.events("position")
    assert (turned["at_s"], turned["event"], turned["detail"]) == (150.0, "prone", "prone: four people")
    assert [row["seq"] for row in operator.events()] == list(range(len(operator.events())))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (GAS | {"at_s": 161.0}, "161.0 s lies in the future: the newest sample is of 150.0 s"),
        (GAS | {"at_s": 99.0 - 86_400}, "lies more than 24 h before this session, which began at 100.0 s"),
        (GAS | {"at": "2020-06-01T08:01:30Z"}, "190.0 s lies in the future"),
        (GAS | {"at": "2020-06-01T08:00:20"}, "expected a date-time with an offset"),
        (GAS | {"fio2": 60}, "60 % is 0.6"),
        ({"kind": "context", "patient_class": "neonate"}, "cannot change within a session"),
        ({"kind": "context", "flow_conditions": "ATPS"}, "start a new session"),
    ],
)
async def test_a_refused_command_is_answered_and_nothing_happens(row: dict[str, object], says: str) -> None:
    found = []

    async def script(operator: Operator) -> None:
        found.append(await operator.say(**row))

    operator = await play(script, start_utc=START)
    (answer,) = found
    assert answer["outcome"] == "refused"
    assert answer["command"] == row["kind"]
    assert says in answer["reason"]
    assert answer["reason"] in answer["detail"]
    assert "applied_at_s" not in answer
    assert {row["kind"] for row in operator.events()} == {"command", "note", "source_end"}


@pytest.mark.parametrize("at_s", [160.0, 100.0 - 86_400])
async def test_the_times_that_just_do(at_s: float) -> None:
    async def script(operator: Operator) -> None:
        assert (await operator.say(**GAS, at_s=at_s))["applied_at_s"] == at_s

    assert [row["at_s"] for row in (await play(script)).events("blood_gas")] == [at_s]


async def test_a_date_is_placed_on_the_clock_of_a_recording() -> None:
    async def script(operator: Operator) -> None:
        answer = await operator.say(**GAS, at="2020-06-01T10:00:20.5+02:00")
        assert answer["applied_at_s"] == pytest.approx(120.5)

    (drawn,) = (await play(script, start_utc=START)).events("blood_gas")
    assert drawn["at_utc"] == "2020-06-01T08:00:20.500Z"


async def test_a_date_is_placed_on_the_clock_of_a_live_device() -> None:
    """The samples up to 150 s arrived at 1.6e9 s of UTC."""

    async def script(operator: Operator) -> None:
        at = datetime.fromtimestamp(1.6e9 - 30.0, UTC).isoformat()
        assert (await operator.say(**GAS, at=at))["applied_at_s"] == pytest.approx(120.0)

    await play(script, speed=None)


async def test_a_date_without_a_known_clock_names_the_remedy() -> None:
    async def script(operator: Operator) -> None:
        answer = await operator.say(**GAS, at="2020-06-01T08:00:20Z")
        assert answer["outcome"] == "refused"
        assert "give at_s, on the device's clock" in answer["reason"]

    await play(script)


async def test_before_the_first_sample_there_is_no_now() -> None:
    async def script(operator: Operator) -> None:
        answer = await operator.say(**GAS)
        assert "no samples yet: send it again when it has" in answer["reason"]

    await play(script, before=True)


async def test_the_same_id_is_obeyed_once_and_a_refused_one_may_be_mended() -> None:
    async def script(operator: Operator) -> None:
        first = [(await operator.say(**GAS, id="x"))["outcome"] for _ in range(3)]
        assert first == ["accepted", "duplicate", "duplicate"]
        assert (await operator.say(kind="note", id="y", at_s=1e9))["outcome"] == "refused"
        assert (await operator.say(kind="note", id="y"))["outcome"] == "accepted"

    operator = await play(script)
    assert len(operator.events("blood_gas")) == 1
    assert [row["event"] for row in operator.events("note") if "event" in row] == ["note"]


async def test_ids_are_remembered_up_to_a_bound() -> None:
    async def script(operator: Operator) -> None:
        for number in range(REMEMBERED + 1):
            await operator.say(kind="note", id=str(number))
        assert (await operator.say(kind="note", id="1"))["outcome"] == "duplicate"
        assert (await operator.say(kind="note", id="0"))["outcome"] == "accepted"

    await play(script)


async def test_what_is_retained_is_never_obeyed() -> None:
    async def script(operator: Operator) -> None:
        answer = await operator.say(**GAS, id="r", retained=True)
        assert (answer["outcome"], answer["id"]) == ("refused", "r")
        assert "publish it without retain" in answer["reason"]
        assert (await operator.say(**GAS, id="r"))["outcome"] == "accepted"

    assert len((await play(script)).events("blood_gas")) == 1


@pytest.mark.parametrize("payload", [b"{", b"\xff\x00", b"x" * (MAX_PAYLOAD + 1), b"[" * 10_000])
async def test_what_is_no_command_is_answered_too(payload: bytes) -> None:
    async def script(operator: Operator) -> None:
        answer = await operator.send(payload)
        assert answer["outcome"] == "refused"
        assert answer["detail"].startswith("command refused: ")

    await play(script)


async def test_a_gas_that_may_be_in_kpa_is_taken_as_it_is_and_asked_about() -> None:
    async def script(operator: Operator) -> None:
        answer = await operator.say(kind="blood_gas", pco2_art_mmhg=6.9)
        assert answer["outcome"] == "accepted"
        assert (
            answer["reason"]
            == "pco2_art_mmhg 6.9 is unusually low: is it in kPa? (1 kPa is 7.50062 mmHg, 6.9 kPa are 51.8 mmHg)"
        )

    (drawn,) = (await play(script)).events("blood_gas")
    assert drawn["pco2_art_mmhg"] == 6.9
    assert "is it in kPa?" in drawn["detail"]


async def test_a_context_is_an_event_of_its_own_and_shows_in_the_state() -> None:
    async def script(operator: Operator) -> None:
        answer = await operator.say(kind="context", passive="asserted", mode="pcv", allow_sidestream_vcap=True)
        assert (answer["outcome"], answer["applied_at_s"]) == ("accepted", 150.0)
        # What is fixed may be said again as it is.
        assert (await operator.say(kind="context", patient_class="adult", sex="male"))["outcome"] == "accepted"

    operator = await play(script, context=Context(mode="vcv", patient_class="adult", height_cm=170.0))
    told, again = operator.events("context")
    assert (told["passive"], told["mode"], told["allow_sidestream_vcap"]) == ("asserted", "pcv", "true")
    assert told["detail"] == "passive asserted, mode pcv, allow_sidestream_vcap true"
    assert (again["sex"], "height_cm" in again) == ("male", False)
    states = operator.rows("state")
    assert [states[0]["mode"], states[-1]["mode"]] == ["vcv", "pcv"]


async def test_too_many_at_a_time_are_counted_and_told() -> None:
    async def script(operator: Operator) -> None:
        for number in range(2000):
            row = {"schema": "command/1", "kind": "note", "id": str(number)}
            operator.publisher.inboxes.deliver("a", json.dumps(row).encode())
        await operator.until("command", MAX_WAITING)
        await operator.until("dropped")

    operator = await play(script)
    (dropped,) = operator.events("dropped")
    assert dropped["commands"] == 2000 - MAX_WAITING
    assert [row["id"] for row in operator.events("command")] == [str(number) for number in range(MAX_WAITING)]
    assert len(operator.rows("breath")) == 30


async def test_a_core_that_fails_at_a_command_answers_and_goes_on() -> None:
    class Broken(FakeCore):
        def push(self, item: Chunk | Notice) -> list[Event]:
            if isinstance(item, Notice):
                raise ZeroDivisionError
            return super().push(item)

    async def script(operator: Operator) -> None:
        answer = await operator.say(kind="note")
        assert (answer["outcome"], answer["reason"]) == (
            "refused",
            "internal error: ZeroDivisionError; please report it",
        )

    assert len((await play(script, make_core=Broken)).rows("breath")) == 30


async def test_what_comes_while_the_source_is_away_or_at_the_end_is_answered() -> None:
    operator, stop, openings = Operator(), asyncio.Event(), 0

    async def stream() -> AsyncGenerator[Chunk | Notice]:
        nonlocal openings
        openings += 1
        yield chunk(0.0, BREATH)
        if openings == 1:
            assert (await operator.say(kind="context", mode="psv"))["outcome"] == "accepted"
            raise SourceLost("unplugged")
        stop.set()
        operator.publisher.inboxes.deliver("a", b'{"schema":"command/1","kind":"note","id":"late"}')
        await asyncio.sleep(10.0)

    async def meddle() -> None:
        await operator.until("source_lost")
        assert "send it again when the bed is online" in (await operator.say(kind="note"))["reason"]

    source = SourcePlan(adapter="tests.support.fakes", options=Settings(stream), speed=None)
    slow = RunSettings(backoff_first_s=0.2, backoff_max_s=0.2)
    meddling = asyncio.create_task(meddle())
    await run_beds(
        [BedPlan(bed="a", sources=(source,))], operator.publisher, settings=slow, make_core=FakeCore, stop=stop
    )
    await meddling
    assert operator.events("command")[-1]["id"] == "late"
    states = operator.rows("state")
    assert states[-1]["mode"] == "psv"  # what was said of the patient outlives a lost source


def test_a_command_for_a_stranger_and_the_clearing_of_a_topic_go_nowhere() -> None:
    inboxes = Inboxes()
    inbox = inboxes.of("a")
    inboxes.deliver("b", b"{}")
    inboxes.deliver("a", b"")
    assert inbox.waiting == 0
    inboxes.deliver("a", b"x" * (MAX_PAYLOAD * 3))
    assert [len(one.payload) for one in inbox.rest()] == [MAX_PAYLOAD + 1]


# ── the real core

ITEMS = list(open_recording(REPLAY / "pcv.csv").items())
UNKNOWN = Context(mode="pcv")


def pieces(seconds: float = 0.5) -> list[Chunk]:
    found = []
    for item in ITEMS:
        if isinstance(item, Chunk):
            step = max(1, round(seconds * item.rate_hz))
            found += [item.cut(first, min(first + step, len(item))) for first in range(0, len(item), step)]
    return found


async def test_a_gas_and_a_size_told_live_show_in_the_breaths_after_them() -> None:
    """And twice the same: the same commands at the same sample come to the same events."""

    async def once() -> Operator:
        operator = Operator()

        async def stream() -> AsyncGenerator[Chunk | Notice]:
            for number, piece in enumerate(pieces()):
                yield piece
                if number == 19:
                    assert (await operator.say(**GAS))["applied_at_s"] == pytest.approx(10.0)
                if number == 29:
                    await operator.say(kind="context", sex="female", height_cm=162)

        source = SourcePlan(adapter="tests.support.fakes", options=Settings(stream), speed=math.inf)
        plan = BedPlan(bed="a", sources=(source,), source=Source.RECORDED, context=UNKNOWN)
        await run_beds([plan], operator.publisher, settings=FAST, make_core=new_core)
        return operator

    operator, again = await once(), await once()
    rows = operator.rows("breath")
    assert "abg_missing" in {row["missing"]["vent_ratio"] for row in rows if row["end_s"] < 10.0}
    assert {row["missing"].get("vent_ratio") for row in rows if 10.0 <= row["end_s"] < 15.0} == {"context_missing"}
    after = [row for row in rows if row["end_s"] >= 15.0 and row["minute_volume"] is not None]
    assert len(after) > 2
    assert all(row["vent_ratio"] is not None for row in after)
    assert [told["at_s"] for told in operator.events("context")] == [15.0]
    volatile = {"session", "published_utc"}
    bare = [
        [{k: v for k, v in row.items() if k not in volatile} for row in (*one.rows("breath"), *one.events())]
        for one in (operator, again)
    ]
    assert bare[0] == bare[1]


@pytest.mark.parametrize("seconds", [0.07, 1.3])
def test_a_change_of_context_does_not_depend_on_how_the_stream_is_cut(seconds: float) -> None:
    """Told before its time, so that only data time decides."""

    def run(items: list[Chunk]) -> list[Event]:
        bed = Bed("a", context=UNKNOWN)
        change = ContextChange(at_s=12.0, context=Context(passive="asserted", sex="male", height_cm=180.0), keys=KEYS)
        found = bed.tell(change)
        for item in items:
            found += bed.push(item)
        return found + bed.close()

    found = run(pieces(seconds))
    assert found == run([item for item in ITEMS if isinstance(item, Chunk)])
    known = [one.end_s for one in found if isinstance(one, BreathRecord) and "mp_pbw" in one.values]
    unknown = [
        one.end_s for one in found if isinstance(one, BreathRecord) and one.missing.get("mp_pbw") == "context_missing"
    ]
    assert known
    assert unknown
    assert max(unknown) < 12.0 <= min(known)


KEYS = frozenset({"passive", "sex", "height_cm"})


def test_only_stated_keys_change_and_what_acts_on_samples_never() -> None:
    bed = Bed("a", context=Context(sex="male", height_cm=180.0, flow_conditions="BTPS"))
    bed.tell(ContextChange(at_s=0.0, context=Context(mode="vcv"), keys=frozenset({"mode"})))
    same = ContextChange(at_s=0.0, context=Context(flow_conditions="BTPS"), keys=frozenset({"flow_conditions"}))
    assert [one.kind for one in [*bed.tell(same), *bed.close()] if isinstance(one, Notice)] == [NoticeKind.CONTEXT] * 2
    assert bed._context == Context(sex="male", height_cm=180.0, flow_conditions="BTPS", mode="vcv")
    with pytest.raises(ConfigError, match="flow_conditions acts on the samples"):
        bed.tell(ContextChange(at_s=0.0, context=Context(flow_conditions="ATPS"), keys=frozenset({"flow_conditions"})))


def test_a_notice_of_context_that_does_not_fit_changes_nothing() -> None:
    bed = Bed("a", context=UNKNOWN)
    bed.push(Notice(bed="", at_s=0.0, kind=NoticeKind.CONTEXT, values={"height_cm": 3000.0, "sex": "male"}))
    bed.close()
    assert bed._context == UNKNOWN
