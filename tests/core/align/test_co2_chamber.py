"""Which chambers of a CO2 sensor explain how late and how slowly PCO2 falls."""

from __future__ import annotations

import math

import pytest

from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Capnograph, Lung, Scenario, Sensor, Ventilator
from streamer.core.align._co2_declared import MAINSTREAM_S, SEEN_LATE_S, WIDTH_KNOWN, Declared, Found
from streamer.model.context import Context
from tests.support.co2_failures import records, true_of

PLACED_S = 0.0025
STEADY, EVEN = 1.0, 1.71
"""A chamber passes in so many of the time constants in which it falls: steady flow, flow that rises evenly."""
PROMPT = Context(co2_kind="mainstream")


def found(late_s: float, width_s: float, passes: float = STEADY, largest_s: float = 0.012) -> Found:
    """A fall so late against the onset, and so wide; the largest chamber falls with ``largest_s``, or the width."""
    taus = [min(largest_s, width_s) * k / 8.0 for k in range(9)]
    middle_s = passes * taus[-1] / 2.0
    chambers = tuple((passes * tau_s - middle_s, tau_s) for tau_s in taus)
    return Found(late_s - middle_s, PLACED_S, width_s, chambers)


def fall(chamber_s: float, response_s: float, delay_s: float = 0.0, passes: float = STEADY) -> Found:
    return found(delay_s + passes * chamber_s + response_s, math.hypot(chamber_s, response_s), passes)


@pytest.mark.parametrize("passes", [STEADY, EVEN])
@pytest.mark.parametrize("response_s", [0.0, 0.01, 0.02, 0.03])
@pytest.mark.parametrize("chamber_s", [0.0, 0.004, 0.008, 0.012])
@pytest.mark.parametrize("context", [PROMPT, Context(co2_kind="mainstream", co2_delay_s=0.0)])
def test_the_true_delay_is_within_the_doubt(
    context: Context, chamber_s: float, response_s: float, passes: float
) -> None:
    one = fall(chamber_s, response_s, passes=passes)
    delay_s, doubt_s, tau_s = Declared(context).settled(one, is_prompt=True)
    assert abs(delay_s - response_s) <= doubt_s + 1e-4
    assert tau_s == pytest.approx(delay_s)
    plain = Declared(Context()).settled(one, is_prompt=False)
    assert doubt_s <= max(plain[1], 0.5 * one.fall_tau_s + PLACED_S) + 1e-4


@pytest.mark.parametrize(("beyond", "is_known"), [(0.9, True), (1.1, False)])
def test_a_fall_that_nothing_makes_so_late_tells_no_delay(beyond: float, *, is_known: bool) -> None:
    width_s = 0.02
    latest_s = 0.012 + math.sqrt(width_s**2 - 0.012**2) + PLACED_S + WIDTH_KNOWN * width_s
    one = found(beyond * latest_s, width_s)
    delay_s, _, _ = Declared(PROMPT).settled(one, is_prompt=True)
    assert (delay_s != one.delay_s) == is_known


@pytest.mark.parametrize(("beyond", "is_known"), [(0.9, True), (1.1, False)])
def test_flow_is_seen_a_little_late_or_something_else_is_wrong(beyond: float, *, is_known: bool) -> None:
    """Without a chamber the fall is as late as wide; with one, later."""
    width_s = 0.008
    allowed_s = SEEN_LATE_S + PLACED_S + WIDTH_KNOWN * width_s
    one = found(width_s - beyond * allowed_s, width_s)
    delay_s, doubt_s, _ = Declared(PROMPT).settled(one, is_prompt=True)
    assert (delay_s - doubt_s >= -PLACED_S - 1e-9) == is_known
    assert delay_s - doubt_s <= one.delay_s <= delay_s + doubt_s or is_known


@pytest.mark.parametrize(("part", "is_known"), [(0.95, True), (1.05, False)])
def test_no_mainstream_sensor_is_slower_than_its_kind(part: float, *, is_known: bool) -> None:
    slow_s = part * MAINSTREAM_S / math.log(9.0)
    one = found(slow_s, slow_s, largest_s=0.001)
    delay_s, _, _ = Declared(PROMPT).settled(one, is_prompt=True)
    assert (delay_s != one.delay_s) == is_known
    told_s, doubt_s, _ = Declared(Context(co2_kind="mainstream", co2_delay_s=0.0)).settled(one, is_prompt=True)
    assert told_s != one.delay_s, "who declares the delay is believed"
    assert abs(told_s - slow_s) <= doubt_s


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 1.5])
@pytest.mark.parametrize("chamber_s", [0.003, 0.006, 0.012])
def test_a_declared_rise_picks_the_chamber(chamber_s: float, delay_s: float) -> None:
    response_s = 0.018
    one = fall(chamber_s, response_s, delay_s)
    told = Declared(Context(co2_rise_s=response_s * math.log(9.0))).settled(one, is_prompt=False)
    assert abs(told[0] - delay_s - response_s) <= told[1]
    assert told[2] == pytest.approx(response_s)
    assert told[1] < Declared(Context()).settled(one, is_prompt=False)[1]


@pytest.mark.parametrize("rise_s", [0.05, 0.15])
@pytest.mark.parametrize("tau_s", [0.0, 0.02])
@pytest.mark.parametrize("sensor_ml", [0.1, 3.0, 6.0])
def test_dead_space_of_any_chamber_is_as_good_as_it_says(sensor_ml: float, tau_s: float, rise_s: float) -> None:
    part = Segment(
        ventilator=Ventilator(mode="pcv", rate_per_min=15, inspiratory_pressure_cmh2o=13, ti_s=1.3, rise_s=rise_s),
        lung=Lung(compliance_ml_cmh2o=45, resistance_cmh2o_s_l=10),
        capnogram=Capnogram(sensor_volume_ml=sensor_ml),
        sensor=Sensor(paw_noise_cmh2o=0.1, flow_noise_l_min=0.4, pco2_noise_mmhg=0.3),
    )
    made = Scenario(
        duration_s=60.0, first_onset_s=0.337, capnograph=Capnograph(time_constant_s=tau_s), segments=(part,)
    )
    given = [one for one in records(made)[8:-2] if "vd_aw" in one.values]
    assert given
    for one in given:
        truth = true_of(made, one)
        assert one.quality["vd_aw"] in {"A", "B"}
        assert one.values["vd_aw"] == pytest.approx(truth.vd_aw, abs=8.0 if one.quality["vd_aw"] == "A" else 18.0)
        assert one.values["vtco2"] == pytest.approx(truth.vtco2, rel=0.05)
