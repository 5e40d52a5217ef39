"""Noise of flow that hides the volume: what it grades, what it withholds, and that it is a suspicion once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.core.bed import Bed
from streamer.core.metrics import MeasurementContext, RecentBreaths, extract_features
from streamer.core.metrics.volume_balance import hidden
from streamer.model.breath import Breath
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind
from streamer.model.units import S_PER_MIN
from tests.support.analytic_breaths import measured, vcv
from tests.support.streams import Lung, chunk

RESTS = ("vt", "energy", "mp")


def noisy(share: float) -> Breath:
    """A breath whose volume white noise may hide to this share."""
    one = vcv(pause_s=0.8, rr=10)
    unit = hidden(dataclasses.replace(one, flow_noise=1.0), extract_features(one))
    return dataclasses.replace(one, flow_noise=share / unit)


def test_the_error_of_a_sum_of_noise() -> None:
    """Against what noise does: 5 L/min over 1 s at 100 Hz, 450 mL; one error in 370 is larger."""
    sd, n, rate_hz = 5.0 / S_PER_MIN, 100, 100.0
    errors = np.abs(np.random.default_rng(31).normal(0.0, sd, (20_000, n)).sum(axis=1)) / rate_hz
    one = vcv(pause_s=0.8, rr=10)
    one = dataclasses.replace(one, flow_noise=sd, start_s=0.0, insp_end_s=n / rate_hz, rate_hz=rate_hz)
    features = extract_features(one)._replace(tidal_insp=0.45)
    assert hidden(one, features) == pytest.approx(np.quantile(errors, 0.9973) / 0.45, rel=0.03)
    assert hidden(dataclasses.replace(one, flow_noise=0.0), features) == 0.0


@pytest.mark.parametrize(
    ("share", "grade", "reason"),
    [(0.0, None, None), (0.049, None, None), (0.051, "B", None), (0.099, "B", None), (0.101, None, "signal_noisy")],
)
def test_noise_grades_and_withholds(share: float, grade: str | None, reason: str | None) -> None:
    one = noisy(share)
    before = extract_features(one)
    past = RecentBreaths(volumes=((before.tidal_insp, before.tidal_exp),) * 19)
    context = Context(passive="asserted", sensor_site="wye")
    found = measured(one, MeasurementContext(before=before, past=past, context=context))
    assert {found.missing.get(key) for key in RESTS} == {reason}
    assert {found.quality.get(key) for key in RESTS} == {grade}
    assert not {"vt_insp", "vt_exp", "rr", "ppeak", "peep"} & {*found.missing}


@pytest.mark.parametrize(("sd_l_min", "is_told"), [(1.5, False), (6.5, True)])
def test_one_suspicion_for_the_whole_stream(sd_l_min: float, *, is_told: bool) -> None:
    """200 mL at 50 Hz: 3.5 % and 15 %."""
    wave = Lung(vt=0.2).wave(120.0, 50.0)
    flow = wave.flow + np.random.default_rng(32).normal(0.0, sd_l_min / S_PER_MIN, wave.flow.size)
    bed = Bed("b")
    events = [*bed.push(chunk(flow, wave.paw, rate_hz=50.0)), *bed.close()]
    told = [one for one in events if isinstance(one, Notice) and one.values.get("rule") == "flow_noisy"]
    assert [one.kind for one in told] == [NoticeKind.SUSPICION] * is_told
    breaths = [one for one in events if isinstance(one, BreathRecord) and Flag.TRUNCATED not in one.flags]
    missing = ["vt" in one.missing for one in breaths[3:]]
    assert len(missing) >= 24
    assert all(missing) if is_told else not any(missing)
    noisy = [one.end_s for one in breaths if one.missing.get("vt") == "signal_noisy"]
    assert [one.at_s for one in told] == noisy[2:3]  # three in a row are the sensor, one may be a very small breath
    assert not is_told or len(noisy) >= 0.5 * len(breaths)
