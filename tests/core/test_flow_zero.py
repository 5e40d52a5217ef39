"""The zero of a flow sensor on simulated lungs: learned where something shows it, never where a leak or a lung does."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.scenario import Transducer
from streamer.model.breath import Breath
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.units import S_PER_MIN
from tests.support.streams import chunk, segmented
from tests.tools.trust.draws import Draw, Run, holds
from tests.tools.trust.listed_today import stairs

STANDBY_S = 8.0
LATE = 10
"""Breaths after which everything is known."""
MODES = ["vcv", "pcv", "psv"]


def drawn(kind: str, mode: str, zero_l_min: float, leak: float, **given: object) -> Run:
    draw = Draw(np.random.default_rng([41, MODES.index(mode)]), kind)
    ventilator = getattr(draw, mode)()
    if "rate_per_min" in given:
        ventilator = getattr(draw, mode)(rate_per_min=given.pop("rate_per_min"))
    if mode == "psv":
        given["effort"] = draw.efforts()
    if given.pop("climbs", False):
        given["changes"] = stairs(ventilator.peep_cmh2o + 5, ventilator.peep_cmh2o, every_s=40.0)
    circuit = draw.leaking(ventilator, leak, 14.0 if mode == "psv" else None)
    return draw.run(ventilator, circuit=circuit, flow_sensor=Transducer(offset=zero_l_min), **given)


def breaths(run: Run, before_l_min: float | None = None) -> list[Breath]:
    """Of a recording, after a standby with that flow at ambient pressure."""
    whole = next(simulate(run.scenario).chunks(600.0))
    if before_l_min is None:
        return segmented([whole]).breaths
    return segmented([standing_by(whole, before_l_min)]).breaths


def standing_by(whole: Chunk, flow_l_min: float) -> Chunk:
    flow, paw = whole.channels[Channel.FLOW], whole.channels[Channel.PAW]
    rng, n = np.random.default_rng(2), round(STANDBY_S * 100)
    quiet: FloatArray = rng.normal(flow_l_min, 0.4, n) / S_PER_MIN
    return chunk(np.concatenate([quiet, flow]), np.concatenate([rng.normal(0.0, 0.1, n), paw]))


def zeros(found: list[Breath]) -> list[float]:
    return [one.flow_zero * S_PER_MIN for one in found[LATE:-1]]


def doubts(found: list[Breath]) -> list[float]:
    return [one.flow_zero_doubt * S_PER_MIN for one in found[LATE:-1]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["healthy", "stiff", "copd"])
@pytest.mark.parametrize("zero", [-2.0, 2.0])
@pytest.mark.parametrize("leak", [0.0, 0.12])
def test_standby_shows_it(kind: str, mode: str, zero: float, leak: float) -> None:
    found = breaths(drawn(kind, mode, zero, leak), before_l_min=zero)
    assert zeros(found) == pytest.approx([zero] * len(zeros(found)), abs=0.15)
    assert max(doubts(found)) < 0.6


@pytest.mark.parametrize("mode", MODES)
def test_base_flow_through_an_open_circuit_is_none(mode: str) -> None:
    """It stands by at 2 L/min, and breathes at none: volumes and ends say so."""
    found = breaths(drawn("stiff", mode, 0.0, 0.0), before_l_min=2.0)
    assert set(zeros(found)) == {0.0}


@pytest.mark.parametrize("zero", [-2.0, 2.0])
@pytest.mark.parametrize("leak", [0.0, 0.12])
def test_a_lung_that_fills_shows_it(zero: float, leak: float) -> None:
    """Flow is level at the end of both phases: two pressures without any change of settings."""
    found = breaths(drawn("stiff", "pcv", zero, leak))
    known = [abs(one - zero) <= doubt for one, doubt in zip(zeros(found), doubts(found), strict=True) if doubt > 0.0]
    assert len(known) >= 10
    assert all(known)
    assert zeros(found)[-1] == pytest.approx(zero, abs=0.4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("zero", [-2.0, 2.0])
def test_a_step_of_peep_shows_it(mode: str, zero: float) -> None:
    found = zeros(breaths(drawn("stiff", mode, zero, 0.0, climbs=True, breaths=30)))
    assert found[-8:] == pytest.approx([zero] * 8, abs=0.4)
    assert all(one == 0.0 or abs(one - zero) < 0.5 for one in found)


@pytest.mark.parametrize("zero", [-2.0, 2.0])
@pytest.mark.parametrize("mode", ["vcv", "pcv"])
def test_expiratory_holds_of_a_lung_that_traps_gas_show_it(mode: str, zero: float) -> None:
    run = drawn("copd", mode, zero, 0.0, hold=holds("expiratory", 2.0, every_s=12))
    found = zeros(breaths(run))
    assert found[-6:] == pytest.approx([zero] * 6, abs=0.2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["healthy", "stiff", "copd"])
@pytest.mark.parametrize("leak", [0.0, 0.15, 0.3])
@pytest.mark.parametrize("climbs", [False, True])
def test_a_leak_is_no_zero(kind: str, mode: str, leak: float, *, climbs: bool) -> None:
    found = zeros(breaths(drawn(kind, mode, 0.0, leak, climbs=climbs, breaths=30)))
    assert max(abs(one) for one in found) < 0.5


@pytest.mark.parametrize("mode", ["vcv", "pcv"])
@pytest.mark.parametrize("leak", [0.0, 0.12])
@pytest.mark.parametrize("rate_per_min", [18.0, 22.0, 26.0])
def test_trapped_gas_is_no_zero(mode: str, leak: float, rate_per_min: float) -> None:
    """Of a COPD lung at two levels of PEEP: 3 to 12 L/min still leave it when the next breath comes."""
    run = drawn("copd", mode, 0.0, leak, rate_per_min=rate_per_min, climbs=True, breaths=36)
    assert max(abs(one) for one in zeros(breaths(run))) < 0.5
