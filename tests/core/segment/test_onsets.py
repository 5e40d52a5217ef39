"""Where a breath begins and ends, by flow and pressure together: a wave on either side of each rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.core.metrics import extract_features
from streamer.core.segment import segment_settings
from streamer.model.chunk import FloatArray
from streamer.model.flags import Flag
from streamer.model.units import S_PER_MIN
from tests.support.onset_waves import CYCLES, PATIENT, RATE, after_valve, blow, cycle, per_cycle, repeated
from tests.support.streams import Lung, chunk, segmented

LONGEST_DRAW_S = 0.5
"""What was drawn earlier belongs to neither expiration nor inspiration."""


# ── gas that flows in without an inspiration


@pytest.mark.parametrize(("rise", "found"), [(0.0, 1.0), (0.7, 1.0), (1.3, 2.0), (3.0, 2.0)])
def test_a_bump_in_early_expiration(rise: float, found: float) -> None:
    """35 mL: a valve, a tube or the diaphragm; a breath if pressure is built up."""
    flow, paw = cycle()
    here = blow(flow, 1.3, 0.2, 35.0)
    paw[here] += np.linspace(0.0, rise, paw[here].size)
    assert per_cycle(repeated(flow, paw)) == found


def blown(share: float) -> list[float]:
    """Starts of the breaths in which, and after which, gas is blown in at PEEP once, among usual ones: from 24 s on."""
    usual, special = cycle(), cycle()
    blow(special[0], 2.5, 0.6, share * 500.0)
    parts = [usual] * 6 + [special] + [usual] * 3
    flow, paw = (np.concatenate(one) for one in zip(*parts, strict=True))
    return [one.start_s for one in segmented([chunk(flow, paw)]).breaths if 23.5 < one.start_s < 30.0]


@pytest.mark.parametrize(("share", "found"), [(0.10, 2), (0.48, 2), (0.52, 3), (0.60, 3)])
def test_gas_blown_in_at_peep(share: float, found: int) -> None:
    """Where pressure rises by 15 cmH2O in every breath, less than half of one at level pressure is none."""
    assert len(blown(share)) == found


def test_gas_blown_in_does_not_move_the_next_start() -> None:
    assert blown(0.46) == pytest.approx([24.0, 28.0], abs=0.1)


@pytest.mark.parametrize(("ml", "found"), [(30.0, 1.0), (55.0, 2.0)])
def test_where_pressure_never_rises_a_tenth_is_a_breath(ml: float, found: float) -> None:
    flow, _ = cycle()
    blow(flow, 2.5, 0.3, ml)
    assert per_cycle(repeated(flow, np.full(flow.size, 5.0))) == found
    assert per_cycle(repeated(flow, None)) == found


@pytest.mark.parametrize(("fall", "found"), [(0.2, 1.0), (0.35, 1.0), (0.45, 2.0), (1.0, 2.0)])
def test_a_patient_who_pulls_pressure_down_breathes(fall: float, found: float) -> None:
    flow, paw = cycle()
    here = blow(flow, 2.5, 0.4, 80.0)
    paw[here] -= fall * np.sin(np.linspace(0.0, np.pi, paw[here].size))
    assert per_cycle(repeated(flow, paw)) == found


# ── a valve that rings


@pytest.mark.parametrize(("is_held", "found"), [(True, 1.0), (False, 2.0)])
def test_flow_that_swings_at_the_plateau(*, is_held: bool, found: float) -> None:
    """±15 L/min at 2 Hz with pressure at its plateau is a valve; with pressure down at PEEP, a breath of its own."""
    lung = replace(PATIENT, ti=2.0, period=5.0, tau=0.3)
    flow, paw = cycle(pcv=True, lung=lung)
    here = slice(120, 200)
    t = np.arange(80) / RATE
    flow[here] -= 15.0 / S_PER_MIN * np.sin(2 * np.pi * 2.0 * t)
    if not is_held:
        paw[here] = np.where(t < 0.25, lung.peep, np.minimum(lung.peep + 100.0 * (t - 0.25), paw[here]))
    late = [one for one in repeated(flow, paw) if one.start_s > 24.9]
    assert len(late) / (CYCLES - 5) == pytest.approx(found, abs=0.01)
    if is_held:
        assert [one.insp_end_s - one.start_s for one in late[:-1]] == pytest.approx([2.0] * (len(late) - 1), abs=0.03)


# ── a patient who draws from base flow before the valve opens


def drawn(draw_s: float, l_min: float = 6.0) -> tuple[FloatArray, FloatArray]:
    """The end of expiration becomes a draw."""
    flow, paw = cycle()
    n = round(draw_s * RATE)
    flow[-n:] = l_min / S_PER_MIN
    paw[-n:] -= 0.5
    return flow, paw


@pytest.mark.parametrize(("draw_s", "counted_s"), [(0.1, 0.1), (0.3, 0.3), (0.45, 0.45), (0.8, 0.5)])
def test_the_breath_begins_with_the_valve_and_owns_what_was_drawn(draw_s: float, counted_s: float) -> None:
    flow, paw = drawn(draw_s)
    late = repeated(flow, paw)[5:-1]
    assert after_valve(late) == pytest.approx([0.0] * len(late), abs=0.06)
    drew = [one.draw_s - early for one, early in zip(late, after_valve(late), strict=True)]
    assert drew == pytest.approx([counted_s] * len(late), abs=0.051)
    given = 0.5 + 0.1 * counted_s
    assert [extract_features(one).insp_volume for one in late] == pytest.approx([given] * len(late), abs=0.006)


@pytest.mark.parametrize("l_min", [12.0, 20.0])
def test_a_strong_draw_that_pauses_before_pressure_rises_is_one(l_min: float) -> None:
    """No valve was open while flow stood still and pressure was low, however much the patient drew."""
    flow, paw = drawn(0.3, l_min=l_min)
    late = repeated(flow, paw)[5:-1]
    assert after_valve(late) == pytest.approx([0.0] * len(late), abs=0.02)
    assert [one.draw_s for one in late] == pytest.approx([0.3] * len(late), abs=0.03)


def test_flow_that_never_pauses_began_where_it_left_zero() -> None:
    """A valve that opens while the patient still pulls pressure down: flow rises all the way."""
    flow, paw = drawn(0.3)
    flow[-30:] = np.linspace(0.0, 30.0, 30) / S_PER_MIN
    late = repeated(flow, paw)[5:-1]
    assert after_valve(late) == pytest.approx([-0.25] * len(late), abs=0.05)


@pytest.mark.parametrize(("rise", "early_s"), [(0.0, 0.16), (0.3, 0.16), (0.7, 0.30), (2.0, 0.30)])
def test_pressure_that_rises_with_a_hovering_flow_opened_the_valve(rise: float, early_s: float) -> None:
    """A patient who draws lowers pressure; a valve that gives 6 L/min at first raises it, before the patient pulls."""
    flow, paw = drawn(0.3)
    paw[-30:-10] = PATIENT.peep + rise
    paw[-10:] = PATIENT.peep - 1.0
    flow[-10:] = np.linspace(6.0, 30.0, 10) / S_PER_MIN
    late = repeated(flow, paw)[5:-1]
    assert after_valve(late) == pytest.approx([-early_s] * len(late), abs=0.04)


def test_unequal_draws_leave_the_interval_in_doubt() -> None:
    """Flow of 20 L/min at level pressure for 0.3 s before every second rise: one may have been the ventilator's."""
    usual, special = cycle(), cycle()
    special[0][-30:] = np.linspace(8.0, 30.0, 30) / S_PER_MIN
    flow, paw = (np.concatenate([one, two]) for one, two in zip(usual, special, strict=True))
    late = [one for one in repeated(flow, paw) if one.start_s > 20.0][:-1]
    assert [one.doubt_s for one in late] == pytest.approx([0.3] * len(late), abs=0.06)
    alike = [one for one in repeated(*special) if one.start_s > 20.0][:-1]
    assert [one.doubt_s for one in alike] == pytest.approx([0.0] * len(alike), abs=0.02)


def test_without_pressure_a_breath_begins_with_its_flow() -> None:
    """Nothing says that there is a valve to wait for, below 8 L/min."""
    flow, _ = drawn(0.3)
    late = repeated(flow, None)[5:-1]
    assert after_valve(late) == pytest.approx([-0.3] * len(late), abs=0.03)


@pytest.mark.parametrize("peak_l_min", [9.0, 12.0, 25.0])
def test_a_shallow_slow_breath_without_pressure_is_found_when_it_ends(peak_l_min: float) -> None:
    """It takes 0.3 s and more to reach 8 L/min, as a leak does, but it ends."""
    t = np.arange(400) / RATE
    flow = np.where(t < 2.0, np.sin(np.pi * t / 2.0), -np.sin(np.pi * (t - 2.0) / 2.0)) * peak_l_min / S_PER_MIN
    late = repeated(flow, None)[2:-1]
    assert len(late) == CYCLES - 3
    assert after_valve(late) == pytest.approx([0.35] * len(late), abs=0.3)


@pytest.mark.parametrize("draw_s", [0.1, 0.3, 0.8])
def test_no_gas_is_lost_or_counted_twice(draw_s: float) -> None:
    """Net volumes of breaths, from one to the next, are the integral of flow."""
    flow, paw = drawn(draw_s)
    breaths = repeated(flow, paw)
    first = round(breaths[0].onset_s * RATE)
    whole = np.trapezoid(np.tile(flow, CYCLES)[first:]) / RATE
    assert sum(np.trapezoid(one.flow) for one in breaths) / RATE == pytest.approx(whole, abs=1e-9)
    if draw_s > LONGEST_DRAW_S:
        return
    folds = [extract_features(one) for one in breaths[5:-1]]
    closed = sum(one.insp_volume - one.exp_volume for one in folds)
    assert closed == pytest.approx(len(folds) * np.trapezoid(np.append(flow, flow[0])) / RATE, abs=0.005 * len(folds))


# ── a short expiration between two inspirations


def doubled(expired: list[float], rate_hz: float = 50.0) -> tuple[FloatArray, FloatArray]:
    """Two inspirations with a few samples of expiration between them, L/min."""
    flow, paw = cycle(rate_hz=rate_hz)
    n = round(PATIENT.ti * rate_hz)
    out = np.array(expired) / S_PER_MIN
    low = np.full(out.size, PATIENT.peep)
    return np.concatenate([flow[:n], out, flow[:n], 2.0 * flow[n:]]), np.concatenate([paw[:n], low, paw])


@pytest.mark.parametrize("expired", [[-40.0], [-40.0, -40.0], [-25.0, -25.0], [-25.0, -40.0, -15.0]])
def test_a_forceful_expiration_confirms_itself(expired: list[float]) -> None:
    flow, paw = doubled(expired)
    late = repeated(flow, paw, 50.0)[8:-1]
    assert not any(Flag.STACKED in one.flags for one in late)
    duration_s = flow.size / 50.0
    starts = [one.start_s % duration_s for one in late]
    marks = [0.0, (50 + len(expired)) / 50.0]
    assert all(min(abs(start - mark) for mark in (*marks, duration_s)) <= 0.03 for start in starts)
    first = [one for one, start in zip(late, starts, strict=True) if abs(start - marks[1]) > 0.1]
    assert len(first) == pytest.approx(len(late) / 2, abs=1)
    assert all(abs(one.insp_end_s - one.start_s - 1.0) <= 0.03 for one in first)


@pytest.mark.parametrize("expired", [[-2.0, -2.0], [-15.0, -15.0]])
def test_a_feeble_one_does_not(expired: list[float]) -> None:
    """Below 20 L/min it needs 15 mL of 500: the second inspiration stands upon the first."""
    flow, paw = doubled(expired)
    late = repeated(flow, paw, 50.0)[8:-1]
    assert sum(Flag.STACKED in one.flags for one in late) == pytest.approx(len(late) / 2, abs=1)


# ── the size of the patient, from the signal


def newborn(swing: float, vt: float = 0.015) -> Lung:
    """40 a minute; pressure rises by ``swing`` cmH2O."""
    tau, ti = 0.15, 0.5
    return Lung(vt=vt, period=1.5, ti=ti, tau=tau, rrs=swing / (vt / ti + vt / tau), phase=0.5)


@pytest.mark.parametrize("rate_hz", [100.0, 250.0])
@pytest.mark.parametrize("vt", [0.010, 0.015, 0.030])
def test_a_ventilated_newborn_needs_no_declaration(vt: float, rate_hz: float) -> None:
    wave = newborn(15.0, vt).wave(90.0, rate_hz)
    breaths = segmented([chunk(wave.flow, wave.paw, rate_hz=rate_hz)]).breaths
    starts = [one.start_s for one in breaths if one.start_s > 20.5]
    assert starts == pytest.approx(wave.marks_s[wave.marks_s > 20.5], abs=0.05)


@pytest.mark.parametrize("swing", [4.0, 8.0])
def test_a_small_swing_is_enough(swing: float) -> None:
    wave = newborn(swing).wave(90.0)
    starts = [one.start_s for one in segmented([chunk(wave.flow, wave.paw)]).breaths if one.start_s > 20.5]
    assert starts == pytest.approx(wave.marks_s[wave.marks_s > 20.5], abs=0.05)


@pytest.mark.parametrize("swing", [None, 2.0, 2.6])
def test_a_small_flow_without_a_ventilator_is_no_newborn(swing: float | None) -> None:
    """It may be a leak, a heart or an empty circuit: nothing says that somebody is ventilated."""
    wave = newborn(swing or 15.0, 0.010).wave(60.0)
    paw = None if swing is None else wave.paw
    assert len(segmented([chunk(wave.flow, paw)]).breaths) <= 2
    declared = segmented([chunk(wave.flow, paw)], segment_settings("neonate")).breaths
    assert len(declared) >= 35
