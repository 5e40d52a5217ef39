"""Closed forms of power against the oracle tables of algorithms §11.1, to their printed digits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.metrics.power_formulas import gattinoni, giosa, pcv_full, pcv_simple, vcv_simple, vdm
from streamer.model.units import JOULE_PER_L_CMH2O as K

SQUARE = {  # C, R, P0, set PEEP, VT, F, RR, Ppeak, Pplat → W, mp (K), mp (0.098), PEEP / elastic / resistive, giosa
    "O-1a": (
        (0.05, 10, 5, 5, 0.5, 0.5, 15, 20, 15),
        ("0.735499", "11.03248", "11.02500", ("3.67749", "3.67749", "3.67749"), "11.25000"),
    ),
    "O-1b": (
        (0.03, 12, 12, 12, 0.36, 0.5, 26, 30, 24),
        ("0.847295", "22.02966", "22.01472", ("11.01483", "5.50741", "5.50741"), "21.99600"),
    ),
    "O-1c": (
        (0.095, 21, None, 0, 0.65, 0.5, 15, None, None),
        ("1.074547", "16.11820", "16.10728", ("2.80761", "3.27103", "10.03956"), "12.32326"),
    ),
}
LEVEL = {  # C, R, PEEP, ΔP, Ti, Ts, RR → VT, W, mp (K), pcv_simple and vdm (0.098)
    "O-3a": ((0.05, 10, 5, 15, 1.0, 0.0, 15), ("0.648499", "1.271920", "19.07879", "19.06586", "17.13064")),
    "O-3b": ((0.05, 10, 5, 15, 1.0, 0.2, 15), ("0.625198", "1.159473", "17.39209", "18.38081", "16.51513")),
    "O-3c": ((0.05, 10, 5, 15, 0.5, 0.0, 24), ("0.474090", "0.929848", "22.31635", "22.30121", "16.14809")),
    "O-3d": ((0.03, 12, 12, 14, 0.8, 0.1, 26), ("0.367536", "0.912176", "23.71657", "24.34850", "22.92772")),
}


def printed(value: float, as_in: str) -> str:
    return f"{value:.{len(as_in.partition('.')[2])}f}"


def square(name: str) -> tuple[float, ...]:
    """C, R, P0, set PEEP, VT, F, RR, Ppeak, Pplat; O-1c starts from the gas that 2.4 s of expiration leave behind."""
    c, r, p0, peep, vt, flow, rr, peak, plateau = SQUARE[name][0]
    if p0 is None:
        left = math.exp(-2.4 / (r * c))
        p0 = peep + vt * left / (1 - left) / c
        plateau = p0 + vt / c
        peak = plateau + r * flow
    return c, r, p0, peep, vt, flow, rr, peak, plateau


def volume(c: float, r: float, above: float, ti: float, rise: float) -> float:
    tau = r * c
    lag = tau / rise * math.expm1(rise / tau) if rise else 1.0
    return c * above * (1 - lag * math.exp(-ti / tau))


@pytest.mark.parametrize("name", SQUARE)
def test_square_flow(name: str) -> None:
    _, _, p0, peep, vt, flow, rr, peak, plateau = square(name)
    work, power, rounded, (part_peep, part_elastic, part_resistive), short = SQUARE[name][1]
    known = {"vt": vt, "rr": rr, "ppeak": peak, "driving_pressure": plateau - p0}
    assert printed(vcv_simple(**known) / rr, work) == work
    assert printed(vcv_simple(**known), power) == power
    assert printed(vcv_simple(**known, literature_constant=True), rounded) == rounded
    assert printed(K * rr * vt * p0, part_peep) == part_peep
    assert printed(K * rr * vt * (plateau - p0) / 2, part_elastic) == part_elastic
    assert printed(K * rr * vt * (peak - plateau), part_resistive) == part_resistive
    without = giosa(minute_volume=rr * vt, ppeak=peak, peep=peep, flow_l_min=60 * flow)
    assert printed(without, short) == short


@pytest.mark.parametrize("name", LEVEL)
def test_level_pressure(name: str) -> None:
    (c, r, peep, above, ti, rise, rr), (vt_printed, work, power, simple, low) = LEVEL[name]
    vt = volume(c, r, above, ti, rise)
    assert printed(vt, vt_printed) == vt_printed
    known = {"vt": vt, "rr": rr, "above": above, "peep": peep}
    full = pcv_full(**known, compliance=c, resistance=r, rise_s=rise)
    assert printed(full / rr, work) == work
    assert printed(full, power) == power
    assert printed(pcv_simple(**known, literature_constant=True), simple) == simple
    assert printed(vdm(**known, ti=ti, tau=r * c, literature_constant=True), low) == low


@pytest.mark.parametrize("name", SQUARE)
def test_gattinoni_is_the_simple_form_for_square_flow(name: str) -> None:
    """Total PEEP, and I:E of the flow time without a pause."""
    c, r, p0, _, vt, flow, rr, peak, plateau = square(name)
    ti = vt / flow
    ie = ti / (60 / rr - ti)
    for rounded in (False, True):
        simple = vcv_simple(vt=vt, rr=rr, ppeak=peak, driving_pressure=plateau - p0, literature_constant=rounded)
        whole = gattinoni(vt=vt, rr=rr, ie=ie, elastance=1 / c, resistance=r, peep=p0, literature_constant=rounded)
        assert whole == pytest.approx(simple, rel=1e-12)


@pytest.mark.parametrize(("name", "pause_s", "off"), [("O-1a", 0.3, -0.077), ("O-1b", 0.2, -0.054)])
def test_a_pause_counted_in_ie_reads_low(name: str, pause_s: float, off: float) -> None:
    c, r, p0, _, vt, flow, rr, *_ = square(name)
    known = {"vt": vt, "rr": rr, "elastance": 1 / c, "resistance": r, "peep": p0}
    ti = vt / flow
    right = gattinoni(**known, ie=ti / (60 / rr - ti))
    paused = gattinoni(**known, ie=(ti + pause_s) / (60 / rr - ti - pause_s))
    assert paused / right - 1 == pytest.approx(off, abs=5e-4)


def test_set_peep_reads_low_where_gas_is_trapped() -> None:
    """What ``_elastic`` never does: ΔP from PEEP in place of total PEEP, O-1c."""
    _, _, p0, peep, vt, _, rr, peak, plateau = square("O-1c")
    right = vcv_simple(vt=vt, rr=rr, ppeak=peak, driving_pressure=plateau - p0)
    wrong = vcv_simple(vt=vt, rr=rr, ppeak=peak, driving_pressure=plateau - peep)
    assert wrong / right - 1 == pytest.approx(-0.087, abs=5e-4)


@pytest.mark.parametrize(("r", "off"), [(10, 0.020), (5, 0.12)])
def test_giosa_fixes_resistance_at_ten(r: float, off: float) -> None:
    vt, rr, p0, flow = 0.5, 15, 5, 0.5
    plateau = p0 + vt / 0.05
    peak = plateau + r * flow
    right = vcv_simple(vt=vt, rr=rr, ppeak=peak, driving_pressure=plateau - p0)
    short = giosa(minute_volume=vt * rr, ppeak=peak, peep=p0, flow_l_min=60 * flow)
    assert short / right - 1 == pytest.approx(off, abs=5e-3)


def test_a_rise_time_makes_the_simple_form_read_high() -> None:
    """Rise 0.2 s, τ 0.5 s: +5.76 %."""
    vt = volume(0.05, 10, 15, 1.0, 0.2)
    simple = pcv_simple(vt=vt, rr=15, above=15, peep=5)
    full = pcv_full(vt=vt, rr=15, above=15, peep=5, compliance=0.05, resistance=10, rise_s=0.2)
    assert simple / full - 1 == pytest.approx(0.0576, abs=1e-4)


@pytest.mark.parametrize(("ti_over_tau", "off"), [(2.0, -0.10), (1.0, -0.28)])
def test_van_der_meijden_reads_low(ti_over_tau: float, off: float) -> None:
    tau = 0.5
    vt = volume(0.05, 10, 15, ti_over_tau * tau, 0.0)
    low = vdm(vt=vt, rr=15, above=15, peep=5, ti=ti_over_tau * tau, tau=tau)
    assert low / pcv_simple(vt=vt, rr=15, above=15, peep=5) - 1 == pytest.approx(off, abs=5e-3)


@given(st.floats(5, 20), st.floats(0.2, 0.9), st.floats(5, 40))
def test_o8_the_equation_knows_peep(rr: float, vt: float, r: float) -> None:
    """Wu 2022: the equation's power rises with PEEP, by K·V'E·ΔPEEP."""
    low, high = (gattinoni(vt=vt, rr=rr, ie=0.5, elastance=25, resistance=r, peep=peep) for peep in (5, 10))
    assert high - low == pytest.approx(K * rr * vt * 5)


def test_o8_five_cmh2o_more_of_peep() -> None:
    """The published rise of 2.70 J/min implies a minute volume of 5.5 L/min."""
    assert printed(2.70 / (K * 5), "5.5") == "5.5"


def test_a_ramp_spares_nothing_when_quick_and_half_when_slow() -> None:
    known = {"vt": 0.5, "rr": 1, "above": 10, "peep": 5, "compliance": 0.05}
    step = pcv_simple(vt=0.5, rr=1, above=10, peep=5)
    assert pcv_full(**known, resistance=10, rise_s=0.0) == step
    assert pcv_full(**known, resistance=0, rise_s=0.1) == pytest.approx(step - K * 0.5 * 100 * 0.05)
    below, above = (pcv_full(**known, resistance=10, rise_s=0.5 * ratio) for ratio in (0.99e-4, 1.01e-4))
    assert step > below > above  # the series and the formula meet
    assert below - above == pytest.approx(K * 100 * 0.05 * 0.02e-4 / 6, rel=1e-2)
