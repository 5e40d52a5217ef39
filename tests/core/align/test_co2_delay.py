"""The delay of the capnogram: found from falls of PCO2, withheld where it is not known, followed where it drifts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Lung, Scenario, Sensor, Ventilator
from streamer.core.align import AlignSettings
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import Context
from streamer.model.reasons import Reason
from tests.support.streams import Timed, timed

MAINSTREAM = Context(co2_kind="mainstream")
SIDESTREAM = Context(co2_kind="sidestream")


def scenario(
    delay_s: float,
    rate_hz: float = 100.0,
    noise: float = 0.0,
    minutes: float = 2.0,
    sensor_ml: float = 0.1,
    **ventilator,
) -> Scenario:
    sensor = Sensor(pco2_noise_mmhg=noise, flow_noise_l_min=noise)
    part = Segment(
        ventilator=Ventilator(**ventilator), lung=Lung(), capnogram=Capnogram(sensor_volume_ml=sensor_ml), sensor=sensor
    )
    return Scenario(
        duration_s=60.0 * minutes, rate_hz=rate_hz, co2_delay_s=delay_s, first_onset_s=0.337, segments=(part,)
    )


def simulated(delay_s: float, context: Context = MAINSTREAM, **given) -> Timed:
    return timed(simulate(scenario(delay_s, **given)).chunks(0.5), context)


def remade(chunks: Iterable[Chunk], change: Callable[[FloatArray, float], FloatArray]) -> Iterator[Chunk]:
    """PCO2 as another capnograph would have given it; ``change`` takes all samples of it, and their rate."""
    whole = list(chunks)
    rate_hz = whole[0].rate_hz
    pco2 = change(np.concatenate([chunk.channels[Channel.PCO2] for chunk in whole]), rate_hz)
    first = 0
    for chunk in whole:
        piece = pco2[first : first + len(chunk)]
        first += len(chunk)
        channels = {**chunk.channels, Channel.PCO2: piece}
        yield Chunk(source=chunk.source, start_s=chunk.start_s, rate_hz=rate_hz, channels=channels)


def late(by_s: Callable[[FloatArray], FloatArray]) -> Callable[[FloatArray, float], FloatArray]:
    """Each sample read ``by_s(its time)`` late."""

    def change(pco2: FloatArray, rate_hz: float) -> FloatArray:
        at = np.arange(pco2.size) / rate_hz
        return np.interp(at - by_s(at), at, pco2)

    return change


def slow(tau_s: float) -> Callable[[FloatArray, float], FloatArray]:
    """A sensor of first order."""

    def change(pco2: FloatArray, rate_hz: float) -> FloatArray:
        kept, now = math.exp(-1.0 / (rate_hz * tau_s)), pco2[0]
        out = np.empty_like(pco2)
        for i, value in enumerate(pco2):
            now = out[i] = kept * now + (1.0 - kept) * value
        return out

    return change


# ── found


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.123, 0.5])
def test_a_mainstream_delay_is_found_within_half_a_sample(delay_s: float, rate_hz: float) -> None:
    found = [one for _, one in simulated(delay_s, rate_hz=rate_hz, noise=1.0)][7:-1]
    assert all(one.withheld is None for one in found)
    assert [one.delay_s for one in found] == pytest.approx([delay_s] * len(found), abs=0.5 / rate_hz)
    assert all(abs(one.delay_s - delay_s) <= one.doubt_s for one in found)
    assert max(one.delay_sd_s for one in found) < 0.003


@pytest.mark.parametrize("delay_s", [0.62, 2.4, 3.75, 5.3])
def test_a_sidestream_delay_is_found_where_breathing_is_not_as_regular_as_a_clock(delay_s: float) -> None:
    """Two rates in turn: one breath later, the falls no longer fit."""
    slower, faster = (scenario(delay_s, rate_per_min=rate).segments[0] for rate in (13.0, 17.0))
    parts = tuple(
        Segment(at_s=30.0 * k, ventilator=part.ventilator, capnogram=part.capnogram)
        for k, part in enumerate([slower, faster, slower, faster])
    )
    mixed = Scenario(duration_s=120.0, co2_delay_s=delay_s, segments=parts)
    both = timed(simulate(mixed).chunks(0.5), SIDESTREAM)
    found = [one for _, one in both]
    last = [one for breath, one in both if breath.end_s + delay_s < 118.0][-1]
    assert last.withheld is None
    assert last.delay_s == pytest.approx(delay_s, abs=0.005)
    known = [one for one in found if not math.isnan(one.delay_s)]
    assert [one.delay_s for one in known] == pytest.approx([delay_s] * len(known), abs=0.005)
    assert len(known) >= 10


def test_a_period_later_fits_as_well_so_a_clock_needs_a_declared_delay() -> None:
    """20 a minute, gas 1.2 s late: 4.2 s would fit too."""
    found = simulated(1.2, SIDESTREAM, rate_per_min=20.0)
    assert {one.withheld for _, one in found} == {Reason.CO2_UNALIGNED}
    assert {math.isnan(one.delay_s) for _, one in found} == {True}
    declared = simulated(1.2, Context(co2_kind="sidestream", co2_delay_s=1.0), rate_per_min=20.0)
    assert [one.delay_s for _, one in declared[8:]] == pytest.approx([1.2] * len(declared[8:]), abs=0.005)


def test_a_slow_sensor_is_late_by_its_time_constant() -> None:
    """On average, less what slower flow makes up for: half of a step comes sooner, and areas do not follow the half.

    That a chamber did not do it is in doubt.
    """
    chunks = remade(simulate(scenario(0.1)).chunks(0.5), slow(0.1))
    found = [one for _, one in timed(chunks, MAINSTREAM)][7:-1]
    assert all(abs(one.delay_s - (0.1 + 0.1 - 0.01)) <= one.doubt_s + 0.003 < 0.015 for one in found)


def test_breaths_get_the_capnogram_that_belongs_to_them() -> None:
    """At whole samples of delay, the very samples that a capnograph without delay gives."""
    settings = AlignSettings(estimate_co2_delay=False)
    prompt = timed(simulate(scenario(0.0)).chunks(0.5), MAINSTREAM, settings)
    context = Context(co2_kind="sidestream", co2_delay_s=2.5)
    for (breath, _), (other, _) in zip(
        timed(simulate(scenario(2.5)).chunks(0.5), context, settings), prompt, strict=True
    ):
        assert breath.pco2 is not None
        assert other.pco2 is not None
        assert breath.start_s == pytest.approx(other.start_s)
        ends = np.isnan(breath.pco2) | np.isnan(other.pco2)
        assert ends.sum() <= 251
        assert breath.pco2[~ends] == pytest.approx(other.pco2[~ends], abs=0.2)


def test_time_capnography_remains_whatever_the_delay() -> None:
    for context, delay_s in ((SIDESTREAM, 1.2), (Context(), 3.0), (MAINSTREAM, 1.5)):
        found = [one for _, one in simulated(delay_s, context)][3:]
        ended = found[:-1] if context == Context() else found  # of the last, the recording ends before its fall comes
        assert [one.end_tidal for one in ended] == pytest.approx([39.4] * len(ended), abs=0.3)
        assert len(ended) == len(found) or math.isnan(found[-1].end_tidal)
        assert [one.inspired for one in found] == pytest.approx([0.0] * len(found), abs=0.1)


# ── withheld


def test_unknown_until_five_breaths_have_told() -> None:
    found = [one.withheld for _, one in simulated(0.03)]
    assert found[:6] == [Reason.CO2_UNALIGNED] * 6
    assert set(found[7:-1]) == {None}


def test_a_mainstream_sensor_that_is_late_by_more_than_one_can_be_stays_unknown() -> None:
    assert {one.withheld for _, one in simulated(1.5)} == {Reason.CO2_UNALIGNED}


@pytest.mark.parametrize("step_s", [-0.03, 0.03, 0.05, 0.12, 0.4])
def test_no_breath_after_a_step_is_aligned_by_the_old_delay(step_s: float) -> None:
    """A step of 25 ms would move the dead space by 14 mL."""
    after_s = 122.0
    step = late(lambda at: 0.1 + np.where(at < after_s, 0.0, step_s))
    found = timed(remade(simulate(scenario(0.0, minutes=12.0)).chunks(0.5), step), MAINSTREAM)
    aligned = [(breath, one) for breath, one in found if one.withheld is None]
    for breath, one in aligned:
        due_s = 0.1 if breath.end_s < after_s else 0.1 + step_s
        assert one.delay_s == pytest.approx(due_s, abs=0.012)
    assert any(breath.end_s < after_s for breath, _ in aligned)
    assert any(breath.start_s > after_s + 400 for breath, _ in aligned)
    during = [one.withheld for breath, one in found if after_s < breath.end_s < after_s + 40]
    assert Reason.ALIGNMENT_UNSTABLE in during


def test_a_step_of_more_than_50_ms_is_remembered_for_five_minutes() -> None:
    step = late(lambda at: np.where(at < 120.0, 0.0, 0.08))
    found = timed(remade(simulate(scenario(0.0, minutes=10.0)).chunks(0.5), step), MAINSTREAM)
    between = [one.withheld for breath, one in found if 200 < breath.end_s < 400]
    assert set(between) == {Reason.ALIGNMENT_UNSTABLE}
    assert {one.withheld for breath, one in found if 540 < breath.end_s < 590} == {None}


def test_a_slow_drift_is_followed_and_a_fast_one_is_not() -> None:
    """6 ms a minute moves the median of 20 breaths by half of that; 30 ms a minute is no delay at all."""
    for per_min_s, withheld in ((0.006, {None}), (0.03, {Reason.ALIGNMENT_UNSTABLE})):
        drift = late(lambda at, rate=per_min_s: 0.1 + rate * at / 60.0)
        found = timed(remade(simulate(scenario(0.0, minutes=8.0)).chunks(0.5), drift), MAINSTREAM)[40:-1]
        assert {one.withheld for _, one in found} == withheld
        for breath, one in found:
            if one.withheld is None:
                assert one.delay_s == pytest.approx(0.1 + per_min_s * breath.start_s / 60.0, abs=0.009)


def test_a_lag_that_scatters_is_withheld() -> None:
    swing = late(lambda at: 0.2 + 0.03 * np.sin(2 * np.pi * at / 23.7))
    found = timed(remade(simulate(scenario(0.0, minutes=4.0)).chunks(0.5), swing), MAINSTREAM)[22:]
    assert {one.withheld for _, one in found[:-1]} == {Reason.ALIGNMENT_UNSTABLE}


@pytest.mark.parametrize(("flow_l_min", "doubt_s"), [(60.0, 0.0055), (30.0, 0.0084), (9.0, 0.0224)])
def test_the_slower_inspiration_begins_the_less_is_known_of_the_delay(flow_l_min: float, doubt_s: float) -> None:
    """Nothing tells how much of the fall is the sensor's chamber: up to 6 mL, which slow flow takes long to clear."""
    found = [
        one for _, one in simulated(0.1, sensor_ml=6.0, flow_l_min=flow_l_min, tidal_volume_ml=300, rate_per_min=12)
    ][7:-1]
    assert {one.withheld for one in found} == {None}
    assert [one.doubt_s for one in found] == pytest.approx([doubt_s] * len(found), rel=0.25)
    assert all(abs(one.delay_s - 0.1) <= one.doubt_s for one in found)


def test_a_capnograph_that_falls_silent_takes_no_breath_with_it() -> None:
    whole = list(simulate(scenario(0.0)).chunks(0.5))
    silent = [
        chunk if chunk.start_s < 60.0 else Chunk(
            source=chunk.source, start_s=chunk.start_s, rate_hz=chunk.rate_hz,
            channels={name: samples for name, samples in chunk.channels.items() if name is not Channel.PCO2},
        )
        for chunk in whole
    ]  # fmt: skip
    found = timed(silent, MAINSTREAM)
    assert len(found) == len(timed(whole, MAINSTREAM))
    last = [breath for breath, _ in found if breath.start_s > 60.0]
    assert len(last) > 10
    assert all(breath.pco2 is not None and np.isnan(breath.pco2).all() for breath in last)


def test_without_the_estimator_the_declared_delay_is_believed() -> None:
    settings = AlignSettings(estimate_co2_delay=False)
    chunks = list(simulate(scenario(0.05)).chunks(0.5))
    for context, delay_s, withheld in (
        (MAINSTREAM, 0.0, None),
        (Context(co2_kind="mainstream", co2_delay_s=0.05), 0.05, None),
        (SIDESTREAM, math.nan, Reason.CO2_UNALIGNED),
    ):
        _, one = timed(chunks, context, settings)[3]
        assert one.delay_s == pytest.approx(delay_s, nan_ok=True)
        assert one.withheld is withheld
        assert math.isnan(one.delay_sd_s)


# ── another device


def test_a_capnograph_with_its_own_rate_and_clock() -> None:
    """20 Hz, a clock 1.7 s ahead that gains 40 ms an hour; declared to within half a breath."""
    whole = simulate(scenario(0.2, noise=0.5, minutes=5.0, rate_hz=100.0))
    fine = simulate(scenario(0.2, noise=0.5, minutes=5.0, rate_hz=20.0))
    chunks: list[Chunk] = []
    for vent, gas in zip(whole.chunks(0.5), fine.chunks(0.5), strict=True):
        flow = {name: samples for name, samples in vent.channels.items() if name is not Channel.PCO2}
        chunks += [
            Chunk(source="vent", start_s=vent.start_s, rate_hz=100.0, channels=flow),
            Chunk(
                source="gas",
                start_s=gas.start_s * (1 + 0.04 / 3600) + 1.7,
                rate_hz=20.0,
                channels={Channel.PCO2: gas.channels[Channel.PCO2]},
            ),
        ]
    found = timed(chunks, Context(co2_kind="mainstream", co2_delay_s=1.5))[7:-1]
    assert [one.delay_s for _, one in found] == pytest.approx([1.9] * len(found), abs=0.012)
    assert all(abs(one.delay_s - 1.9) <= one.doubt_s for _, one in found)
    assert {one.withheld for _, one in found} == {None}
    breath = found[20][0]
    assert breath.pco2 is not None
    assert breath.pco2.size == breath.flow.size
