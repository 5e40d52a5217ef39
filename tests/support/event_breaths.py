"""Breaths with a bump, a draw or a shake in a given place."""

from __future__ import annotations

import dataclasses

import numpy as np

from streamer.core.bed import Bed
from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord
from tests.support.analytic_breaths import pcv, vcv
from tests.support.streams import Capture

L_MIN = 1 / 60


def since(one: Breath, start_s: float, lasting_s: float) -> FloatArray:
    """Half a sine wave of height 1."""
    share = (np.arange(one.paw.size) / one.rate_hz - start_s) / lasting_s
    return np.where((share > 0) & (share < 1), np.sin(np.pi * np.clip(share, 0, 1)), 0.0)


def pulled(one: Breath, paw: FloatArray | float = 0.0, flow: FloatArray | float = 0.0) -> Breath:
    return dataclasses.replace(one, paw=one.paw - paw, flow=one.flow + flow)


def early(depth: float) -> Breath:
    """An effort over the first 0.6 s of 1 s; it leaves 0.63 of its strength below the chord."""
    one = vcv()
    return pulled(one, depth / 0.633 * since(one, 0.005, 0.6))


def late_pull(depth: float, at_s: float = 0.7) -> Breath:
    """Volume control, rising 10 cmH2O/s; the pull is as steep as it takes to lower pressure by ``depth``."""
    one = vcv()
    shape = np.clip((np.arange(one.paw.size) / 100 - at_s) / 0.15, 0, 1) * (np.arange(one.paw.size) < one.insp_end)
    return pulled(one, (depth + 10 * 0.23) * shape)


def late_draw(l_min: float) -> Breath:
    """Pressure control at 1.2 s of inspiration; flow rises again and falls."""
    one = pcv(ti=1.5, r=10, c=0.02, rr=12)
    return pulled(one, 0.0, l_min * L_MIN * since(one, 0.9, 0.4))


def shaken(cycles: int, l_min: float, hz: float = 2.5) -> Breath:
    """Expiration interrupted by swings to both sides of zero."""
    one = vcv()
    t = np.arange(one.paw.size) / 100 - 2.0
    during = (t >= 0) & (t < cycles / hz)
    return dataclasses.replace(one, flow=np.where(during, l_min * L_MIN * np.sin(2 * np.pi * hz * t), one.flow))


def sucked(to: float, lasting_s: float, l_min: float = -5.0) -> Breath:
    one = vcv()
    t = np.arange(one.paw.size) / 100 - 2.0
    during = (t >= -1e-9) & (t < lasting_s - 1e-9)
    return dataclasses.replace(one, paw=np.where(during, to, one.paw), flow=np.where(during, l_min * L_MIN, one.flow))


def share(capture: Capture, flag: Flag) -> float:
    """Per cent of breaths."""
    bed = Bed("b")
    found = [event for event in bed.push(capture.chunk()) + bed.close() if isinstance(event, BreathRecord)]
    return 100 * sum(flag in record.flags for record in found) / len(found)
