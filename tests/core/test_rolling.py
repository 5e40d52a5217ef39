from __future__ import annotations

import math
import pickle
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.rolling import Rolling, RollingSettings
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Stat, Summary

KEYS = ("pplat", "mp", "ttot")
ONE_MINUTE = RollingSettings(windows_s={"1m": 60.0})


def rolling(settings_: RollingSettings = ONE_MINUTE) -> Rolling:
    return Rolling("b", settings_, keys=KEYS, weighted_by={"mp": "ttot"}, held=frozenset({"pplat"}))


def record(start_s: float, end_s: float, *, flags: frozenset[Flag] = frozenset(), **values: float) -> BreathRecord:
    return BreathRecord(
        bed="b",
        number=0,
        start_s=start_s,
        end_s=end_s,
        values={"ttot": end_s - start_s, **values},
        missing={},
        flags=flags,
    )


def steady(n: int, every_s: float = 4.0, first_s: float = 0.0, **values: float) -> list[BreathRecord]:
    return [record(first_s + k * every_s, first_s + (k + 1) * every_s, **values) for k in range(n)]


def run(records: list[BreathRecord], roll: Rolling | None = None) -> list[Summary]:
    roll = roll or rolling()
    sealed = [summary for one in records for summary in roll.add(one)]
    return sealed + roll.close()


def test_windows_are_sealed_on_a_global_grid() -> None:
    found = run(steady(20, first_s=1003.0, mp=10.0))
    assert [summary.end_s for summary in found] == [1010.0 + 10.0 * k for k in range(len(found))]
    assert found[-1].end_s == 1090.0, "the first boundary at or after the last breath (1083 s)"
    assert all(summary.start_s == summary.end_s - 60.0 for summary in found)


def test_periods_grow_with_the_window() -> None:
    roll = rolling(RollingSettings())
    found = run(steady(1000, mp=1.0), roll)
    for window, period_s in {"1m": 10.0, "5m": 10.0, "15m": 30.0, "60m": 120.0}.items():
        ends = [summary.end_s for summary in found if summary.window == window]
        assert set(np.diff(ends)) == {period_s}
        assert ends[0] % period_s == 0.0
    ordered = [(summary.end_s, summary.end_s - summary.start_s) for summary in found]
    assert ordered == sorted(ordered)


def test_a_breath_that_ends_on_the_boundary_belongs_to_it() -> None:
    roll = rolling()
    for one in steady(4, every_s=10.0):
        roll.add(one)
    assert not roll.advance(40.0), "another breath may still end at 40 s"
    sealed = roll.advance(40.1)
    assert [(summary.end_s, summary.breaths) for summary in sealed] == [(40.0, 4)]
    later = run(steady(4, every_s=10.0) + steady(1, 61.0, 40.0))
    assert next(summary.breaths for summary in later if summary.end_s == 70.0) == 3, "the one at 10 s has left (10, 70]"


def test_statistics_of_a_window() -> None:
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
    records = [record(10.0 * k, 10.0 * (k + 1), pplat=v, mp=v) for k, v in enumerate(values)]
    summary = run(records)[-1]
    stat = summary.stats["pplat"]
    assert summary.breaths == stat.n == 6
    assert stat.median == statistics.median(values)
    assert (stat.p25, stat.p75) == pytest.approx(tuple(np.percentile(values, [25, 75])))
    assert stat.last == 2.6
    assert stat.mean is None
    assert stat.reason is None
    assert summary.coverage == pytest.approx(1.0)


def test_power_is_energy_over_time() -> None:
    """Two rates in one window: the median of breaths, or their plain mean, would count fast breaths twice."""
    records = steady(10, 2.0, mp=30.0) + steady(10, 4.0, first_s=20.0, mp=12.0)
    stat = run(records)[-1].stats["mp"]
    assert stat.mean == pytest.approx((30.0 * 20.0 + 12.0 * 40.0) / 60.0)
    assert stat.median is None
    assert stat.p75 == 30.0


def test_too_few_values() -> None:
    few = run(steady(4, 10.0, mp=1.0))[-1].stats["mp"]
    assert (few.n, few.mean, few.p25, few.reason) == (4, None, None, "low_coverage")
    assert few.last == 1.0
    sparse = run([record(4.0 * k, 4.0 * k + 4.0, **({"mp": 1.0} if k % 5 < 2 else {})) for k in range(15)])[-1]
    assert sparse.stats["mp"].n == 6
    assert sparse.breaths == 15
    assert sparse.stats["mp"].reason == "low_coverage"
    assert sparse.stats["ttot"].reason is None


def test_a_held_value_outlives_its_window_with_its_age() -> None:
    found = run([*steady(5, 10.0, pplat=20.0, mp=1.0), *steady(10, 10.0, first_s=50.0, mp=1.0)])
    last = found[-1]
    assert last.end_s == 150.0
    assert last.stats["pplat"].n == 0
    assert (last.stats["pplat"].last, last.stats["pplat"].age_s) == (20.0, 100.0)
    assert last.stats["pplat"].reason == "low_coverage"
    assert found[4].stats["pplat"].age_s == 0.0
    assert last.stats["mp"].age_s is None


def test_coverage_counts_whole_breaths_within_the_window() -> None:
    records = [
        *steady(5, 6.0, mp=1.0),
        record(30.0, 42.0, flags=frozenset({Flag.GAP})),
        record(42.0, 60.0, mp=1.0),
    ]
    assert run(records)[-1].coverage == pytest.approx((30.0 + 18.0) / 60.0)
    overhang = run([record(-30.0, 10.0, mp=1.0), *steady(4, 15.0, first_s=10.0, mp=1.0)])
    assert next(one for one in overhang if one.end_s == 60.0).coverage == pytest.approx(55.0 / 60.0)
    assert next(one for one in overhang if one.end_s == 20.0).coverage == pytest.approx(40.0 / 60.0)


def test_a_long_gap_does_not_flood() -> None:
    roll = rolling(RollingSettings())
    for one in steady(100, mp=1.0):
        roll.add(one)
    sealed = roll.advance(1e6)
    assert len(sealed) < 130
    empty = [summary.window for summary in sealed if not summary.breaths]
    assert empty == ["1m", "5m", "15m", "60m"], "one empty summary each, then silence"
    assert not roll.advance(2e6)
    again = roll.add(record(2e6 + 1, 2e6 + 5, mp=1.0))
    assert not again
    assert {summary.end_s for summary in roll.close()} == {
        2e6 + 10,
        2e6 + 10,
        2e6 + 10,
        math.ceil((2e6 + 5) / 120) * 120,
    }


def test_nothing_in_nothing_out() -> None:
    roll = rolling()
    assert roll.advance(1000.0) == roll.close() == []


def test_close_gives_one_last_summary_and_no_second() -> None:
    roll = rolling()
    for one in steady(5, 10.0, mp=1.0):
        roll.add(one)
    assert [summary.end_s for summary in roll.advance(50.5)] == [50.0]
    assert roll.close() == []


@settings(max_examples=60, deadline=None)
@given(
    spans=st.lists(st.tuples(st.floats(0.5, 20.0), st.floats(1.0, 30.0) | st.none()), min_size=1, max_size=60),
    gap_s=st.floats(0.0, 5000.0),
    marks=st.lists(st.floats(0.0, 1.0), max_size=20),
)
def test_sealing_often_or_seldom_gives_the_same(
    spans: list[tuple[float, float | None]], gap_s: float, marks: list[float]
) -> None:
    """A watermark is anywhere between the newest breath's end and the next breath's."""
    records, at_s = [], 0.0
    for k, (span, value) in enumerate(spans):
        start_s = at_s + (gap_s if k == len(spans) // 2 else 0.0)
        at_s = start_s + span
        records.append(record(start_s, at_s, **({} if value is None else {"mp": value, "pplat": value})))
    often, found = rolling(RollingSettings()), []
    for k, one in enumerate(records):
        found += often.add(one)
        upper = records[k + 1].end_s if k + 1 < len(records) else one.end_s
        for mark in sorted(marks):
            found += often.advance(one.end_s + mark * (upper - one.end_s))
    found += often.close()
    assert found == run(records, rolling(RollingSettings()))


def test_every_statistic_matches_numpy_at_every_boundary() -> None:
    rng = np.random.default_rng(3)
    records, at_s = [], 0.0
    for _ in range(700):
        span = float(rng.uniform(1.0, 6.0))
        values = {key: float(rng.normal(10, 2)) for key in ("pplat", "mp") if rng.random() < 0.8}
        records.append(record(at_s, at_s + span, **values))
        at_s += span
    for summary in run(records):
        inside = [one for one in records if summary.start_s < one.end_s <= summary.end_s]
        assert summary.breaths == len(inside)
        pplat = [one.values["pplat"] for one in inside if "pplat" in one.values]
        mp = [(one.values["mp"], one.values["ttot"]) for one in inside if "mp" in one.values]
        if len(pplat) >= max(5, len(inside) / 2):
            stat = summary.stats["pplat"]
            assert [stat.p25, stat.median, stat.p75] == pytest.approx(np.percentile(pplat, [25, 50, 75]))
        if len(mp) >= max(5, len(inside) / 2):
            assert summary.stats["mp"].mean == pytest.approx(sum(v * w for v, w in mp) / sum(w for _, w in mp))


def test_statistics_are_the_same_when_they_are_read_later() -> None:
    """Not until the table has grown and forgotten several times; nor does another process need the table."""
    rng = np.random.default_rng(5)
    values = [{key: float(rng.normal()) for key in ("pplat", "mp") if rng.random() < 0.7} for _ in range(2000)]
    records = [record(4.0 * k, 4.0 * k + 4.0, **one) for k, one in enumerate(values)]
    late = run(records, rolling(RollingSettings()))
    early: list[dict[str, Stat]] = []
    roll = rolling(RollingSettings())
    for one in records:
        early += [dict(summary.stats) for summary in roll.add(one)]
    early += [dict(summary.stats) for summary in roll.close()]
    sent = pickle.loads(pickle.dumps(late[-1]))
    assert type(sent.stats) is dict
    assert [dict(summary.stats) for summary in late] == early
    assert sent == late[-1]


def test_memory_is_bounded() -> None:
    roll = rolling(RollingSettings())
    for one in steady(6000, mp=1.0):
        roll.add(one)
    assert roll._table._ends.size <= 2048


@pytest.mark.parametrize("wrong", [{"min_period_s": 0.0}, {"windows_s": {"x": -1.0}}])
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="longer than 0 s"):
        RollingSettings(**wrong)  # type: ignore[arg-type]
