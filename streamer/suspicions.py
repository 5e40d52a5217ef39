"""Whether samples can be in the units they are said to be in. Floor 1: an operator beside ``align``.

Nothing is converted: a wrong unit is a fact about a recording that only its owner can settle. Judged once a source and
channel, on its first minute, so it costs a long stream nothing; what is too short to judge is not doubted. Limits are
far from anything a patient does: 300 L/min is more than ventilators give, 3.5 cmH2O less than they push with, and a
capnogram between 3 and 9 is a usual one in kPa or percent. Units that differ by little (mbar and cmH2O: 2 %) cannot be
told apart by what is plausible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from streamer.chunk import Channel, Chunk, FloatArray
from streamer.records import Notice, NoticeKind

JUDGED_S, LEAST_S = 60.0, 20.0
"""Of samples: judged when so many have come, or at the end if there are at least so many."""


class _Spread(NamedTuple):
    """Of one channel: lowest and highest but for half a percent of the samples either way; NaN where it is absent."""

    low: float
    high: float

    @property
    def swing(self) -> float:
        return self.high - self.low


class _Signals(NamedTuple):
    flow: _Spread
    paw: _Spread
    pco2: _Spread
    paw_step: float
    """Mean pressure while gas flows in, less that while it flows out; cmH2O."""


def _most(spread: _Spread) -> float:
    return max(abs(spread.low), abs(spread.high))


RULES: Mapping[str, tuple[Channel, Callable[[_Signals], bool], str]] = {
    "flow_too_large": (
        Channel.FLOW, lambda s: _most(s.flow) > 5.0,  # noqa: PLR2004
        "flow reaches {s.flow.high:.3g} and {s.flow.low:.3g} L/s: is it in L/min or mL/s?",
    ),
    "flow_too_small": (
        Channel.FLOW, lambda s: _most(s.flow) < 0.04 and s.paw.swing > 3.0,  # noqa: PLR2004
        "pressure swings by {s.paw.swing:.3g} cmH2O and flow stays below {most:.2g} L/s: is it in L/s, read as L/min?",
    ),
    "flow_reversed": (
        Channel.FLOW, lambda s: s.paw_step < -2.0 and s.paw.swing > 5.0,  # noqa: PLR2004
        "pressure is {step:.3g} cmH2O higher while gas flows out: is flow positive out of the patient?",
    ),
    "paw_too_large": (
        Channel.PAW, lambda s: s.paw.swing > 150.0,  # noqa: PLR2004
        "pressure swings by {s.paw.swing:.3g} cmH2O: is it in Pa?",
    ),
    "paw_absolute": (
        Channel.PAW, lambda s: s.paw.low > 500.0 and s.paw.swing <= 150.0,  # noqa: PLR2004
        "pressure is never below {s.paw.low:.4g} cmH2O: is it absolute, not relative to ambient?",
    ),
    "paw_too_small": (
        Channel.PAW, lambda s: 0.2 < s.paw.swing < 3.5 and 0.2 < s.paw.high < 3.5 and _most(s.flow) > 0.3,  # noqa: PLR2004
        "flow reaches {most:.2g} L/s and pressure no more than {s.paw.high:.2g} cmH2O: is it in kPa?",
    ),
    "pco2_too_small": (
        Channel.PCO2, lambda s: 3.0 < s.pco2.high < 9.0 and s.pco2.low < 1.0,  # noqa: PLR2004
        "PCO2 is no higher than {s.pco2.high:.2g} mmHg: is it in kPa or percent?",
    ),
    "pco2_too_large": (
        Channel.PCO2, lambda s: s.pco2.high > 150.0,  # noqa: PLR2004
        "PCO2 reaches {s.pco2.high:.4g} mmHg: is it in Pa?",
    ),
}  # fmt: skip
"""Name → channel that must be there, what is suspicious, and what is asked."""


class Suspicions:
    """Chunks in, questions about their units out; one per bed."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Chunk]] = {}
        self._judged: set[tuple[str, frozenset[Channel]]] = set()

    def push(self, chunk: Chunk) -> list[Notice]:
        """Notices, once the first minute of a source has come."""
        key = chunk.source, frozenset(chunk.channels)
        if key in self._judged or not len(chunk):
            return []
        label = "".join(sorted(map(str, key)))
        kept = self._waiting.setdefault(label, [])
        wanted = round(JUDGED_S * chunk.rate_hz) - sum(map(len, kept))
        kept.append(chunk.cut(0, wanted) if len(chunk) > wanted else chunk)
        if len(chunk) < wanted:
            return []
        self._judged.add(key)
        return _judge(self._waiting.pop(label))

    def close(self) -> list[Notice]:
        """Notices on sources that were shorter."""
        return [notice for chunks in self._waiting.values() for notice in _judge(chunks)]


def _judge(chunks: list[Chunk]) -> list[Notice]:
    last = chunks[-1]
    if sum(map(len, chunks)) < LEAST_S * last.rate_hz:
        return []
    joined = {channel: np.concatenate([chunk.channels[channel] for chunk in chunks]) for channel in last.channels}
    flow, paw, pco2 = (joined.get(channel, np.zeros(0)) for channel in (Channel.FLOW, Channel.PAW, Channel.PCO2))
    signals = _Signals(_spread(flow), _spread(paw), _spread(pco2), _paw_step(flow, paw))
    at_s = last.start_s + len(last) / last.rate_hz
    return [
        Notice(
            bed="",
            at_s=at_s,
            kind=NoticeKind.SUSPICION,
            detail=question.format(s=signals, most=_most(signals.flow), step=-signals.paw_step),
            values={"rule": name, "channel": channel.value},
        )
        for name, (channel, is_odd, question) in RULES.items()
        if channel in joined and is_odd(signals)
    ]


def _spread(samples: FloatArray) -> _Spread:
    known = samples[np.isfinite(samples)]
    if not known.size:
        return _Spread(np.nan, np.nan)
    low, high = np.quantile(known, (0.005, 0.995))
    return _Spread(float(low), float(high))


def _paw_step(flow: FloatArray, paw: FloatArray) -> float:
    if flow.size != paw.size or not flow.size:
        return float("nan")
    limit = 0.2 * np.nanmax(np.abs(flow), initial=0.0)
    sides = [paw[side & np.isfinite(paw)] for side in (flow > limit, flow < -limit)]
    return float(sides[0].mean() - sides[1].mean()) if all(side.size for side in sides) else float("nan")
