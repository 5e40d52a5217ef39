"""What several test modules need: cutting streams, plain waveforms, recordings with their marks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.core.align import Aligner, AlignSettings, Co2Aligner
from streamer.core.segment import Segmenter, SegmentSettings
from streamer.model.breath import Breath, Capnograph
from streamer.model.chunk import Block, Channel, Chunk, FloatArray
from streamer.model.context import Context
from streamer.model.records import Notice

Timed = list[tuple[Breath, Capnograph]]
"""Breaths with their capnogram, and how it was aligned."""
RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"


def recording(relative: str) -> Path:
    """A file of ``../shared/recordings`` (a glob is allowed); skips the test where it is absent."""
    found = sorted(RECORDINGS.glob(relative))
    if not found:
        pytest.skip(f"no recording {relative} beside the repository")
    return found[0]


def chunk(flow: FloatArray, paw: FloatArray | None = None, **given: object) -> Chunk:
    """A chunk of source ``vent`` at 100 Hz from 0 s, unless told otherwise."""
    channels = {Channel.FLOW: flow}
    if paw is not None:
        channels[Channel.PAW] = paw
    if (pco2 := given.pop("pco2", None)) is not None:
        channels[Channel.PCO2] = pco2  # type: ignore[assignment]
    return Chunk(**({"source": "vent", "start_s": 0.0, "rate_hz": 100.0, "channels": channels} | given))  # type: ignore[arg-type]


def cut(whole: Chunk, at: Iterable[int]) -> Iterator[Chunk]:
    """``whole`` in pieces that begin at the given samples; a sample named twice gives an empty piece."""
    edges = [0, *sorted(at), len(whole)]
    for first, last in pairwise(edges):
        yield whole.cut(first, last)


def random_cuts(n: int, seed: int, *, single: bool = False) -> list[int]:
    """Where to cut ``n`` samples: at every one, or at random places with empty and one-sample pieces among them."""
    if single:
        return list(range(1, n))
    rng = np.random.default_rng(seed)
    places = rng.integers(0, n + 1, size=max(n // 300, 5)).tolist()
    return sorted([*places, places[0], min(places[0] + 1, n), *range(min(places[1], n - 9), min(places[1], n - 9) + 9)])


@dataclass(frozen=True)
class Segmented:
    """What align and segment make of a stream."""

    breaths: list[Breath]
    notices: list[Notice]
    lags_s: list[float]
    """From each breath's end to the newest sample at which it was confirmed; only as fine as the chunks."""


def segmented(chunks: Iterable[Chunk], settings: SegmentSettings | None = None, flow_factor: float = 1.0) -> Segmented:
    aligner, segmenter = Aligner(flow_factor=flow_factor), Segmenter(settings)
    breaths: list[Breath] = []
    notices: list[Notice] = []
    lags: list[float] = []
    for piece in chunks:
        for placed in aligner.push(piece):
            if isinstance(placed, Block):
                closed = segmenter.push(placed)
                now_s = placed.origin_s + (placed.first + placed.flow.size - 1) / placed.rate_hz
                lags += [now_s - breath.end_s for breath in closed]
                breaths += closed
            else:
                notices.append(placed)
    notices += aligner.close()
    breaths += segmenter.close()
    return Segmented(breaths, notices, lags)


def same_breath(one: Breath, other: Breath) -> bool:
    """Equal to the last bit, arrays included; NaN equals NaN."""
    for name in Breath.__slots__:
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            if a is None or b is None or not np.array_equal(a, b, equal_nan=True):
                return False
        elif a != b and not (a != a and b != b):  # noqa: PLR0124 (NaN)
            return False
    return True


@dataclass(frozen=True)
class Capture:
    """A recording with the ventilator's own marks: the truth to compare with, never an input."""

    flow: FloatArray
    paw: FloatArray
    rate_hz: float
    marks_s: FloatArray
    numbers: tuple[int, ...] = ()
    turns_s: FloatArray | None = None
    """Where expiration began, after each mark; NaN where it is not known."""

    def chunk(self) -> Chunk:
        return chunk(self.flow, self.paw, rate_hz=self.rate_hz)


ROW = re.compile(rb" *(-?[0-9.]+), *(-?[0-9.]+) *$")


def pb840(path: Path) -> Capture:
    """A Puritan Bennett 840 capture of two columns: 50 Hz, ``BS, S:<number>,`` where an inspiration was begun.

    ``BE`` ends a breath, on the sample at which the next one begins: it says nothing about the onset of expiration.
    """
    rows: list[tuple[float, float]] = []
    marks: list[int] = []
    numbers: list[int] = []
    for line in path.read_bytes().split(b"\n"):
        text = line.strip(b"\0\r ")
        if row := ROW.match(text):
            rows.append((float(row[1]), float(row[2])))
        elif text.startswith(b"BS"):
            marks.append(len(rows))
            numbers.append(int(text.split(b":")[1].strip(b", ")))
    flow, paw = np.array(rows).T
    return Capture(flow / 60.0, paw.copy(), 50.0, np.array(marks) / 50.0, tuple(numbers))


def servo_u(path: Path) -> Capture:
    """A Getinge Servo-U recording: 100 Hz; marks where the phase column turns to inspiration, and to expiration."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [line.split("\t") for line in lines[lines.index("[DATA]") + 1 :] if re.match(r"\d\d:\d\d:\d\d:", line)]
    phases = [row[1].strip() for row in rows]
    marks = [i for i in range(1, len(rows)) if phases[i] == "insp." and phases[i - 1] != "insp."]
    flow = np.array([float(row[3]) for row in rows]) / 60.0
    paw = np.array([float(row[2]) for row in rows])
    turns = [next((i for i in range(mark, len(rows)) if phases[i] == "esp."), math.nan) for mark in marks]
    return Capture(flow, paw, 100.0, np.array(marks) / 100.0, turns_s=np.array(turns) / 100.0)


@dataclass(frozen=True)
class Match:
    """Which onsets belong to which marks: each to one, the nearest within the tolerance."""

    pairs: list[tuple[int, int]]
    missed: list[int]
    extra: list[int]


def match(marks_s: Sequence[float] | NDArray[np.float64], onsets_s: Sequence[float], tolerance_s: float = 0.1) -> Match:
    """One to one, nearest pairs first."""
    near = [
        (abs(onset - mark), i, j)
        for i, mark in enumerate(marks_s)
        for j in range(*np.searchsorted(onsets_s, [mark - tolerance_s, mark + tolerance_s]))
        if (onset := onsets_s[j]) is not None
    ]
    marks: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(near):
        if i not in marks and j not in taken:
            marks[i] = j
            taken.add(j)
    missed = [i for i in range(len(marks_s)) if i not in marks]
    return Match(sorted(marks.items()), missed, [j for j in range(len(onsets_s)) if j not in taken])


@dataclass(frozen=True, kw_only=True)
class Lung:
    """A plain one-compartment patient: enough to know where breaths begin. Litres, seconds, cmH2O."""

    vt: float = 0.5
    period: float = 4.0
    ti: float = 1.0
    tau: float = 0.5
    peep: float = 5.0
    rrs: float = 10.0
    leak: float = 0.0
    """(L/s)/sqrt(cmH2O)."""
    noise: float = 0.0
    """L/s, standard deviation."""
    phase: float = 0.5
    """Instant of the first onset, s."""

    def onsets_s(self, duration_s: float) -> FloatArray:
        return np.arange(self.phase, duration_s, self.period)

    def wave(self, duration_s: float, rate_hz: float = 100.0, *, pcv: bool = False) -> Capture:
        """Volume control with square flow, or pressure control; every expiration returns what was inspired."""
        t = np.arange(round(duration_s * rate_hz)) / rate_hz
        into = np.mod(t - self.phase, self.period)
        is_insp = into < self.ti
        out = into - self.ti
        share = 1.0 - np.exp(-(self.period - self.ti) / self.tau)
        flow = np.where(is_insp, self.vt / self.ti, -self.vt / self.tau / share * np.exp(-out / self.tau))
        volume = np.where(is_insp, self.vt * into / self.ti, 0.0)
        compliance = self.tau / self.rrs
        paw = np.where(is_insp, self.peep + self.rrs * flow + volume / compliance, self.peep)
        if pcv:
            filled = 1.0 - np.exp(-self.ti / self.tau)
            flow = np.where(is_insp, self.vt / self.tau / filled * np.exp(-into / self.tau), flow)
            paw = np.where(is_insp, self.peep + self.vt / compliance / filled, self.peep)
        flow += self.leak * np.sqrt(paw) + np.random.default_rng(7).normal(0.0, 1.0, t.size) * self.noise
        return Capture(flow, paw, rate_hz, self.onsets_s(duration_s))


def timed(chunks: Iterable[Chunk], context: Context, settings: AlignSettings | None = None) -> Timed:
    aligner, segmenter, co2 = Aligner(settings), Segmenter(), Co2Aligner(context, settings)
    found: Timed = []
    flow_s = 0.0
    for chunk in chunks:
        if Channel.PCO2 in chunk.channels:
            co2.push(chunk)
        if Channel.FLOW in chunk.channels:
            flow_s = chunk.start_s + len(chunk) / chunk.rate_hz
            for placed in aligner.push(chunk):
                if isinstance(placed, Block):
                    for breath in segmenter.push(placed):
                        co2.take(breath)
        found += co2.ready(flow_s)
    for breath in segmenter.close():
        co2.take(breath)
    return found + list(co2.ready(math.inf))
