from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.core.metrics import Measures
from streamer.model.breath import NO_CAPNOGRAPH, Breath, Capnograph
from streamer.model.chunk import FloatArray
from streamer.model.context import BloodGas, Context
from streamer.model.flags import Flag
from tests.support.analytic_breaths import measured, start_from, vcv

MAINSTREAM = Context(co2_kind="mainstream", co2_scale="BTPS")


def with_co2(
    *, dead_ml: float = 150.0, p0: float = 36.0, slope: float = 0.01, inspired: float = 0.0, late_s: float = 0.0,
    vt: float = 0.5,
) -> Breath:  # fmt: skip
    """Step expirogram: ``inspired`` until the dead space has passed, then p0 + slope·(V - VDaw); mmHg, mL."""
    one = vcv(vt=vt, flow=0.5, r=8.0, rr=12)
    volume_ml = -np.cumsum(np.where(np.arange(one.flow.size) >= one.insp_end, one.flow, 0.0)) * 10.0
    pco2 = np.where(volume_ml > dead_ml, p0 + slope * (volume_ml - dead_ml), inspired)
    pco2[: one.insp_end] = inspired
    pco2[:3] = pco2[-1]
    pco2 = np.roll(pco2, int(late_s * 100)) if late_s else pco2
    return dataclasses.replace(one, pco2=pco2)


ALIGNED = Capnograph(delay_s=0.0, delay_sd_s=0.001, withheld=None, end_tidal=38.0, inspired=0.5, tau_s=0.0)


def found(one: Breath, context: Context = MAINSTREAM, **given: object) -> Measures:
    capnograph = NO_CAPNOGRAPH if one.pco2 is None else ALIGNED
    return measured(one, start_from(one, context=context, **{"capnograph": capnograph} | given))


@pytest.mark.parametrize(
    ("given", "end_tidal"),
    [({"p0": 40.0, "slope": 0.0}, 40.0), ({}, 39.5), ({"dead_ml": 160.0, "p0": 28.0, "slope": 0.02, "vt": 0.4}, 32.8)],
    ids=["E-1", "E-2", "E-3"],
)
def test_end_tidal(given: dict[str, float], end_tidal: float) -> None:
    """Mean of the last 5 %, carried to the very end by the slope of phase III."""
    one = with_co2(**given)
    assert found(one).values["petco2"] == pytest.approx(end_tidal, abs=0.05)
    assert found(one).quality["petco2"] == "A"
    assert found(one).values["pico2"] == 0.0


def test_gas_that_washes_the_sensor_after_flow_has_stopped_does_not_count() -> None:
    one = with_co2()
    assert one.pco2 is not None
    pco2 = one.pco2.copy()
    pco2[one.flow > -0.001] = np.where(np.arange(pco2.size) > one.insp_end, 20.0, pco2)[one.flow > -0.001]
    assert found(dataclasses.replace(one, pco2=pco2)).values["petco2"] == pytest.approx(39.375, abs=0.4)


def patchy(one: Breath) -> Breath:
    assert one.pco2 is not None
    pco2: FloatArray = one.pco2.copy()
    pco2[200] = np.nan
    return dataclasses.replace(one, pco2=pco2)


@pytest.mark.parametrize(
    ("one", "context", "reason"),
    [
        (vcv(), MAINSTREAM, "co2_missing"),
        (patchy(with_co2()), MAINSTREAM, "gap"),
        (with_co2(dead_ml=400.0), MAINSTREAM, "no_phase3"),
        (with_co2(p0=3.0, slope=0.0), MAINSTREAM, "no_phase3"),
        (with_co2(inspired=9.0), MAINSTREAM, "rebreathing"),
    ],
)
def test_withheld(one: Breath, context: Context, reason: str) -> None:
    assert found(one, context).missing["petco2"] == reason


def test_quality() -> None:
    assert found(with_co2(inspired=4.0)).quality["petco2"] == "B"
    assert found(with_co2(), Context(co2_kind="mainstream")).quality["petco2"] == "C"
    undeclared = found(with_co2(), Context())
    assert undeclared.quality["petco2"] == "C"
    assert undeclared.values["petco2"] == ALIGNED.end_tidal
    assert undeclared.methods["petco2"] == "time_undeclared"


def test_a_dried_sample_reads_high() -> None:
    dry = Context(co2_kind="mainstream", co2_scale="dry", barometric_mmhg=760)
    assert found(with_co2(p0=42.6, slope=0.0), dry).values["petco2"] == pytest.approx(40.0, abs=0.05)


def test_interpolated_breath_withholds_co2_only() -> None:
    one = with_co2()
    short = measured(one, start_from(one, context=MAINSTREAM), frozenset({Flag.GAP_SHORT}))
    assert short.missing["petco2"] == short.missing["pico2"] == "gap"
    assert "mp" in short.values


def test_end_tidal_far_above_arterial_is_implausible() -> None:
    gas = BloodGas(at_s=0.0, pco2_art_mmhg=25.0)
    assert found(with_co2(), blood_gas=gas).missing["petco2"] == "implausible"
    assert "petco2" in found(with_co2(), blood_gas=gas, blood_gas_age_s=4000.0).values
    in_kpa = BloodGas(at_s=0.0, pco2_art_mmhg=6.0)
    assert "petco2" in found(with_co2(), blood_gas=in_kpa).values, "then it is the gas that is doubted"


@pytest.mark.parametrize(
    ("inspired", "seen"), [(0.0, "A"), (0.45, "A"), (0.55, "B"), (-0.55, "B"), (-1.7, "B"), (-1.9, None)]
)
def test_a_zero_that_is_off_moves_pressures(inspired: float, seen: str | None) -> None:
    """Fresh gas has no CO2: what is read of it may be the sensor's zero."""
    one = found(with_co2(inspired=inspired))
    for key in ("petco2", "pco2_alv", "pco2_mixed_exp"):
        assert one.quality.get(key) == seen, key
        assert seen or one.missing[key] == "implausible"
