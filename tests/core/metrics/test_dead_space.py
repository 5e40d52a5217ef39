"""Volumetric capnography through ``measure``: oracles in sampled breaths, and every gate."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.special import ndtr

from streamer.core.metrics import METRICS, Measures, extract_features
from streamer.model.breath import NO_CAPNOGRAPH, Breath, Capnograph
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.reasons import Reason
from tests.support.analytic_breaths import measured, start_from, vcv

MAINSTREAM = Context(co2_kind="mainstream", co2_scale="BTPS", barometric_mmhg=760)
ALIGNED = Capnograph(delay_s=0.0, delay_sd_s=0.002, withheld=None, end_tidal=38.0, inspired=0.0, tau_s=0.0)
OVER_VOLUME = ("pco2_mixed_exp", "vtco2", "vco2", "vd_aw", "vd_aw_fit", "vd_aw_sd", "vt_alv", "pco2_alv", "vd_vt_bohr",
               "slope_2", "slope_3", "sn_3")  # fmt: skip
DEAD = ("vd_aw", "vd_aw_fit", "vt_alv", "pco2_alv", "vd_vt_bohr", "slope_3")


def with_co2(  # noqa: PLR0917 (a table of numbers)
    vt: float = 500.0, dead: float = 150.0, p0: float = 36.0, slope: float = 0.01, sd: float = 15.0,
    inspired: float = 0.0, r: float = 12.0, c: float = 0.045, rr: float = 12.0, rate_hz: float = 100.0,
    noise: float = 0.0, second: float | None = None, **given: Any,
) -> Breath:  # fmt: skip
    """A passive breath; PCO2 by expired volume (algorithms §11.3), mL and mmHg, as means of the sampling intervals."""
    one = vcv(vt=vt / 1000.0, flow=0.5, r=r, c=c, rr=rr, rate_hz=rate_hz)
    gone = np.concatenate(([0.0], np.cumsum(np.where(np.arange(one.flow.size) >= one.insp_end, -one.flow, 0.0))))
    edges = gone * 1000.0 / rate_hz
    fine = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(40) + 0.5) / 40.0
    share = ndtr((fine - dead) / sd)
    if second is not None:
        share = 0.35 * share + 0.65 * ndtr((fine - second) / sd)
    pco2 = (inspired + (p0 + slope * (fine - dead) - inspired) * share).mean(axis=1)
    pco2[: one.insp_end] = inspired
    if noise:
        pco2 += np.random.default_rng(1).normal(0.0, noise, pco2.size)
    return dataclasses.replace(one, pco2=pco2, **given)


def found(one: Breath, context: Context = MAINSTREAM, *flags: Flag, **capnograph: Any) -> Measures:
    before = dataclasses.replace(one, pco2=None)
    given = start_from(before, context=context, capnograph=ALIGNED._replace(**capnograph))
    return measured(one, given, frozenset(flags))


def reasons(one: Measures, *keys: str) -> set[str | None]:
    return {one.missing.get(key) for key in keys}


# ── right


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((500, 150, 40.0, 0.0, 12), (40.0, 28.000, 16.2235, 194.68, 0.3000, 0.3000)),
        ((500, 150, 36.0, 0.01, 12), (37.75, 26.425, 15.3109, 183.73, 0.3000, 0.3310)),
        ((400, 160, 28.0, 0.02, 10), (30.4, 18.240, 8.4548, 84.55, 0.4000, 0.4439)),
    ],
    ids=["E-1", "E-2", "E-3"],
)
def test_oracles_in_sampled_breaths(given: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """Algorithms §11.3 with a narrow phase II, at rates that let gas out; 100 Hz costs up to 1 mL, half a per cent."""
    vt, dead, p0, slope, rr = given
    alveolar, mixed, amount, per_minute, bohr, wrong = expected
    values = found(with_co2(vt, dead, p0, slope, sd=8.0, rr=rr)).values
    assert values["vd_aw"] == pytest.approx(dead, abs=1.0)
    assert values["vd_aw_fit"] == pytest.approx(dead, abs=1.0)
    assert values["vt_alv"] == values["vt_exp"] - values["vd_aw"]
    assert values["pco2_alv"] == pytest.approx(alveolar, abs=0.05)
    assert values["pco2_mixed_exp"] == pytest.approx(mixed, rel=0.005)
    assert values["vtco2"] == pytest.approx(amount, rel=0.006)
    assert values["vco2"] == pytest.approx(per_minute, rel=0.006)
    assert values["vd_vt_bohr"] == pytest.approx(bohr, abs=0.003)
    if wrong != bohr:
        assert abs(values["vd_vt_bohr"] - wrong) > 0.02, "end-tidal pressure is not alveolar"
    assert values["petco2"] == pytest.approx(p0 + slope * (vt - dead), abs=0.05)
    if slope:
        assert values["slope_3"] == pytest.approx(1000.0 * slope, rel=0.02)
        assert values["sn_3"] == pytest.approx(values["slope_3"] / values["pco2_alv"])


def test_everything_of_a_good_breath_is_there_and_says_how() -> None:
    one = found(with_co2())
    for key in OVER_VOLUME:
        assert one.quality[key] == "A", key
        assert one.methods[key].endswith("_mainstream"), key
        assert one.methods[key] in METRICS[key].methods
    assert one.methods["vd_aw"] == "fowler_mainstream"
    assert one.methods["vd_vt_bohr"] == "bohr_mainstream"
    assert one.values["co2_delay"] == 0.0
    assert one.values["vd_aw_sd"] == pytest.approx(1000.0 * 0.002 * 0.65, rel=0.15)
    # the steepest of the logistic curve that fits a normal edge of 15 mL
    assert one.values["slope_2"] == pytest.approx(36.0 / 0.015 / math.sqrt(2.0 * math.pi), rel=0.12)


def test_what_is_inspired_is_geometry_for_volumes_and_stays_in_pressures() -> None:
    plain, raised = found(with_co2()).values, found(with_co2(p0=38.5, inspired=2.5)).values
    for key in ("vd_aw", "vd_aw_fit", "vt_alv", "slope_3"):
        assert raised[key] == pytest.approx(plain[key], rel=1e-6), key
    for key in ("pco2_alv", "pco2_mixed_exp", "petco2", "pico2"):
        assert raised[key] == pytest.approx(plain[key] + 2.5, abs=1e-6), key
    assert raised["vd_vt_bohr"] == pytest.approx(plain["vd_vt_bohr"], rel=1e-6)
    assert raised["vtco2"] == pytest.approx(plain["vtco2"], rel=0.01), "net: as much more goes in as comes out"


def test_a_dried_sample() -> None:
    """Reads PB/(PB - 47) too high: pressures and amounts come down, volumes and ratios stay."""
    at_sea = found(with_co2()).values
    dry = msgspec.structs.replace(MAINSTREAM, co2_scale="dry", barometric_mmhg=700)
    one = found(with_co2(p0=36.0 * 700 / 653, slope=0.01 * 700 / 653), dry)
    for key in OVER_VOLUME:
        assert one.values[key] == pytest.approx(at_sea[key], rel=1e-6), key
    guess = found(with_co2(), msgspec.structs.replace(dry, barometric_mmhg=None))
    assert {guess.quality[key] for key in OVER_VOLUME} == {"B"}


@pytest.mark.parametrize("rate_hz", [50.0, 200.0])
def test_another_rate_changes_little(rate_hz: float) -> None:
    usual, other = found(with_co2()).values, found(with_co2(rate_hz=rate_hz)).values
    assert other["vd_aw"] == pytest.approx(usual["vd_aw"], abs=2.0)
    assert other["vd_vt_bohr"] == pytest.approx(usual["vd_vt_bohr"], abs=0.006)
    assert other["vtco2"] == pytest.approx(usual["vtco2"], rel=0.015)


# ── withheld


def test_no_capnogram() -> None:
    one = measured(vcv(), start_from(vcv(), context=MAINSTREAM, capnograph=NO_CAPNOGRAPH))
    assert reasons(one, *OVER_VOLUME, "petco2", "pico2", "co2_delay") == {"co2_missing"}


@pytest.mark.parametrize(
    ("context", "capnograph", "reason"),
    [
        (Context(co2_scale="BTPS"), {}, Reason.CO2_KIND_UNKNOWN),
        (Context(co2_kind="sidestream", co2_scale="BTPS"), {}, Reason.SIDESTREAM_UNSUITABLE),
        (MAINSTREAM, {"withheld": Reason.CO2_UNALIGNED, "delay_s": math.nan}, Reason.CO2_UNALIGNED),
        (MAINSTREAM, {"withheld": Reason.ALIGNMENT_UNSTABLE}, Reason.ALIGNMENT_UNSTABLE),
    ],
)
def test_not_over_volume(context: Context, capnograph: dict[str, Any], reason: Reason) -> None:
    """End-tidal and inspired pressure stay, by time, and no better than B."""
    one = found(with_co2(), context, **capnograph)
    assert reasons(one, *OVER_VOLUME) == {reason}
    assert one.values["petco2"] == ALIGNED.end_tidal
    assert one.methods["petco2"].startswith("time_")
    assert one.quality["petco2"] in {"B", "C"}


def test_allowed_sidestream_is_c() -> None:
    context = Context(co2_kind="sidestream", co2_scale="BTPS", allow_sidestream_vcap=True)
    one = found(with_co2(), context)
    assert {one.quality[key] for key in (*OVER_VOLUME, "petco2")} == {"C"}
    assert all(one.methods[key].endswith("_sidestream") for key in OVER_VOLUME)


def test_holes() -> None:
    one = with_co2()
    assert one.pco2 is not None
    pco2 = one.pco2.copy()
    pco2[200] = np.nan
    assert reasons(found(dataclasses.replace(one, pco2=pco2)), *OVER_VOLUME, "petco2") == {"gap"}
    assert reasons(found(dataclasses.replace(one, pco2=np.full_like(pco2, np.nan))), *OVER_VOLUME) == {"co2_missing"}


def test_a_scale_that_nobody_declared() -> None:
    one = found(with_co2(), Context(co2_kind="mainstream"))
    assert reasons(one, "vtco2", "vco2") == {"co2_scale_unknown"}
    assert {one.quality[key] for key in DEAD} == {"C"}


def test_leaks_and_volumes_that_do_not_close() -> None:
    assert reasons(found(with_co2(leak_frac=0.21)), *OVER_VOLUME) == {"leak_high"}
    assert found(with_co2(leak_frac=0.12)).quality["vd_aw"] == "B"
    one = with_co2()
    flow = one.flow.copy()
    flow[one.insp_end :] *= 1.2
    assert reasons(found(dataclasses.replace(one, flow=flow)), *DEAD) == {"volume_not_closed"}


@pytest.mark.parametrize(("inspired", "seen"), [(4.0, "B"), (9.0, None)])
def test_rebreathing(inspired: float, seen: str | None) -> None:
    one = found(with_co2(inspired=inspired))
    assert one.quality.get("vd_vt_bohr") == one.quality.get("petco2") == seen
    if seen is None:
        assert reasons(one, "vd_vt_bohr", "petco2") == {"rebreathing"}
        assert "vd_aw" in one.values


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"vt": 300.0, "dead": 215.0}, "vt_below_deadspace"),
        ({"vt": 500.0, "dead": 40.0, "sd": 5.0}, "implausible"),
        ({"rate_hz": 14.0, "r": 5.0, "c": 0.028, "vt": 450.0}, "no_phase3"),
        ({"sd": 12.0, "dead": 90.0, "second": 210.0}, "vdaw_methods_disagree"),
    ],
)
def test_expirograms_without_a_dead_space(given: dict[str, float], reason: str) -> None:
    assert reasons(found(with_co2(**given)), *DEAD) == {reason}


def test_slopes_need_a_line() -> None:
    """However little of it there is: an error that leaves something of the slope."""
    small = found(with_co2(vt=260.0, dead=80.0, sd=8.0))
    assert small.values["slope_3"] == pytest.approx(10.0, rel=0.02)
    for noise, seen in ((0.2, "A"), (0.9, "A"), (1.3, "B"), (2.0, None), (8.0, None)):
        one = found(with_co2(slope=0.02, noise=noise))
        assert one.quality.get("slope_3") == seen, noise
        assert seen or reasons(one, "slope_3", "sn_3") == {"no_phase3"}
        if seen:
            assert one.values["slope_3"] == pytest.approx(20.0, rel=0.2 if seen == "A" else 0.35)
    level = found(with_co2(slope=0.0, noise=0.05)).values
    assert level["slope_3"] == pytest.approx(0.0, abs=0.5), "a plateau that is level is no missing one"


@pytest.mark.parametrize(("beat", "seen"), [(0.1, "A"), (0.2, "B"), (0.5, None)])
def test_a_heart_beat_is_no_noise_of_single_samples(beat: float, seen: str | None) -> None:
    """All residuals of half a beat lie on one side: the error that would average out in samples does not."""
    one = with_co2(slope=0.01, noise=0.05)
    assert one.pco2 is not None
    at = np.arange(one.pco2.size) / one.rate_hz
    swing = np.where(at * one.rate_hz < one.insp_end, 0.0, beat * np.sin(2.0 * np.pi * 1.2 * at))
    shown = found(dataclasses.replace(one, pco2=one.pco2 + swing))
    assert shown.quality.get("slope_3") == seen
    if seen:
        assert shown.values["slope_3"] == pytest.approx(10.0, rel=0.2 if seen == "A" else 0.35)


@pytest.mark.parametrize(("noise", "beats"), [(0.3, False), (0.3, True), (1.0, True)])
def test_the_standard_error_is_that_of_the_slope(noise: float, *, beats: bool) -> None:
    """White noise alone, and under a beat: the spread over many breaths is what a breath says of itself."""
    rng, plain = np.random.default_rng(5), with_co2(slope=0.02)
    assert plain.pco2 is not None
    off, said = [], []
    for _ in range(300):
        pco2 = plain.pco2 + rng.normal(0.0, noise, plain.pco2.size)
        if beats:
            pco2 = pco2 + noise * np.sin(2.0 * np.pi * (1.2 * np.arange(pco2.size) / plain.rate_hz + rng.random()))
        features = extract_features(dataclasses.replace(plain, pco2=pco2))
        off.append(features.co2_slope - 20.0)
        said.append(features.co2_slope_error)
    assert 0.8 < np.std(off) / np.median(said) < 1.3


@pytest.mark.parametrize("slope", [0.005, 0.01, 0.03, 0.06])
@pytest.mark.parametrize(("sd", "seen"), [(10.0, "A"), (30.0, "A"), (45.0, "A"), (60.0, "B"), (80.0, None)])
def test_a_broad_phase_two_leaves_less_of_phase_three(sd: float, seen: str | None, slope: float) -> None:
    """The line begins after the fitted end of phase II: later than 40 % of the alveolar volume B, than 55 % none."""
    one = found(with_co2(sd=sd, slope=slope))
    assert one.quality.get("slope_3") == seen
    assert one.quality["pco2_alv"] == (seen or "C")
    assert one.values["pco2_alv"] == pytest.approx(36.0 + slope * 175.0, abs=0.3)
    assert one.values["vd_vt_bohr"] == pytest.approx(0.3, abs=0.012)
    if seen:
        assert one.values["slope_3"] == pytest.approx(1000.0 * slope, rel=0.08)


def test_slow_sensors() -> None:
    """An expiration of 0.54 s: 0.16 s from the dead space to the line of phase III."""
    assert not reasons(found(with_co2(), tau_s=0.03), "vd_aw", "slope_3") - {None}
    one = found(with_co2(), tau_s=0.06)
    assert reasons(one, "slope_2", "slope_3", "sn_3") == {"co2_too_slow"}
    assert "vd_aw" in one.values
    assert reasons(found(with_co2(), tau_s=0.15), *OVER_VOLUME) == {"co2_too_slow"}
    declared = msgspec.structs.replace(MAINSTREAM, co2_rise_s=0.21)
    assert reasons(found(with_co2(r=30.0, rr=8), declared), "slope_2", "slope_3", "sn_3") == {"co2_too_slow"}


@pytest.mark.parametrize(
    ("delay_s", "doubt_s", "grades"),
    [
        (0.005, 0.0, {"A"}),
        (0.02, 0.0, {"B"}),
        (0.0, 0.012, {"A"}),
        (0.0, 0.02, {"B"}),
        (0.05, 0.0, {"C"}),
        (0.12, 0.0, {None}),
        (0.0, 0.035, {"C"}),
        (0.0, 0.08, {None}),
        (-0.05, 0.0, {"A"}),
    ],
)
def test_what_is_in_doubt_of_the_delay_decides_on_quality(delay_s: float, doubt_s: float, grades: set[Any]) -> None:
    """An undeclared delay may be apparatus; and how much gas a sensor holds is unknown."""
    one = found(with_co2(), delay_s=delay_s, doubt_s=doubt_s)
    assert {one.quality.get(key) for key in ("vd_aw", "vd_vt_bohr")} == grades
    assert None not in grades or reasons(one, "vd_aw", "vd_vt_bohr") == {"co2_unaligned"}
    assert one.quality["pco2_alv"] == "A", "it needs no delay"
    assert one.quality["slope_3"] in ({"C"} if delay_s > 0.1 else {"A", "B"}), "nor does it, but for where it begins"


def test_a_delay_that_was_declared_or_no_apparatus_is_no_doubt() -> None:
    assert (
        found(with_co2(), msgspec.structs.replace(MAINSTREAM, co2_delay_s=0.05), delay_s=0.05).quality["vd_aw"] == "A"
    )
    assert (
        found(with_co2(), msgspec.structs.replace(MAINSTREAM, apparatus_volume_ml=0.0), delay_s=0.05).quality["vd_aw"]
        == "A"
    )


@pytest.mark.parametrize(("scale", "quality"), [(1.03, "A"), (1.07, "C")])
def test_an_amount_of_a_breath_that_does_not_close_is_c(scale: float, quality: str) -> None:
    one = with_co2()
    flow = np.where(np.arange(one.flow.size) >= one.insp_end, scale * one.flow, one.flow)
    assert found(dataclasses.replace(one, flow=flow)).quality["vtco2"] == quality


def test_timing_uncertainty_needs_an_estimated_delay() -> None:
    assert reasons(found(with_co2(), delay_sd_s=math.nan), "vd_aw_sd") == {"co2_unaligned"}


@pytest.mark.parametrize(
    ("flag", "reason", "end_tidal"),
    [
        (Flag.DOUBLE_TRIGGER, "double_trigger", True),
        (Flag.STACKED, "double_trigger", True),
        (Flag.GAP_SHORT, "gap", False),
        (Flag.GAP, "gap", False),
        (Flag.COUGH, "cough", False),
        (Flag.SUCTION, "suction", False),
        (Flag.DISCONNECT, "disconnect", False),
        (Flag.NO_FLOW, "flow_missing", True),
    ],
)
def test_labels(flag: Flag, reason: str, *, end_tidal: bool) -> None:
    one = found(with_co2(), MAINSTREAM, flag)
    assert reasons(one, *OVER_VOLUME) == {reason}
    assert ("petco2" in one.values) == end_tidal


def test_a_capnogram_upside_down_has_no_alveolar_pressure() -> None:
    """Falling all through expiration: mixed expired above alveolar, or no dead space at all."""
    one = with_co2()
    assert one.pco2 is not None
    fallen = np.where(np.arange(one.pco2.size) < one.insp_end, 0.0, 40.0 - one.pco2)
    measures = found(dataclasses.replace(one, pco2=fallen))
    assert not any(key in measures.values for key in DEAD)
