"""Pressure speaks for an inspiration, against one, or late: a wave on either side of each rule."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.model.chunk import FloatArray
from streamer.model.units import S_PER_MIN
from tests.support.onset_waves import CYCLES, PATIENT, RATE, after_valve, blow, cycle, per_cycle, repeated
from tests.support.streams import chunk, segmented


@pytest.mark.parametrize(("lasts_s", "found"), [(0.30, 1.0), (0.48, 2.0), (0.60, 1.0), (0.90, 1.0)])
def test_gas_that_flows_back_slowly_for_long_is_no_breath(lasts_s: float, found: float) -> None:
    """7 L/min into a lung that was emptied by force; a patient who draws 40 mL does so in half a second."""
    flow, paw = cycle()
    here = blow(flow, 2.5, lasts_s, 7.0 / S_PER_MIN * 1000.0 * lasts_s)
    paw[here] -= 0.6 * np.sin(np.linspace(0.0, np.pi, paw[here].size))
    assert per_cycle(repeated(flow, paw)) == found


@pytest.mark.parametrize(("to", "found"), [(0.0, 1.0), (0.5, 1.0), (1.6, 2.0)])
def test_pressure_that_finds_back_to_peep(to: float, found: float) -> None:
    """It fell 2.2 cmH2O too low: 40 mL flow in while the valve puts that right; a breath goes above PEEP."""
    flow, paw = cycle()
    down, up = slice(200, 240), slice(240, 280)
    blow(flow, 2.4, 0.3, 40.0)
    paw[down] -= np.linspace(0.0, 2.2, 40)
    paw[up] += np.linspace(-2.2, to, 40)
    paw[280:] += np.linspace(to, 0.0, paw.size - 280)
    assert per_cycle(repeated(flow, paw)) == found


@pytest.mark.parametrize(("rise", "found"), [(0.8, 1.0), (1.5, 2.0)])
def test_pressure_that_sinks_all_through_expiration(rise: float, found: float) -> None:
    """A small breath rises from below what pressure usually is at low, which still counts."""
    flow, paw = cycle()
    paw[100:] += np.linspace(3.0, 0.0, paw.size - 100)
    here = blow(flow, 2.9, 0.4, 60.0)
    level = paw[here.start]
    paw[here] = level + np.linspace(0.0, rise, paw[here].size)
    paw[here.stop :] = np.linspace(level + rise, PATIENT.peep, paw.size - here.stop)
    assert per_cycle(repeated(flow, paw)) == found


def leaking(l_min: float, lasts_s: float) -> tuple[FloatArray, FloatArray]:
    """One breath that begins only after so much gas has flowed for so long at PEEP, among usual ones."""
    usual, special = cycle(), cycle()
    special[0][-round(lasts_s * RATE) :] = l_min / S_PER_MIN
    parts = [usual] * 6 + [special] + [usual] * 3
    flow, paw = (np.concatenate(one) for one in zip(*parts, strict=True))
    return flow, paw


@pytest.mark.parametrize("l_min", [10.0, 15.0])
@pytest.mark.parametrize("lasts_s", [0.7, 1.2])
def test_a_leak_does_not_open_the_valve(l_min: float, lasts_s: float) -> None:
    flow, paw = leaking(l_min, lasts_s)
    starts = [one.start_s for one in segmented([chunk(flow, paw)]).breaths if 20.0 < one.start_s < 35.0]
    assert starts == pytest.approx([24.0, 28.0, 32.0], abs=0.06)


@pytest.mark.parametrize("l_min", [10.0, 18.0])
@pytest.mark.parametrize("lasts_s", [0.1, 0.3, 0.45])
def test_nor_does_gas_that_flowed_steadily_for_less(lasts_s: float, l_min: float) -> None:
    """It is what a patient drew, and belongs to the breath that the rise of pressure begins."""
    flow, paw = leaking(l_min, lasts_s)
    breaths = [one for one in segmented([chunk(flow, paw)]).breaths if 20.0 < one.start_s < 35.0]
    assert [one.start_s for one in breaths] == pytest.approx([24.0, 28.0, 32.0], abs=0.06)
    assert [one.draw_s for one in breaths] == pytest.approx([0.0, lasts_s, 0.0], abs=0.03)


@pytest.mark.parametrize(("surge_l_min", "early_s"), [(8.0, 0.0), (12.0, 1.0)])
def test_without_pressure_a_leak_grows_and_a_patient_surges(surge_l_min: float, early_s: float) -> None:
    """7 L/min leak in for a second, then more, to the next breath."""
    flow, _ = cycle()
    flow[200:300] = 7.0 / S_PER_MIN
    flow[300:] = (7.0 + surge_l_min * np.minimum(np.arange(100) / 10.0, 1.0)) / S_PER_MIN
    flow[100:200] = -(flow[:100].sum() + flow[200:].sum()) / 100
    late = repeated(flow, np.full(flow.size, 5.0))[5:-1]
    assert after_valve(late) == pytest.approx([-early_s] * len(late), abs=0.1)


def test_flow_that_is_set_begins_the_breath_though_pressure_rises_late() -> None:
    """A patient who pulls takes all that the ventilator gives for 0.6 s: there is no jump of flow with the pressure."""
    flow, paw = cycle()
    paw[:60] = PATIENT.peep
    late = repeated(flow, paw)[5:-1]
    assert after_valve(late) == pytest.approx([0.0] * len(late), abs=0.03)


@pytest.mark.parametrize("volume_ml", [150.0, 260.0])
def test_without_pressure_the_end_of_flow_decides(volume_ml: float) -> None:
    """Half a usual breath is one, found back to where it began."""
    usual, special = cycle(), cycle()
    blow(special[0], 2.0, 0.5, volume_ml)
    parts = [usual] * 6 + [special] + [usual] * 3
    flow, paw = (np.concatenate(one) for one in zip(*parts, strict=True))
    starts = [one.start_s for one in segmented([chunk(flow, paw)]).breaths if 20.0 < one.start_s < 29.0]
    assert starts == pytest.approx([24.0, 28.0] if volume_ml < 200.0 else [24.0, 26.0, 28.0], abs=0.06)


@pytest.mark.parametrize(("owed_ml", "found"), [(0.0, [24.0, 26.5, 28.0]), (100.0, [24.0, 28.0])])
def test_what_an_emptied_lung_takes_back_is_no_breath(owed_ml: float, found: list[float]) -> None:
    """320 mL without pressure are a breath, unless 100 of them had been pressed out below where this breath began."""
    usual, special = cycle(), cycle()
    flow, _ = special
    flow[100:250] *= (500.0 + owed_ml) / 1000.0 / -flow[100:250].sum() * RATE
    flow[250:310] = 0.320 / 0.6
    flow[310:] = (owed_ml - 320.0) / 1000.0 / 0.9
    parts = [usual] * 6 + [special] + [usual] * 3
    signal, paw = (np.concatenate(one) for one in zip(*parts, strict=True))
    starts = [one.start_s for one in segmented([chunk(signal, paw)]).breaths if 20.0 < one.start_s < 29.0]
    assert starts == pytest.approx(found, abs=0.06)


@pytest.mark.parametrize("sd_l_min", [5.0, 6.0])
def test_in_much_noise_pressure_says_where_the_breath_begins(sd_l_min: float) -> None:
    """Flow of 10 L/min hardly stands out; pressure steps by 2 cmH2O and climbs."""
    rng = np.random.default_rng(7)
    flow, paw = cycle()
    flow = 10.0 / 30.0 * flow
    paw = PATIENT.peep + 0.6 * (paw - PATIENT.peep)
    many = np.tile(flow, 2 * CYCLES)
    noisy = many + rng.normal(0.0, sd_l_min / S_PER_MIN, many.size)
    pressure = np.tile(paw, 2 * CYCLES) + rng.normal(0.0, 0.1, many.size)
    late = segmented([chunk(noisy, pressure)]).breaths[6:-1]
    off = np.abs(after_valve(late))
    assert len(late) == pytest.approx(2 * CYCLES - 8, abs=1)
    assert np.mean(off <= 0.1) >= 0.85


@pytest.mark.parametrize("plateau", [13.0, 14.5, 17.0])
@pytest.mark.parametrize("rate_hz", [4.0, 5.5])
def test_water_in_a_pause_stacks_no_breath(plateau: float, rate_hz: float) -> None:
    """Flow swings by 8 L/min and pressure by 1.6 cmH2O wherever the plateau lies in the rise from 5 to 20."""
    flow, paw = cycle()
    pause = round(0.6 * RATE)
    flow = np.concatenate([flow[:100], np.zeros(pause), flow[100:]])
    paw = np.concatenate([paw[:100], np.full(pause, plateau), paw[100:]])
    many = np.tile(flow, CYCLES)
    water = np.sin(2 * np.pi * rate_hz * np.arange(many.size) / RATE)
    breaths = segmented([chunk(many + 8.0 / S_PER_MIN * water, np.tile(paw, CYCLES) + 1.6 * water)]).breaths
    late = [one for one in breaths if one.start_s > 5 * 4.6 - 0.2]
    assert len(late) == CYCLES - 5


@pytest.mark.parametrize(("valley", "left", "found"), [(0.4, 0.0, 2.0), (0.4, 0.2, 1.0), (0.6, 0.0, 1.0)])
def test_a_breath_upon_a_breath_after_pressure_was_let_go(valley: float, left: float, found: float) -> None:
    """Flow need not fall to nothing between both where pressure is back at PEEP (a patient who pulls on)."""
    flow, paw = cycle()
    again, rise = slice(100, 110), slice(110, 190)
    flow[again] = 0.5 * valley
    flow[rise] = 0.9
    paw[again] = PATIENT.peep + left * 15.0
    paw[rise] = np.linspace(paw[100], 22.0, 80)
    flow[190:] = -flow[:190].sum() / (flow.size - 190)
    assert per_cycle(repeated(flow, paw)) == found


@pytest.mark.parametrize("depth", [15.0, 25.0])
def test_after_suction_breaths_are_found_at_once(depth: float) -> None:
    """The breath that fills the lung again seems to begin from far below PEEP, and PEEP to be its plateau."""
    usual, sucked = cycle(), cycle()
    sucked[1][200:] -= depth
    sucked[0][200:] = -0.3
    refilled, paw = cycle()
    refilled[:100] = 1.1
    paw[:] = PATIENT.peep
    refilled[100:] = 0.0
    parts = [usual] * 6 + [sucked, (refilled, paw)] + [usual] * 4
    flow, pressure = (np.concatenate(one) for one in zip(*parts, strict=True))
    starts = [one.start_s for one in segmented([chunk(flow, pressure)]).breaths if 30.0 < one.start_s < 46.0]
    assert starts == pytest.approx([32.0, 36.0, 40.0, 44.0], abs=0.06)


def underdamped(rate_hz: float, beyond: float, c: float) -> tuple[FloatArray, FloatArray]:
    """Pressure control from 6 to 20 cmH2O by a valve that swings ``beyond``, into one compartment of ``c`` L/cmH2O."""
    t = np.arange(400) / RATE
    opened = 1.0 - np.exp(-t / 0.04)
    swing = beyond * np.exp(-0.1 * 2 * np.pi * rate_hz * t) * np.sin(2 * np.pi * rate_hz * t)
    paw = np.where(t < 1.1, 6.0 + opened * (14.0 + swing), 6.0 + 14.0 * np.exp(-(t - 1.1) / 0.03))
    volume, flow = 0.0, np.empty(400)
    for i in range(400):
        flow[i] = (paw[i] - 6.0 - volume / c) / 10.0
        volume += flow[i] / RATE
    return flow, paw


@pytest.mark.parametrize("beyond", [3.0, 5.0, 6.0])
@pytest.mark.parametrize("rate_hz", [2.4, 3.2, 4.8])
@pytest.mark.parametrize("c", [0.015, 0.030, 0.060])
def test_a_valve_that_rings_beyond_its_target(rate_hz: float, beyond: float, c: float) -> None:
    """By a fifth to two fifths of the rise: flow stops and comes back in its valleys, and it is one breath."""
    late = repeated(*underdamped(rate_hz, beyond, c))[5:-1]
    assert len(late) == pytest.approx(CYCLES - 7, abs=1)
    assert after_valve(late) == pytest.approx([0.0] * len(late), abs=0.1)
