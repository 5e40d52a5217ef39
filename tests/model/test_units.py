from __future__ import annotations

import pytest

from streamer.model.units import (
    CMH2O_PER_MMHG,
    SCALES,
    STANDARD_MMHG,
    atpd_to_btps,
    btps_to_stpd,
    stpd_to_btps,
    unit_of,
)

SPELLED = {
    ("paw", "cmh2o"): ["cmH2O", "cmH20", "cm H2O", "cmH₂O", "CMH2O", "[cmH2O]", "cmH_2O", "cm of water", " cmWC "],
    ("paw", "mbar"): ["mbar", "mBar", "MBAR", "(mbar)", "mb", "millibar"],
    ("paw", "hpa"): ["hPa", "HPA", "h Pa"],
    ("paw", "kpa"): ["kPa", "KPA", "㎪"],
    ("paw", "pa"): ["Pa", "Pascal", "N/m²"],
    ("paw", "mmhg"): ["mmHg", "mm Hg", "MMHG", "mm[Hg]", "㎜Hg", "Torr"],
    ("flow", "l_s"): ["L/s", "l/sec", "LPS", "L·s⁻¹", "L.s-1", "l s^-1", "Liters/Second", "litres per second"],
    ("flow", "l_min"): ["L/min", "LPM", "lpm", "[l/min]", "L.min-1", "l·min⁻¹", "L min^{-1}", "litres/minute", "L/mn"],
    ("flow", "ml_s"): ["mL/s", "ml/sec", "cc/s", "cm³/s", "cm3/s", "mL·s⁻¹", "milliliters/second"],
    ("flow", "ml_min"): ["mL/min", "ml·min-1", "ccm/min"],
    ("flow", "slm"): ["slm", "SLPM", "sL/min", "std L/min", "NL/min"],
    ("pco2", "mmhg"): ["mmHg", "mm Hg", "Torr", "TORR"],
    ("pco2", "kpa"): ["kPa", "kPa CO2"],
    ("pco2", "percent"): ["%", "\N{FULLWIDTH PERCENT SIGN}", "vol%", "Vol.-%", "vol %", "% CO2", "Percent"],
}


@pytest.mark.parametrize(("signal", "unit", "text"), [(*key, text) for key, texts in SPELLED.items() for text in texts])
def test_a_unit_is_known_however_it_is_written(signal: str, unit: str, text: str) -> None:
    found = unit_of(signal, text)
    assert found is not None
    assert found.name == unit
    assert found.name in SCALES[signal]


@pytest.mark.parametrize(
    "text", ["", "?", "V", "mV", "bar", "MPa", "psi", "m/s", "L", "mL", "L/h", "L/min/m2", "min", "1/min"]
)
@pytest.mark.parametrize("signal", ["paw", "flow"])
def test_what_is_no_unit_of_it_is_none(signal: str, text: str) -> None:
    assert unit_of(signal, text) is None


def test_a_unit_of_another_signal_is_none() -> None:
    assert unit_of("flow", "cmH2O") is unit_of("paw", "L/s") is unit_of("paw", "%") is unit_of("pco2", "L/min") is None


@pytest.mark.parametrize(
    ("text", "name", "conditions"),
    [
        ("L/s BTPS", "l_s", "BTPS"),
        ("l/min (ATPD)", "l_min", "ATPD"),
        ("L/min, STPD", "l_min", "STPD"),
        ("L/s", "l_s", ""),
    ],
)
def test_gas_conditions_behind_a_unit(text: str, name: str, conditions: str) -> None:
    assert unit_of("flow", text) == (name, conditions)


def test_factors_agree_with_each_other() -> None:
    assert pytest.approx(1.35951, abs=1e-6) == CMH2O_PER_MMHG
    multiplier, divisor = SCALES["paw"]["pa"]
    assert multiplier / divisor * 100.0 == pytest.approx(SCALES["paw"]["mbar"][0])
    assert SCALES["pco2"]["percent"][0] / SCALES["pco2"]["percent"][1] == STANDARD_MMHG / 100.0
    assert stpd_to_btps(0.0, 700.0) == pytest.approx(1.0 / btps_to_stpd(700.0))
    assert stpd_to_btps(20.0) == pytest.approx(atpd_to_btps(20.0))
    assert stpd_to_btps(0.0) == pytest.approx(1.2103, abs=1e-4)
