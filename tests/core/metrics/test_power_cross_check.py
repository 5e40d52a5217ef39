"""The cross-check of power: which errors of a waveform it finds, which it cannot, and that it never floods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.scenario import Scenario, Sensor, Ventilator
from streamer.core.bed import Bed
from streamer.core.metrics import CrossCheck
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind
from tests.support.simulated import PASSIVE, joined, lung, segment
from tests.support.streams import chunk, cut, random_cuts

RATE_HZ = 100.0
FAST = Ventilator(rate_per_min=20, tidal_volume_ml=420, flow_l_min=60, peep_cmh2o=10, pause_s=0.6)
SLOW = Ventilator(rate_per_min=15, tidal_volume_ml=500, flow_l_min=30, peep_cmh2o=8, pause_s=0.6)
LEVEL = Ventilator(
    mode="pcv", rate_per_min=15, inspiratory_pressure_cmh2o=15, ti_s=1.2, rise_s=0.15, peep_cmh2o=8
)  # fmt: skip
LUNGS = {"fast": (FAST, lung(0.03, 15)), "slow": (SLOW, lung(0.05, 10)), "level": (LEVEL, lung(0.05, 10))}
Change = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


@cache
def samples(name: str) -> tuple[FloatArray, FloatArray]:
    ventilator, one = LUNGS[name]
    sensor = Sensor(paw_noise_cmh2o=0.1, flow_noise_l_min=1.0)
    scenario = Scenario(duration_s=80, first_onset_s=0.6025, segments=(segment(one, ventilator, sensor),))
    channels = joined(simulate(scenario))
    return channels[Channel.FLOW], channels[Channel.PAW]


def events(pieces: Sequence[Chunk], context: Context = PASSIVE) -> list[Event]:
    bed = Bed("icu-04", context=context)
    return [event for piece in pieces for event in bed.push(piece)] + bed.close()


def changed(name: str, change: Change, context: Context = PASSIVE) -> tuple[list[Notice], list[BreathRecord]]:
    found = events([chunk(*change(*samples(name)))], context)
    told = [one for one in found if isinstance(one, Notice) and one.kind is NoticeKind.CROSS_CHECK]
    return told, [one for one in found if isinstance(one, BreathRecord) and "mp_surrogate" in one.values]


def late(by_s: float) -> Change:
    """Pressure after flow; before it where negative."""
    return lambda flow, paw: (flow, np.roll(paw, round(by_s * RATE_HZ)))


def smoothed(tau_s: float) -> Change:
    """A first-order filter in the way of pressure."""

    def change(flow: FloatArray, paw: FloatArray) -> tuple[FloatArray, FloatArray]:
        out, share = paw.copy(), 1 / (1 + tau_s * RATE_HZ)
        for i in range(1, paw.size):
            out[i] = out[i - 1] + share * (paw[i] - out[i - 1])
        return flow, out

    return change


BLIND: dict[str, Change] = {
    "nothing": lambda flow, paw: (flow, paw),
    "mbar as cmH2O": lambda flow, paw: (flow, paw / 1.01972),
    "mmHg as cmH2O": lambda flow, paw: (flow, paw / 1.35951),
    "a gain of flow": lambda flow, paw: (1.2 * flow, paw),
    "zero of pressure too high": lambda flow, paw: (flow, paw + 5),
    "pressure above PEEP": lambda flow, paw: (flow, paw - 7),
}


@pytest.mark.parametrize("error", BLIND)
@pytest.mark.parametrize("name", LUNGS)
def test_what_scales_or_shifts_cannot_be_found(name: str, error: str) -> None:
    told, records = changed(name, BLIND[error])
    assert told == []
    assert len(records) >= 10
    for record in records:
        assert record.values["mp_surrogate"] == pytest.approx(record.values["mp"], rel=0.03)
        assert record.quality.get("mp") != "B"


def test_kilopascals_cannot_be_found() -> None:
    """Nor can compliance, since 420 mL over 1.4 "cmH2O" still lies within bounds only where the lung is small."""
    told, records = changed("fast", lambda flow, paw: (flow, paw / 10.1972))
    assert told == []
    assert all(record.missing["crs"] == "implausible" for record in records if "crs" in record.missing)


@pytest.mark.parametrize("mode", ["vcv", "pcv", "other"])
@pytest.mark.parametrize("name", ["fast", "level"])
def test_a_wrong_mode_is_not_read(name: str, mode: str) -> None:
    told, records = changed(name, BLIND["nothing"], Context(passive="asserted", sensor_site="wye", mode=mode))
    assert told == []
    assert {record.methods["mp_surrogate"] for record in records} == {"pcv_full" if name == "level" else "vcv_simple"}


@pytest.mark.parametrize(
    ("error", "sign"),
    [
        (smoothed(0.1), 1),
    ],
    ids=["pressure smoothed over 0.1 s"],
)
def test_what_bends_the_waveform_is_found_once(error: Change, sign: int) -> None:
    told, records = changed("fast", error)
    (notice,) = told
    assert notice.bed == "icu-04"
    assert sign * float(notice.values["apart"]) > 0.1
    fifth = records[4]
    assert notice.at_s == fifth.end_s
    assert all(word in notice.detail for word in ("J/min", "vcv_simple", "units", "PEEP", "mode", "5 breaths"))
    assert f"{notice.values['mp']:.1f}" in notice.detail
    assert {record.quality["mp"] for record in records} == {"B"}


@pytest.mark.parametrize(
    ("name", "error"),
    [("slow", late(0.15)), ("fast", late(-0.05))],
    ids=["late, slow flow", "early"],
)
def test_what_costs_too_little_is_not_found(name: str, error: Change) -> None:
    told, records = changed(name, error)
    assert records
    assert told == []


@pytest.mark.parametrize(("name", "limit"), [("fast", 28.0), ("level", 18.0)])
def test_clipped_pressure_is_suspect_before_it_is_compared(name: str, limit: float) -> None:
    told, records = changed(name, lambda flow, paw: (flow, np.minimum(paw, limit)))
    assert told == []
    assert not [record for record in records if "mp" in record.values]


@pytest.mark.parametrize("by_s", [0.05, 0.1, 0.2, -0.05, -0.1])
def test_without_a_pause_the_estimates_are_refused_first(by_s: float) -> None:
    """Pressure control: no closed form, so nothing is compared; that it is missing is the message."""
    told, records = changed("level", late(by_s))
    assert (told, records) == ([], [])


def test_late_pressure_looks_like_starvation_first() -> None:
    """Under fast square flow it sags early, as if the patient drew: labelled, and nothing is compared."""
    told, records = changed("fast", late(0.1))
    assert (told, records) == ([], [])
    found = [one for one in events([chunk(*late(0.1)(*samples("fast")))]) if isinstance(one, BreathRecord)]
    assert sum(Flag.FLOW_STARVATION in one.flags for one in found) > 20


def test_chunks_do_not_matter() -> None:
    whole = chunk(*smoothed(0.1)(*samples("fast")))
    expected = events([whole])
    assert any(isinstance(one, Notice) and one.kind is NoticeKind.CROSS_CHECK for one in expected)
    for seed in range(3):
        assert events(list(cut(whole, random_cuts(len(whole), seed)))) == expected
    assert events(list(cut(whole, random_cuts(len(whole), 0, single=True)))) == expected


def record(number: int, apart: float | None, *flags: Flag) -> BreathRecord:
    values = {"mp": 10.0} if apart is None else {"mp": 10.0, "mp_surrogate": 10.0 * (1 + apart)}
    return BreathRecord(
        bed="b",
        number=number,
        start_s=4.0 * number,
        end_s=4.0 * number + 4,
        values=values,
        missing={},
        methods={"mp_surrogate": "vcv_simple"},
        flags=frozenset(flags),
    )


def told_at(course: Sequence[float | None]) -> list[int]:
    check = CrossCheck("b")
    return [number for number, apart in enumerate(course) if check.add(record(number, apart))]


def test_the_median_of_five_counts() -> None:
    assert told_at([0.0] * 5 + [0.3] * 2 + [0.0] * 5) == []
    assert told_at([0.0] * 5 + [0.3] * 9) == [7]
    assert told_at([-0.2] * 20) == [4]
    assert told_at([0.2, -0.2] * 10) == [4]  # a median of five such values is one of them
    assert told_at([0.2] * 4) == []


def test_it_is_told_again_only_after_it_had_gone() -> None:
    assert told_at([0.2] * 10 + [0.0] * 10 + [0.2] * 10) == [4, 22]
    assert told_at([0.2] * 10 + [0.09] * 10 + [0.2] * 10) == [4]
    assert told_at([0.095, 0.105] * 200) == [5]


def test_breaths_without_the_pair_do_not_count() -> None:
    assert told_at([0.2, None, None, 0.2, None, 0.2, 0.2, None, 0.2, 0.2]) == [8]


def test_a_gap_starts_the_count_anew() -> None:
    check = CrossCheck("b")
    course = [record(number, 0.2, *([Flag.AFTER_GAP] if number == 4 else [])) for number in range(10)]
    assert [one.number for one in course if check.add(one)] == [8]


def test_no_power_is_no_comparison() -> None:
    check = CrossCheck("b")
    nothing = BreathRecord(bed="b", number=0, start_s=0, end_s=4, values={"mp": 0.0, "mp_surrogate": 1.0}, missing={})
    assert not any(check.add(nothing) for _ in range(10))
