"""Times of breaths beside missing samples: an onset that no sample shows has no time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamer.core.align import Holes
from streamer.core.bed import Bed
from streamer.model.chunk import Block, Channel, Chunk, Mark
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord
from tests.support.repeated_samples import ventilated, within

KEYS = {"rr", "ttot"}


def records(whole: Chunk, first: int, last: int) -> tuple[list[BreathRecord], list[BreathRecord]]:
    """Of the whole recording, and of the one in which samples ``first`` to ``last`` are missing."""
    bad = {name: samples.copy() for name, samples in whole.channels.items()}
    for samples in bad.values():
        samples[first:last] = math.nan
    found = []
    for channels in (whole.channels, bad):
        bed = Bed("b")
        events = bed.push(Chunk(source="vent", start_s=0.0, rate_hz=whole.rate_hz, channels=channels)) + bed.close()
        found.append([event for event in events if isinstance(event, BreathRecord)])
    return found[0], found[1]


@pytest.mark.parametrize("missing_s", [0.06, 0.15, 0.3, 0.6, 0.98])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0])
def test_a_rate_beside_missing_samples_is_right_or_none(missing_s: float, rate_hz: float) -> None:
    whole = ventilated(rate_hz)
    given = 0
    for at in np.arange(0.0, 3.1, 0.2):
        first = within(whole, 0.0) + int(at * rate_hz)
        clean, holed = records(whole, first, first + int(missing_s * rate_hz))
        true = {round(record.start_s, 1): record.values for record in clean}
        for record in holed:
            if "rr" not in record.values:
                continue
            given += 1
            nearest = min(true, key=lambda start_s: abs(start_s - record.start_s))
            assert record.values["rr"] == pytest.approx(true[nearest]["rr"], rel=0.015)
    assert given > 150


@pytest.mark.parametrize(("share", "hidden"), [(-0.05, True), (0.25, False), (0.6, False), (2.0, False)])
def test_only_holes_at_an_onset_cost_the_times(share: float, *, hidden: bool) -> None:
    whole = ventilated(100.0)
    first = within(whole, share)
    _, holed = records(whole, first, first + 15)
    touched = [record for record in holed if record.flags & {Flag.ONSET_GAP, Flag.GAP_SHORT}]
    assert touched
    for record in touched:
        assert (Flag.ONSET_GAP in record.flags) == hidden
        assert (record.missing.get("rr") == "gap") == hidden
    assert len(touched) == (2 if hidden else 1)


def test_short_fillings_are_no_holes() -> None:
    whole = ventilated(100.0)
    first = within(whole, -0.01)
    _, holed = records(whole, first, first + 4)
    assert not any(Flag.ONSET_GAP in record.flags for record in holed)


def test_memory_is_bounded() -> None:
    holes = Holes()
    whole = ventilated(100.0)
    clean, _ = records(whole, 0, 0)
    for k in range(1000):
        holes.push(Block(run=0, origin_s=0.0, rate_hz=100.0, first=10 * k, flow=np.zeros(5), paw=None, mark=Mark.GAP))
    late = type("Late", (), {"start_s": 200.0, "end_s": 203.0})()
    assert not holes.hide_onset(late)  # type: ignore[arg-type]
    assert holes._holes == []
    assert len(clean) > 10
    assert Channel.FLOW in whole.channels
