"""A bed and its capnograph: late, from another device, or alone; equal events for any cutting, and no breath lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Capnograph, Scenario, Sensor, Span, Ventilator
from streamer.core.bed import Bed
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Event, Notice
from tests.support.streams import cut, recording

KINDS = {
    "mainstream": Context(co2_kind="mainstream", co2_scale="BTPS"),
    "sidestream": Context(co2_kind="sidestream", co2_scale="BTPS", co2_delay_s=2.5, allow_sidestream_vcap=True),
}


def scenario(delay_s: float, *, with_gap: bool = False) -> Scenario:
    part = Segment(
        ventilator=Ventilator(rate_per_min=17.0),
        capnogram=Capnogram(sensor_volume_ml=3.0),
        sensor=Sensor(pco2_noise_mmhg=0.5, flow_noise_l_min=0.5, paw_noise_cmh2o=0.1),
    )
    gap = (Span(at_s=61.0, duration_s=4.0),) if with_gap else ()
    return Scenario(duration_s=120.0, co2_delay_s=delay_s, segments=(part,), gap=gap)


def fed(items: Iterable[Chunk | Notice], context: Context = KINDS["mainstream"]) -> list[Event]:
    bed = Bed("b", context=context)
    return [event for item in items for event in bed.push(item)] + bed.close()


def records(events: Sequence[Event]) -> list[BreathRecord]:
    return [event for event in events if isinstance(event, BreathRecord)]


def pieces(chunks: Iterable[Chunk], seed: int, most: int) -> Iterator[Chunk]:
    rng = np.random.default_rng(seed)
    for chunk in chunks:
        places = np.cumsum(rng.integers(0, most, size=2 * len(chunk)))
        yield from cut(chunk, places[places < len(chunk)].tolist())


def only(chunk: Chunk, *names: Channel, source: str) -> Chunk:
    channels = {name: chunk.channels[name] for name in names}
    return Chunk(source=source, start_s=chunk.start_s, rate_hz=chunk.rate_hz, channels=channels)


def instant(event: Event) -> float:
    return event.at_s if isinstance(event, Notice) else event.end_s


@pytest.mark.parametrize("with_gap", [False, True])
@pytest.mark.parametrize(("kind", "delay_s"), [("mainstream", 0.0), ("mainstream", 0.3), ("sidestream", 2.7)])
def test_whole_equals_parts(kind: str, delay_s: float, *, with_gap: bool) -> None:
    chunks = list(simulate(scenario(delay_s, with_gap=with_gap)).chunks(200.0))
    whole = fed(chunks, KINDS[kind])
    assert len(records(whole)) >= 30
    for seed, most in ((1, 3), (2, 400), (3, 3000)):
        assert fed(pieces(chunks, seed, most), KINDS[kind]) == whole
    assert [instant(event) for event in whole] == sorted(instant(event) for event in whole)


def test_a_late_capnogram_costs_no_breath_and_no_other_number() -> None:
    """Breaths wait for it, and come with the same times, volumes and pressures."""
    prompt = records(fed(simulate(scenario(0.0)).chunks(0.5)))
    late = records(fed(simulate(scenario(2.7)).chunks(0.5), KINDS["sidestream"]))
    assert len(prompt) == len(late)
    for one, other in zip(prompt, late, strict=True):
        assert one.flags == other.flags
        for key in ("ttot", "vt_exp", "mp"):
            assert one.missing.get(key) == other.missing.get(key)
            assert one.values.get(key, 0.0) == pytest.approx(other.values.get(key, 0.0), rel=1e-9)


def test_another_device_gives_what_the_same_stream_gives() -> None:
    chunks = list(simulate(scenario(0.1)).chunks(0.5))
    apart = [
        part
        for chunk in chunks
        for part in (only(chunk, Channel.FLOW, Channel.PAW, source="v"), only(chunk, Channel.PCO2, source="c"))
    ]
    context = Context(co2_kind="mainstream", co2_scale="BTPS", co2_delay_s=0.1)
    assert records(fed(apart, context)) == records(fed(chunks, context))


def test_a_capnograph_alone_gives_times_and_pressures_and_no_volume() -> None:
    chunks = [only(chunk, Channel.PCO2, source="c") for chunk in simulate(scenario(0.0)).chunks(0.5)]
    found = fed(chunks)
    breaths = records(found)
    assert len(breaths) >= 30
    for breath in breaths:
        assert set(breath.values) == {"ttot", "rr", "petco2", "pico2"}
        assert breath.values["rr"] == pytest.approx(17.0, abs=0.1)
        assert breath.values["petco2"] == pytest.approx(39.4, abs=0.8)
        assert breath.methods["petco2"] == "time_mainstream"
        assert breath.flags == {Flag.NO_FLOW}
        assert set(breath.missing.values()) == {"flow_missing"}
    assert fed(pieces(chunks, 4, 100)) == found


def test_a_real_capnogram_has_time_capnography_only() -> None:
    """Expirations 234-235 samples apart at 60 Hz, as the recording's description says; no volumetric value."""
    samples = np.load(recording("physio-co2/resp4_CO2.npy"))
    chunk = Chunk(source="capnograph", start_s=0.0, rate_hz=60.0, channels={Channel.PCO2: samples})
    for context in (Context(), *KINDS.values()):
        breaths = records(fed([chunk], context))
        assert 78 <= len(breaths) <= 80
        assert all(set(breath.values) <= {"ttot", "rr", "petco2", "pico2"} for breath in breaths)
        rates = [breath.values["rr"] for breath in breaths]
        assert np.median(rates) == pytest.approx(60.0 / (234.5 / 60.0), abs=0.02)
        assert sum(abs(rate - 15.36) < 0.1 for rate in rates) >= len(rates) - 3  # the last half minute is less regular
        assert all(20.0 < breath.values["petco2"] < 40.0 for breath in breaths)


@pytest.mark.parametrize(("rate_hz", "ahead_s", "ppm"), [(20.0, 0.3, 50.0), (50.0, -1.2, 100.0), (125.0, 4.7, 20.0)])
def test_another_device_with_a_rate_and_a_clock_of_its_own(rate_hz: float, ahead_s: float, ppm: float) -> None:
    """Dead space, once the delay is declared to within half a breath; the device's clock is part of the delay."""
    device = Capnograph(rate_hz=rate_hz, clock_offset_s=ahead_s, clock_ppm=ppm, time_constant_s=0.03)
    made = msgspec.structs.replace(scenario(0.1), capnograph=device, duration_s=240.0)
    context = Context(co2_kind="mainstream", co2_scale="BTPS", co2_delay_s=round(ahead_s, 0))
    breaths = records(fed(simulate(made).chunks(0.5), context))
    dead = [breath.values["vd_aw"] for breath in breaths if "vd_aw" in breath.values]
    assert len(dead) > 0.8 * len(breaths)
    assert np.mean(dead) == pytest.approx(150.0, abs=6.0 if rate_hz < 50.0 else 4.0)
    assert max(abs(volume - 150.0) for volume in dead) < (11.5 if rate_hz < 50.0 else 9.0)
    last = breaths[-4]
    assert last.values["co2_delay"] == pytest.approx(0.1 + ahead_s + 0.021 + ppm * 1e-6 * last.end_s, abs=0.02)
    unsaid = records(fed(simulate(made).chunks(0.5), KINDS["mainstream"]))
    assert not any("vd_aw" in breath.values for breath in unsaid), "a breath later fits as well"
