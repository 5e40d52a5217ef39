"""What a capnograph makes of the gas: delay, response, line, a device of its own, each against brute force or scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy import signal

from adapters.recordings.canonical import write_recording
from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Capnograph, Delay, Scenario, Span, Suction, Ventilator
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.errors import ConfigError
from tests.support import adapter_contract as contract
from tests.support.simulated import joined

PART = Segment(capnogram=Capnogram())
FINE_HZ = 1000


def shown(rate_hz: float = 100.0, duration_s: float = 30.0, part: Segment = PART, **course: Any) -> FloatArray:
    """(n,) mmHg."""
    scenario = Scenario(duration_s=duration_s, rate_hz=rate_hz, first_onset_s=0.4, segments=(part,), **course)
    return np.concatenate(
        [chunk.channels[Channel.PCO2] for chunk in simulate(scenario).chunks() if Channel.PCO2 in chunk.channels]
    )


def told_delays(**course: Any) -> list[tuple[float, float]]:
    """Onset and told delay, s, of every breath."""
    breaths = simulate(Scenario(duration_s=30, first_onset_s=0.4, segments=(PART,), **course)).truth.breaths
    return [(breath.start_s, breath.co2.co2_delay or 0.0) for breath in breaths if breath.co2]


GAS = shown(FINE_HZ, 45.0)
"""What passes the sensor, a mean each millisecond: sample 0 is centred on 0 s."""


def read(from_s: FloatArray) -> FloatArray:
    """(n,) mmHg: the gas of those moments, which is constant over each millisecond."""
    return GAS[np.floor(from_s * FINE_HZ + 0.5).astype(int)]


def means(age_s: Any, rate_hz: float = 100.0, first: int = 1000, n: int = 1500) -> FloatArray:
    """(n,) mmHg, samples ``first`` on: brute force over tenths of a millisecond of gas ``age_s(t)`` old."""
    parts = round(10_000 / rate_hz)
    t = (first - 0.5 + (np.arange(n * parts) + 0.5) / parts) / rate_hz
    return read(t - age_s(t)).reshape(n, parts).mean(axis=1)


@pytest.mark.parametrize("rate_hz", [50.0, 80.0, 100.0, 200.0])
@pytest.mark.parametrize("delay_s", [0.0, 0.0371, 2.31, -0.05, -1.0])
def test_a_delay_that_never_changes_is_the_plain_one(rate_hz: float, delay_s: float) -> None:
    """Two ways that share nothing: the kernel's own sampling, and its trace read late."""
    plain = shown(rate_hz, co2_delay_s=delay_s)
    stated = shown(rate_hz, co2_delay_s=delay_s, co2_delay=(Delay(at_s=3),))
    assert plain.size == stated.size == 30 * rate_hz
    assert np.abs(plain - stated).max() < 0.1


def test_a_delay_drifts() -> None:
    course = {"co2_delay_s": 2.0, "co2_delay": (Delay(at_s=0, drift_ms_per_min=600),)}
    found = shown(**course)
    assert np.abs(found[1000:2500] - means(lambda t: 2.0 + 0.01 * t)).max() < 0.05
    for onset_s, delay_s in told_delays(**course):
        assert delay_s == pytest.approx(2.0 + 0.01 * min(onset_s + delay_s, 30.0), abs=1e-3)


@pytest.mark.parametrize("delay_s", [2.35, 1.2, 0.0, 9.9])
def test_a_delay_steps_and_loses_no_sample(delay_s: float) -> None:
    """Later: some gas is read again. Earlier: some is left out. Before the step and long after it nothing else is."""
    course = {"co2_delay_s": 2.0, "co2_delay": (Delay(at_s=16.003, delay_s=delay_s),)}
    found = shown(**course)
    assert found.size == 3000
    assert np.abs(found[1000:2500] - means(lambda t: np.where(t < 16.003, 2.0, delay_s))).max() < 0.05
    before = shown(co2_delay_s=2.0, co2_delay=(Delay(at_s=0),))
    assert np.abs(found[:1600] - before[:1600]).max() < 1e-6
    for onset_s, told_s in told_delays(**course):
        assert told_s == (2.0 if onset_s + 2.0 < 16.003 else delay_s)


def test_a_step_keeps_no_drift_and_a_drift_goes_on_from_where_it_was() -> None:
    course = {
        "co2_delay_s": 1.0,
        "co2_delay": (Delay(at_s=4, drift_ms_per_min=1000), Delay(at_s=10), Delay(at_s=20, delay_s=1.5)),
    }
    by_onset = dict(told_delays(**course))
    expected = {0.4: 1.0, 12.4: 1.1, 16.4: 1.1, 20.4: 1.5}
    assert {onset_s: by_onset[onset_s] for onset_s in expected} == pytest.approx(expected)


@pytest.mark.parametrize("tau_s", [0.02, 0.06, 0.2])
@pytest.mark.parametrize("name", ["time_constant_s", "mixing_s"])
def test_a_response_is_first_order(name: str, tau_s: float) -> None:
    """The integral of scipy's filtered signal, by differences, is what means are: exact for constant input."""
    assert_filtered({name: tau_s}, [tau_s, 1.0, 0.0])


def test_a_line_and_a_sensor_are_one_after_the_other() -> None:
    both = np.polymul([0.05, 1.0], [0.09, 1.0])
    assert_filtered({"mixing_s": 0.05, "time_constant_s": 0.09}, [*both, 0.0], within=2e-3)


def assert_filtered(device: dict[str, float], denominator: list[float], within: float = 1e-3) -> None:
    """Half a millisecond late, samples of 1 and of 5 ms have their edges where the trace has them."""
    late: dict[str, Any] = {"co2_delay_s": 0.0005, "co2_delay": (Delay(at_s=0),)}
    gas, found = shown(1000.0, **late), shown(200.0, **late, capnograph=Capnograph(**device))
    at_s = np.arange(gas.size) / 1000
    _, total, _ = signal.lsim(signal.TransferFunction([1.0], denominator), gas, at_s, interp=False)
    j = np.arange(1000, 5990)
    assert np.abs(found[j] - (total[5 * j + 3] - total[5 * j - 2]) * 200).max() < within


def test_a_sampling_line_holds_what_is_drawn_in_one_delay() -> None:
    """Brute force: the gas of the moment since which the pump has drawn the line's volume. No gas is left out."""
    part = msgspec.structs.replace(PART, ventilator=Ventilator(mode="pcv", inspiratory_pressure_cmh2o=20, fall_s=0.1))
    device, course = Capnograph(flow_per_cmh2o=0.01), {"co2_delay_s": 1.5, "suction": (Suction(at_s=14, duration_s=1),)}
    scenario = Scenario(duration_s=30, rate_hz=1000, first_onset_s=0.4, segments=(part,), **course)  # type: ignore[arg-type]
    gas = joined(simulate(scenario))
    drawn = np.cumsum(np.maximum(1 + 0.01 * (gas[Channel.PAW] - 5), 0.1)) / 1000
    t = np.arange(8000, 28_000)
    undelayed = shown(1000.0, part=part, suction=course["suction"])
    came = np.searchsorted(drawn, drawn[t] - 1.5)
    assert 1.2 < (t - came).min() / 1000 < 1.4  # sooner while pressure is high
    assert np.all(np.diff(came) >= 0)
    fine, coarse = (shown(rate_hz, part=part, **course, capnograph=device) for rate_hz in (1000.0, 100.0))
    steady = np.abs(np.gradient(undelayed))[came] < 0.5  # mmHg a millisecond, which is how well brute force knows it
    assert np.abs(fine[t] - undelayed[came])[steady].max() < 0.5
    assert np.abs(fine[t] - undelayed[came]).mean() < 0.02
    meant = 0.5 * (fine[8495:27_495] + fine[8496:27_496]).reshape(-1, 10).mean(axis=1)
    late = np.abs(coarse[850:2750] - meant)  # pressure known by means of 10 ms: half a millisecond at a steep washout
    assert late.max() < 1.5
    assert late.mean() < 0.01


def test_without_a_swing_of_pressure_a_line_is_a_delay() -> None:
    """A pump that pressure does not move shows the same as a plain delay, and so does one that hardly is."""
    one, other = (shown(co2_delay_s=1.5, capnograph=Capnograph(flow_per_cmh2o=k, mixing_s=1e-9)) for k in (0.0, 1e-9))
    assert np.abs(one - shown(co2_delay_s=1.5)).max() < 0.05
    assert np.abs(one - other).max() < 1e-4


def device_of_its_own(chunk_s: float = 1.0, **device: Any) -> tuple[list[Chunk], list[Chunk], list[Chunk]]:
    """All chunks, those of the ventilator, those of the capnograph; with a gap from 20 to 21.5 s."""
    scenario = Scenario(
        duration_s=30,
        start_s=1000.0,
        first_onset_s=0.4,
        segments=(PART,),
        co2_delay_s=1.8,
        capnograph=Capnograph(**device),
        gap=(Span(at_s=20, duration_s=1.5),),
    )
    every = list(simulate(scenario).chunks(chunk_s))
    by_source = {name: [c for c in every if c.source == name] for name in ("simulator", "capnograph")}
    return every, by_source["simulator"], by_source["capnograph"]


@pytest.mark.parametrize("ppm", [0.0, 50.0, -5000.0])
@pytest.mark.parametrize("rate_hz", [20.0, 62.5])
def test_a_capnograph_of_its_own_has_its_own_clock(rate_hz: float, ppm: float) -> None:
    every, ventilator, capnograph = device_of_its_own(rate_hz=rate_hz, clock_offset_s=0.3, clock_ppm=ppm)
    assert {tuple(sorted(chunk.channels)) for chunk in ventilator} == {(Channel.FLOW, Channel.PAW)}
    assert {(tuple(chunk.channels), chunk.rate_hz) for chunk in capnograph} == {((Channel.PCO2,), rate_hz)}
    first, second = contract.stream(capnograph).stretches
    gains = 1 + ppm * 1e-6
    assert first.start_s == 1000.3
    assert second.start_s == pytest.approx(1000.3 + 21.5 * gains, abs=1 / rate_hz)
    assert (first.n, second.n) == pytest.approx((20 * rate_hz * gains, 8.5 * rate_hz * gains), abs=1.5)
    true_s = np.arange(200, 390) / rate_hz / gains
    t = true_s[:, None] + (np.arange(200) + 0.5 - 100) / 200 / rate_hz / gains
    expected = read(t - 1.8).mean(axis=1)
    assert np.abs(first.joined()[Channel.PCO2][200:390] - expected).max() < 0.1
    at_s = [c.start_s - 1000 if c.source == "simulator" else (c.start_s - 1000.3) / gains for c in every]
    assert at_s == sorted(at_s)
    assert [c.source for c in every[:2]] == ["simulator", "capnograph"]


def test_its_clock_is_told() -> None:
    device = Capnograph(rate_hz=20, clock_offset_s=0.3, clock_ppm=50)
    course = {"duration_s": 30.0, "segments": (PART,), "co2_delay_s": 1.8, "capnograph": device}
    for breath in simulate(Scenario(**course)).truth.breaths:  # type: ignore[arg-type]
        assert breath.co2 is not None
        assert (breath.co2.co2_delay, breath.co2.co2_clock) == pytest.approx((1.8, 0.3 + 5e-5 * (breath.start_s + 1.8)))


def test_a_file_holds_one_stream(tmp_path: Path) -> None:
    two = simulate(Scenario(segments=(PART,), capnograph=Capnograph(rate_hz=20)))
    with pytest.raises(ConfigError, match=r"one stream.* 'simulator' and of 'capnograph'; write a file for each"):
        write_recording(tmp_path / "two.csv", two.chunks(), two.sidecar)
    assert not list(tmp_path.iterdir())
    one = simulate(Scenario(segments=(PART,), capnograph=Capnograph(time_constant_s=0.1)))
    assert write_recording(tmp_path / "one.csv", one.chunks(), one.sidecar) == 6000
