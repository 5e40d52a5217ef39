from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.model.errors import ConfigError
from streamer.wire import Message, Policy
from streamer.wire.outbox import Outbox, OutboxSettings, WhenFull


def message(
    topic: str, bed: str = "a", *, policy: Policy = Policy.EVERY, session: str = "s", body: str = "{}"
) -> Message:
    return Message(topic=f"{bed}/{topic}", body=body.encode(), bed=bed, session=session, policy=policy)


def drain(outbox: Outbox) -> list[Message]:
    taken = []
    while (found := outbox.take(7)) is not None:
        taken.append(found)
        outbox.settle(found)
    return taken


def test_every_message_keeps_its_order_and_number() -> None:
    outbox = Outbox()
    for _ in range(5):
        assert outbox.put(message("breath"), WhenFull.WAIT)
    taken = drain(outbox)
    assert [found.seq for found in taken] == [0, 1, 2, 3, 4]
    assert {found.published_ns for found in taken} == {7}
    assert len(outbox) == 0


def test_the_newest_summary_takes_the_place_and_number_of_the_unsent_one() -> None:
    outbox = Outbox()
    outbox.put(message("summary", policy=Policy.LATEST, body='{"v":1}'), WhenFull.WAIT)
    outbox.put(message("breath"), WhenFull.WAIT)
    outbox.put(message("summary", policy=Policy.LATEST, body='{"v":2}'), WhenFull.WAIT)
    first, second = drain(outbox)
    assert (first.body, first.seq) == (b'{"v":2}', 0)
    assert second.topic == "a/breath"
    outbox.put(message("summary", policy=Policy.LATEST), WhenFull.WAIT)
    assert [found.seq for found in drain(outbox)] == [1]


def test_a_summary_in_flight_is_not_replaced() -> None:
    outbox = Outbox()
    outbox.put(message("summary", policy=Policy.LATEST, body='{"v":1}'), WhenFull.WAIT)
    flying = outbox.take(1)
    outbox.put(message("summary", policy=Policy.LATEST, body='{"v":2}'), WhenFull.WAIT)
    outbox.requeue()
    assert [(found.body, found.seq) for found in drain(outbox)] == [(b'{"v":1}', 0), (b'{"v":2}', 1)]
    assert flying is not None


def test_full_lanes_drop_wait_or_exceed() -> None:
    outbox = Outbox(OutboxSettings(max_messages=2))
    outbox.put(message("state", policy=Policy.LATEST), WhenFull.DROP_OLDEST)
    for _ in range(2):
        assert outbox.put(message("breath"), WhenFull.WAIT)
    assert not outbox.put(message("breath"), WhenFull.WAIT)
    assert outbox.dropped("a") == 0
    assert outbox.put(message("breath"), WhenFull.DROP_OLDEST)
    assert outbox.dropped("a") == 1
    assert outbox.put(message("breath"), WhenFull.EXCEED)
    taken = drain(outbox)
    assert [found.topic for found in taken] == ["a/state", "a/breath", "a/breath", "a/breath"]
    assert [found.seq for found in taken[1:]] == [1, 2, 3]  # the hole at 0 is the loss


def test_a_full_bed_costs_another_nothing() -> None:
    outbox = Outbox(OutboxSettings(max_messages=3))
    for _ in range(3):
        outbox.put(message("breath", "replay"), WhenFull.WAIT)
    assert not outbox.has_room("replay")
    assert outbox.put(message("breath", "live"), WhenFull.DROP_OLDEST)
    assert outbox.dropped("live") == 0
    assert [found.bed for found in drain(outbox)] == ["replay", "live", "replay", "replay"]


def test_a_new_session_counts_from_zero_and_the_last_numbers_are_told() -> None:
    outbox = Outbox()
    for session in ("one", "one", "two"):
        outbox.put(message("breath", session=session), WhenFull.WAIT)
    outbox.put(message("summary/1m", session="two", policy=Policy.LATEST), WhenFull.WAIT)
    assert [found.seq for found in drain(outbox)] == [0, 1, 0, 0]
    assert outbox.numbers.last("a/", "two") == {"breath": 0, "summary/1m": 0}


def test_an_empty_message_has_no_number() -> None:
    outbox = Outbox()
    outbox.put(message("state", body=""), WhenFull.EXCEED)
    (cleared,) = drain(outbox)
    assert cleared.seq is None
    assert cleared.payload == b""


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="max_messages"):
        OutboxSettings(max_messages=0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), st.sampled_from(["breath", "event"])),
        st.tuples(st.just("latest"), st.sampled_from("abc"), st.sampled_from(["state", "summary"])),
        st.tuples(st.just("take"), st.integers(1, 4)),
        st.tuples(st.just("settle"), st.integers(0, 3)),
        st.tuples(st.just("lose")),
    ),
    max_size=80,
)


@given(STEPS, st.integers(1, 6))
def test_nothing_is_lost_or_disordered_without_being_counted(steps: list[tuple], bound: int) -> None:
    """Any interleaving of puts, sends, acknowledgements and lost connections."""
    outbox = Outbox(OutboxSettings(max_messages=bound))
    flying: list[Message] = []
    delivered: dict[str, list[int]] = defaultdict(list)
    put: dict[str, int] = defaultdict(int)

    def settle(found: Message) -> None:
        outbox.settle(found)
        assert found.seq is not None
        delivered[found.topic].append(found.seq)

    for step in steps:
        match step:
            case ("put", bed, topic):
                assert outbox.put(message(topic, bed), WhenFull.DROP_OLDEST)
                put[bed] += 1
            case ("latest", bed, topic):
                outbox.put(message(topic, bed, policy=Policy.LATEST), WhenFull.DROP_OLDEST)
            case ("take", count):
                flying += [found for _ in range(count) if (found := outbox.take(0)) is not None]
            case ("settle", count):
                for found in flying[:count]:
                    settle(found)
                del flying[:count]
            case ("lose",):
                outbox.requeue()
                flying.clear()
        assert outbox.in_flight == len(flying)
    for found in flying:
        settle(found)
    while (last := outbox.take(0)) is not None:
        settle(last)
    assert len(outbox) == 0
    for topic, numbers in delivered.items():
        assert numbers == sorted(set(numbers))
        if topic.endswith(("state", "summary")):
            assert numbers == list(range(len(numbers)))  # what was replaced leaves no hole
    for bed, count in put.items():
        arrived = sum(
            len(numbers) for topic, numbers in delivered.items() if topic in {f"{bed}/breath", f"{bed}/event"}
        )
        assert arrived + outbox.dropped(bed) == count
