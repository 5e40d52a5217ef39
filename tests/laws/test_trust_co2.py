"""What volumetric capnography promises: the tables of the algorithms and of docs/trust.md, through the whole path."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from adapters.simulator import simulate
from streamer.core.align import AlignSettings
from streamer.core.metrics.features.expirogram import cells, expirogram
from streamer.core.metrics.features.extract import features_and_grid
from streamer.model.context import Context
from streamer.model.records import BreathRecord
from tests.support.streams import timed
from tests.tools.trust.co2 import BARE, CONTEXT, LATE, SLOW, UNKNOWN, Setting, cell_of, measured, model

BELIEVED = AlignSettings(estimate_co2_delay=False)
"""The estimator is off, and the capnogram is taken to be prompt."""


def middle(records: list[BreathRecord], key: str) -> float:
    values = [record.values[key] for record in records if key in record.values]
    assert len(values) > 5, records[-1].missing.get(key)
    return float(np.median(values))


class Unchecked(NamedTuple):
    """A breath's expirogram, unaligned and whatever the gates say of it: by a line through the middle half of it."""

    dead: float
    slope: float
    bohr: float
    mixed: float


def unchecked(**given: float) -> Unchecked:
    breath = timed(simulate(model(**given)).chunks(0.5), CONTEXT, BELIEVED)[UNKNOWN][0]
    assert breath.pco2 is not None
    features, tidal, _ = features_and_grid(breath)
    edges, pressure, _ = cells(breath.pco2, tidal, breath.rate_hz, breath.insp_end, features.co2_inspired, 0)
    (volume, area, *_), dead, slope, _ = expirogram(edges, pressure)
    return Unchecked(1000.0 * dead, slope, dead / volume, area / volume + features.co2_inspired)


@pytest.mark.parametrize("late_s", LATE)
def test_without_the_estimator_lateness_costs_what_the_table_says(late_s: float) -> None:
    """Algorithms §6.2, within 2 mL."""
    dead, mixed, bohr = LATE[late_s]
    found = unchecked(delay_s=late_s)
    assert found.dead == pytest.approx(dead, abs=2.0)
    assert found.mixed == pytest.approx(mixed, abs=0.15)
    assert found.bohr == pytest.approx(bohr, abs=0.006)
    shown = measured(model(delay_s=late_s), align=BELIEVED)[UNKNOWN]
    assert shown.values["vd_vt_bohr"] == pytest.approx(bohr, abs=0.006), "who switches the estimator off sees this"


@pytest.mark.parametrize("tau_s", SLOW)
def test_without_the_estimator_a_slow_sensor_costs_what_the_table_says(tau_s: float) -> None:
    dead, bohr, slope = SLOW[tau_s]
    found = unchecked(tau_s=tau_s)
    assert found.dead == pytest.approx(dead, abs=2.0)
    assert found.bohr == pytest.approx(bohr, abs=0.006)
    assert found.slope == pytest.approx(1000.0 * slope, rel=0.05)


@pytest.mark.parametrize("tau_s", [0.0, 0.03, 0.06, 0.1, 0.2])
def test_a_slow_sensor_costs_what_it_bends_and_nothing_else(tau_s: float) -> None:
    """Areas are those of gas: late by the sensor's time constant, and not bent. Phase II becomes its own."""
    found = measured(model(tau_s=tau_s))[UNKNOWN]
    assert found.values["vtco2"] == pytest.approx(11.50, rel=0.03), "its tail is not inspired"
    assert found.values["petco2"] == pytest.approx(35.6, abs=0.3)
    slow = {"slope_2"} if tau_s > 0.03 else set()  # 30 ms may be the chamber's
    if tau_s > 0.09:
        slow |= {"slope_3", "sn_3"}
    assert {key for key, reason in found.missing.items() if reason == "co2_too_slow"} >= slow
    assert found.values["vd_aw"] == pytest.approx(150.0, abs=4.0), "half of 3 mL at most, at the flow of phase II"
    assert found.values["pco2_alv"] == pytest.approx(33.8, abs=1.0)
    if "slope_3" not in slow:
        assert found.values["slope_3"] == pytest.approx(12.0, rel=0.10)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
@pytest.mark.parametrize("tau_s", [0.0, 0.03, 0.06, 0.1])
@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1, 0.3, 0.5])
def test_the_estimator_undoes_it(delay_s: float, tau_s: float, rate_hz: float) -> None:
    """VDaw within 7 mL for delays to 0.5 s, time constants to 0.1 s, 50-200 Hz, at any phase of the sampling."""
    found = measured(model(delay_s=delay_s, tau_s=tau_s, rate_hz=rate_hz, onset_s=0.37 / rate_hz), BARE)[UNKNOWN:]
    dead = [record.values["vd_aw"] for record in found if "vd_aw" in record.values]
    assert len(dead) >= 0.9 * len(found)
    assert np.abs(np.array(dead) - 150.0).max() <= 7.0
    assert middle(found, "vd_vt_bohr") == pytest.approx(1.0 / 3.0, abs=0.016)


@pytest.mark.parametrize("tau_s", [0.0, 0.03])
@pytest.mark.parametrize("delay_s", [-0.05, -0.03])
def test_falls_before_the_gas_give_nothing_that_looks_good(delay_s: float, tau_s: float) -> None:
    """Gas that was drawn unseen, or flow that is late: nothing tells, and a sensor does not fall before its gas."""
    found = measured(model(delay_s=delay_s, tau_s=tau_s, onset_s=0.0037))[UNKNOWN:]
    for one in found:
        off = abs(one.values.get("vd_aw", 150.0) - 150.0)
        assert off <= {"A": 8.0, "B": 18.0}.get(one.quality.get("vd_aw", "C"), 40.0)
    if delay_s == -0.05:
        assert {one.quality.get("vd_aw", "C") for one in found} == {"C"}


def test_noise_costs_little() -> None:
    """1 mmHg and 1 L/min: bias at most 4 mL, half of 3 mL of chamber; SD from breath to breath at most 3 mL."""
    cell = cell_of(replace(Setting(), delay_s=0.0, tau_s=0.0), lungs=20)
    assert len(cell.by_lung) == 20
    biases, spreads = zip(*cell.by_lung, strict=True)
    assert abs(np.mean(biases)) <= 4.0
    assert np.mean(spreads) <= 3.0
    assert cell.errors["vd_aw"].given > 0.9, cell.errors["vd_aw"].reasons


def test_each_value_says_its_method_and_its_sensor() -> None:
    """What a later comparison needs: equal methods, sensor included; and the delay that was used."""
    for kind in ("mainstream", "sidestream"):
        context = Context(co2_kind=kind, co2_scale="BTPS", co2_delay_s=0.1, allow_sidestream_vcap=True)  # type: ignore[arg-type]
        record = measured(model(delay_s=0.1), context)[UNKNOWN]
        for key in ("petco2", "pico2", "pco2_alv", "pco2_mixed_exp", "vtco2", "vco2", "vd_aw", "vd_aw_fit", "vt_alv",
                    "vd_vt_bohr", "slope_2", "slope_3", "sn_3", "co2_delay", "vd_aw_sd"):  # fmt: skip
            assert record.methods[key].endswith(kind), key
        assert record.values["co2_delay"] == pytest.approx(0.1, abs=0.008)
        assert {record.quality["vd_aw"], record.quality["vd_vt_bohr"]} == {"A" if kind == "mainstream" else "C"}
