"""The time points of a patient: windows around events, without the minutes after a turn (algorithms §8.2).

A window covers one position: the one the patient was in at the event (for the baseline: just before it). Breaths in
another position, or within ``settle_min`` after any turn, are left out.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.model.context import PointSettings
from streamer.model.units import S_PER_MIN
from streamer.study.refusals import Refusal
from streamer.study.results import PointLabel
from streamer.study.timeline import StudyEvent, Timeline

S_PER_HOUR = 3600.0
BASELINE = "baseline"
NOT_TOLD = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One time point of one patient.

    Attributes:
        label: Of the time point.
        start_s: Patient's clock, s; NaN if its event did not happen.
        end_s: Likewise.
        position: The patient's position in it.
        breaths: Indices of the breaths that ended in it, in its position and settled.
        reason: Why there are none; empty otherwise.
        detail: The same for a reader.
    """

    label: str
    start_s: float
    end_s: float
    position: str
    breaths: NDArray[np.intp]
    reason: str = ""
    detail: str = ""

    @property
    def middle_s(self) -> float:
        """Nominal time of the point, s of the patient's clock."""
        return 0.5 * (self.start_s + self.end_s)


def labels(settings: PointSettings) -> tuple[PointLabel, ...]:
    """The time points of a study, baseline first."""
    start, end = settings.baseline_min
    about = f"{0.0 - start:g} to {0.0 - end:g} min before the first event of kind {settings.event}"
    found = [PointLabel(BASELINE, about, 0.5 * (start + end) / 60.0)]
    for kind, hours in settings.hours.items():
        event = f"the first event of kind {kind}" if kind == settings.event else f"the first {kind} after that"
        for hour in hours:
            after = _label("after", hour)
            about = f"{after} {event}, {settings.half_width_min:g} min to either side"
            found.append(PointLabel(_label(kind, hour), about, hour if kind == settings.event else math.nan))
    return tuple(found)


def _label(what: str, hour: float) -> str:
    return f"{hour:g} h {what}" if hour >= 1 else f"{60 * hour:g} min {what}"


def anchor(timeline: Timeline, settings: PointSettings) -> StudyEvent | None:
    """The event that is time 0."""
    return next((event for event in timeline.events if event.kind == settings.event), None)


def windows(timeline: Timeline, settings: PointSettings) -> Iterator[Window]:
    """The time points of a patient, in the order of ``labels``."""
    zero = anchor(timeline, settings)
    if zero is None:
        return
    start, end = (zero.at_s + S_PER_MIN * minutes for minutes in settings.baseline_min)
    before = position_at(timeline, math.nextafter(zero.at_s, -math.inf))
    yield _window(timeline, settings, BASELINE, (start, end), before)
    half_s = S_PER_MIN * settings.half_width_min
    for kind, hours in settings.hours.items():
        event = next((one for one in timeline.events if one.kind == kind and one.at_s >= zero.at_s), None)
        for hour in hours:
            label = _label(kind, hour)
            if event is None:
                yield _absent(label, f"no event of kind {kind} is stated")
                continue
            middle_s = event.at_s + S_PER_HOUR * hour
            span = max(middle_s - half_s, event.at_s), middle_s + half_s
            yield _window(timeline, settings, label, span, position_at(timeline, event.at_s))


def _absent(label: str, detail: str) -> Window:
    return Window(
        label=label,
        start_s=math.nan,
        end_s=math.nan,
        position=NOT_TOLD,
        breaths=np.empty(0, dtype=np.intp),
        reason=Refusal.NO_EVENT,
        detail=detail,
    )


def _window(
    timeline: Timeline, settings: PointSettings, label: str, span: tuple[float, float], position: str
) -> Window:
    first, last = np.searchsorted(timeline.end_s, span, side="right")
    inside = np.arange(first, last)
    turns = np.array([turn.at_s for turn in timeline.positions])
    stays = np.array([NOT_TOLD, *(turn.kind for turn in timeline.positions)])
    since = np.searchsorted(turns, timeline.start_s[inside], side="right")
    settled_s = np.append(-np.inf, turns + S_PER_MIN * settings.settle_min)[since]
    is_still = np.searchsorted(turns, timeline.end_s[inside], side="left") == since
    kept = inside[(stays[since] == position) & is_still & (timeline.start_s[inside] >= settled_s)]
    reason = detail = ""
    if not inside.size:
        reason, detail = Refusal.NOT_RECORDED, f"{timeline.text(span[0])} to {timeline.text(span[1])}"
    elif not kept.size:
        others = "; ".join(
            f"{turn.kind} since {timeline.text(turn.at_s)}" for turn in timeline.positions if turn.at_s < span[1]
        )
        reason, detail = Refusal.POSITION_CHANGED, others
    return Window(
        label=label, start_s=span[0], end_s=span[1], position=position, breaths=kept, reason=reason, detail=detail
    )


def position_at(timeline: Timeline, at_s: float) -> str:
    """The patient's position at an instant, or ``NOT_TOLD`` before the first event that states one."""
    place = bisect_right([turn.at_s for turn in timeline.positions], at_s)
    return timeline.positions[place - 1].kind if place else NOT_TOLD


def is_settled(timeline: Timeline, window: Window, settings: PointSettings, at_s: float) -> bool:
    """Whether the patient was in the window's position at an instant, and settled in it."""
    if position_at(timeline, at_s) != window.position:
        return False
    settle_s = S_PER_MIN * settings.settle_min
    return not any(0.0 <= at_s - turn.at_s < settle_s for turn in timeline.positions)
