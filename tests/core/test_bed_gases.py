"""Blood gases through ``Bed``: what holds for which breath, when the result comes late, and for any cutting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Scenario, Ventilator
from streamer.core import bed as bed_module
from streamer.core.bed import Bed
from streamer.core.metrics import measure
from streamer.model.chunk import Chunk
from streamer.model.context import BloodGas, Context, SessionEvent
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind
from tests.support.simulated import lung, segment
from tests.support.streams import Lung, cut, random_cuts

MAN = Context(sex="male", height_cm=175, co2_kind="mainstream", co2_scale="BTPS")
GAS = BloodGas(at_s=60.0, pco2_art_mmhg=50.0, po2_art_mmhg=72.0, fio2=0.8)
BY_GAS = ("vent_ratio", "pf_ratio", "oxygenation_index")


def ventilated(at_s: float = 0.0, **settings: float) -> Segment:
    ventilator = Ventilator(
        **{"rate_per_min": 20, "tidal_volume_ml": 500, "flow_l_min": 40, "peep_cmh2o": 8} | settings
    )  # type: ignore[arg-type]
    return segment(lung(0.05, 8), ventilator, at_s=at_s)


def found(
    *segments: Segment,
    duration_s: float = 240.0,
    gases: Sequence[BloodGas] = (GAS,),
    events: Sequence[SessionEvent] = (),
) -> list[BreathRecord]:
    """Complete breaths of a simulated patient."""
    bed = Bed("b", context=MAN, blood_gases=gases, events=events)
    chunks = simulate(Scenario(duration_s=duration_s, segments=segments)).chunks(5.0)
    return complete([event for one in chunks for event in bed.push(one)] + bed.close())


def complete(events: Iterable[Event]) -> list[BreathRecord]:
    return [one for one in events if isinstance(one, BreathRecord) and Flag.TRUNCATED not in one.flags]


def reasons(records: Iterable[BreathRecord], from_s: float, to_s: float) -> set[tuple[str | None, ...]]:
    return {tuple(one.missing.get(key) for key in BY_GAS) for one in records if from_s <= one.end_s < to_s}


HELD: set[tuple[str | None, ...]] = {(None, None, None)}
MISSING, CHANGED = {("abg_missing",) * 3}, {("settings_changed",) * 3}


# ── the simulated patient


def test_what_a_gas_gives() -> None:
    records = found(ventilated())
    assert reasons(records, 0, 60) == MISSING
    assert reasons(records, 60, 240) == HELD
    for one in records:
        if one.end_s >= 60:
            assert one.values["vent_ratio"] == pytest.approx(1.8895, rel=0.005)
            assert one.values["pf_ratio"] == pytest.approx(90.0)
            assert one.values["oxygenation_index"] == pytest.approx(100 * 0.8 * one.values["pmean"] / 72)
            assert not {*BY_GAS} & one.quality.keys()


@pytest.mark.parametrize(
    ("changed", "is_other"),
    [
        ({"rate_per_min": 23}, True), ({"rate_per_min": 21}, False),
        ({"tidal_volume_ml": 440}, True), ({"tidal_volume_ml": 460}, False),
        ({"peep_cmh2o": 9.5}, True), ({"peep_cmh2o": 8.5}, False),
    ],
)  # fmt: skip
def test_changes_that_nobody_told(changed: dict[str, float], is_other: bool) -> None:  # noqa: FBT001
    records = found(ventilated(), ventilated(180, **changed), duration_s=480)
    assert reasons(records, 60, 180) == HELD
    assert reasons(records, 360, 480) == (CHANGED if is_other else HELD)


@pytest.mark.parametrize("kind", ["prone", "supine", "settings"])
def test_changes_that_were_told(kind: str) -> None:
    events = (SessionEvent(kind=kind, at_s=120.0), SessionEvent(kind="note", at_s=70.0))  # type: ignore[arg-type]
    gases = (GAS, BloodGas(at_s=180.0, pco2_art_mmhg=55.0, po2_art_mmhg=96.0, fio2=0.8))
    records = found(ventilated(), gases=gases, events=events)
    assert reasons(records, 60, 120) == HELD
    assert reasons(records, 120, 180) == CHANGED
    fio2 = "settings_changed" if kind == "settings" else None
    assert reasons(records, 180, 240) == {(None, fio2, fio2)}


# ── with a mixed expired PCO2 that is told, not measured

Course = Callable[[float], float]


def level(_end_s: float) -> float:
    return 26.425


def exhale(patch: pytest.MonkeyPatch, course: Course) -> None:
    """Give every breath that has a volume a mixed expired PCO2 by its end."""

    def measure_with_co2(breath, features, given, flags):
        measures = measure(breath, features, given, flags)
        if "minute_volume" in measures.values:
            measures.values["pco2_mixed_exp"] = course(breath.end_s)
            measures.methods["pco2_mixed_exp"] = "integral_mainstream"
            measures.missing.pop("pco2_mixed_exp", None)
        return measures

    patch.setattr(bed_module, "measure", measure_with_co2)


def of_enghoff(records: Iterable[BreathRecord], from_s: float, to_s: float) -> set[object]:
    values = (
        one.values.get("vd_vt_enghoff", one.missing.get("vd_vt_enghoff"))
        for one in records
        if from_s <= one.end_s < to_s
    )
    return {round(one, 5) if isinstance(one, float) else one for one in values}


def live(items: Iterable[Chunk | Notice]) -> list[Event]:
    bed = Bed("b", context=MAN)
    return [event for one in items for event in bed.push(one)] + bed.close()


def gas(at_s: float, pco2: float = 45.0) -> Notice:
    return Notice(bed="", at_s=at_s, kind=NoticeKind.BLOOD_GAS, values={"pco2_art_mmhg": pco2})


def turned(at_s: float) -> Notice:
    return Notice(bed="", at_s=at_s, kind=NoticeKind.POSITION, values={"event": "prone"})


def with_notices(duration_s: float, told: dict[float, Notice]) -> list[Chunk | Notice]:
    """A stream of breaths of 4 s in which each notice arrives at a given second."""
    items: list[Chunk | Notice] = []
    pieces = cut(Lung().wave(duration_s).chunk(), [round(at_s * 100) for at_s in told])
    for piece, notice in zip(pieces, [*told.values(), None], strict=True):
        items += [piece] if notice is None else [piece, notice]
    return items


def test_enghoff_at_the_blood_gas(monkeypatch: pytest.MonkeyPatch) -> None:
    """E-2. Where there is none yet, nothing stands in for it; by the next gas there is another number."""
    exhale(monkeypatch, level)
    records = complete(live(with_notices(240.0, {60.0: gas(60.0), 150.0: gas(150.0, 40.0)})))
    assert of_enghoff(records, 0, 60) == {"abg_missing"}
    assert of_enghoff(records, 60, 150) == {0.41278}
    assert of_enghoff(records, 150, 240) == {round((40 - 26.425) / 40, 5)}
    methods = {one.methods.get("vd_vt_enghoff") for one in records if "vd_vt_enghoff" in one.values}
    assert methods == {"enghoff_mainstream"}
    assert not {key for one in records for key, method in one.methods.items() if "enghoff" in method} - {
        "vd_vt_enghoff",
        "vd_alv",
    }
    assert {one.quality.get("vd_vt_enghoff") for one in records if one.end_s > 60} == {"B"}  # no ten minutes before


def test_a_late_result_finds_the_breaths_of_its_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn at 400 s, told at 1100 s: PCO2 has risen since, but breaths long over are those that count."""
    exhale(monkeypatch, lambda end_s: 26.425 if end_s < 705 else 33.0)
    late = complete(live(with_notices(1400.0, {1100.0: gas(400.0)})))
    timely = complete(live(with_notices(1400.0, {400.0: gas(400.0)})))
    assert of_enghoff(late, 0, 1100) == {"abg_missing"}
    assert of_enghoff(late, 1100, 1400) == {0.41278}
    assert late[-1] == timely[-1]
    assert late[-1].quality["vd_vt_enghoff"] == "A"
    moved = complete(live(with_notices(1400.0, {500.0: turned(500.0), 1100.0: gas(400.0)})))
    assert of_enghoff(moved, 1100, 1400) == {"settings_changed"}


def test_not_steady_before_the_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    exhale(monkeypatch, lambda end_s: 24.0 + min(end_s, 700.0) / 160)
    records = complete(live(with_notices(760.0, {700.0: gas(700.0)})))
    assert of_enghoff(records, 700, 760) == {"nonsteady_state"}


def test_an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    exhale(monkeypatch, level)
    records = complete(live(with_notices(3800.0, {100.0: gas(100.0)})))
    assert of_enghoff(records, 100, 3700) == {0.41278}
    assert of_enghoff(records, 3701, 3800) == {"abg_stale"}


def cut_up(items: Iterable[Chunk | Notice], seed: int) -> Iterator[Chunk | Notice]:
    for one in items:
        if isinstance(one, Chunk):
            yield from cut(one, random_cuts(len(one), seed))
        else:
            yield one


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), late_s=st.floats(0, 100))
def test_whole_equals_parts(seed: int, late_s: float) -> None:
    arrivals = {
        110.0: gas(110.0 - late_s),
        123.4: turned(123.4 - late_s / 2),
        150.0: gas(90.0, 60.0),
        170.0: gas(170.0 - late_s / 4),
    }
    with pytest.MonkeyPatch.context() as patch:
        exhale(patch, lambda end_s: 25.0 + end_s % 0.7)
        whole = live(with_notices(240.0, arrivals))
        assert live(cut_up(with_notices(240.0, arrivals), seed)) == whole
    assert any("vd_vt_enghoff" in one.values for one in complete(whole))
