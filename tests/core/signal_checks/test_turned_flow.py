"""A breath that ends at a pressure to which no gas can have brought it: flow turned round within the last seconds."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core.signal_checks import Turned
from streamer.model.chunk import FloatArray
from streamer.model.flags import Flag
from tests.support.streams import Lung, chunk, segmented

PATIENT = Lung(phase=0.0)
"""Pressure swings from 5 to 20 cmH2O in four seconds."""


def suspect(flow: FloatArray, paw: FloatArray) -> list[float]:
    """Starts of the breaths that contradict themselves, in a row of usual ones."""
    turned = Turned()
    return [one.start_s for one in segmented([chunk(flow, paw)]).breaths if turned.add(one)]


def test_flow_that_turns_round() -> None:
    wave = PATIENT.wave(60.0, pcv=True)
    flow = wave.flow.copy()
    flow[round(30.5 * 100) :] *= -1.0
    found = suspect(flow, wave.paw)
    assert 30.0 <= found[0] < 36.5
    assert len(found) >= 6
    assert not suspect(wave.flow, wave.paw)


@pytest.mark.parametrize("step", [2.0, 12.0])
def test_a_step_of_peep_inflates_the_lung(step: float) -> None:
    """However high: gas flows in while pressure rises."""
    wave = PATIENT.wave(60.0, pcv=True)
    flow, paw = wave.flow.copy(), wave.paw.copy()
    here = slice(3000, 3100)
    paw[3000:] += step
    flow[here] += step * PATIENT.tau / PATIENT.rrs * np.exp(-np.arange(100) / 50.0) / 0.5
    assert not suspect(flow, paw)


def test_a_patient_who_pulls_hard() -> None:
    """Pressure is lowest in inspiration and gas leaves as it rises, to where it usually ends."""
    wave = PATIENT.wave(60.0)
    paw = wave.paw.copy()
    paw[(np.arange(paw.size) % 400 < 100) & (np.arange(paw.size) > 3000)] = -10.0
    assert not suspect(wave.flow, paw)


def test_what_is_withheld() -> None:
    turned, wave = Turned(), PATIENT.wave(60.0, pcv=True)
    flow = np.where(np.arange(wave.flow.size) < 3050, wave.flow, -wave.flow)
    labels = {turned.add(one) for one in segmented([chunk(flow, wave.paw)]).breaths}
    assert labels == {frozenset(), frozenset({Flag.FLOW_SUSPECT, Flag.TIMES_SUSPECT})}
