"""Gas that a patient draws before the valve opens flushes the CO2 sensor, and belongs to the breath."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.core.align import AlignSettings
from streamer.core.align._co2_flush import Flushing
from streamer.core.metrics import extract_features
from streamer.model.breath import Breath
from streamer.model.context import Context
from tests.support.analytic_breaths import vcv

FLOW_L_S, LASTS_S = 0.1, 0.3


def drawn(draw_s: float) -> Breath:
    """30 samples at 0.1 L/s before the valve opens."""
    one = vcv(rr=12.0)
    before = round(LASTS_S * one.rate_hz)
    flow = np.concatenate([one.flow[:1], np.full(before, FLOW_L_S), one.flow[1:]])
    paw = np.concatenate([np.full(before, one.paw[0]), one.paw])
    start_s = LASTS_S + 0.5 / one.rate_hz
    return dataclasses.replace(
        one, flow=flow, paw=paw, onset_s=0.0, start_s=start_s, insp_end=one.insp_end + before, draw_s=draw_s
    )


@pytest.mark.parametrize(("draw_s", "after_s"), [(0.0, LASTS_S + 0.01), (LASTS_S, 0.02)])
def test_the_flush_counts_from_where_gas_goes_in(draw_s: float, after_s: float) -> None:
    """20 ms of the sensor's fall are 2 mL at that flow, and 6 at the valve's."""
    found = Flushing(Context(), AlignSettings()).of(drawn(draw_s), 0.02, 100.0)
    assert found.after_s == pytest.approx(after_s, abs=0.012)
    assert found.chamber == pytest.approx(0.002 if draw_s else 0.006, abs=2e-4)


@pytest.mark.parametrize("zero", [0.0, 0.03])
def test_gas_that_comes_back_is_counted_without_the_zero(zero: float) -> None:
    """A zero of 0.03 L/s over a quiet second is no gas."""
    one = vcv(rr=8.0)
    shown = dataclasses.replace(
        one, flow=one.flow + zero, flow_zero=zero, pco2=np.where(np.arange(one.flow.size) < one.insp_end, 0.0, 40.0)
    )
    assert extract_features(shown).co2_returned == pytest.approx(0.0, abs=1e-4)
