"""One bed: the whole core in one object. The only place where the operators meet.

```
Chunk ─▶ align ─▶ segment ─▶ wait for CO2 ─▶ fold ─▶ labels ─▶ measure ─▶ rolling ─▶ events
Notice, session events, blood gases ─▶ wait for their time ─────────▶ events
```

Events come in the order of data time: what belongs to an instant is given once the segmenter's watermark has passed
it, so that no breath still to come ends before it. They are the same, bit for bit, however the stream was cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

from streamer.core.align import Aligner, AlignSettings, Co2Aligner, Holes, Repeats, assumed, btps_factor, inward
from streamer.core.labels import Labeller, completed
from streamer.core.metrics import (
    HELD,
    METRICS,
    WEIGHTED_BY,
    BloodGasTracker,
    BreathFeatures,
    BreathHistory,
    CrossCheck,
    MeasurementContext,
    Measures,
    extract_features,
    measure,
    no_features,
)
from streamer.core.rolling import Rolling, RollingSettings
from streamer.core.segment import CapnogramSegmenter, Segmenter, SegmentSettings, segment_settings
from streamer.core.session_events import Agenda, ContextChange, changed, context_notice, in_order
from streamer.core.signal_checks import Doubts, Standing, Suspicions, Turned
from streamer.model.bed_label import check_bed_id
from streamer.model.breath import Breath, Capnograph
from streamer.model.chunk import Block, Channel, Chunk
from streamer.model.context import BloodGas, Context, SessionEvent, check_told
from streamer.model.errors import ConfigError
from streamer.model.flags import ENDS_HISTORY, NOT_PASSIVE, Flag
from streamer.model.reasons import Reason
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind
from streamer.model.units import S_PER_MIN
from streamer.model.validation_errors import out_of_range

MAX_PART_S = 5.0
"""Longer chunks are taken in parts: the capnogram is kept for a minute only."""
NOISY_BREATHS = 3
"""So many in a row whose volume noise hides are a sensor's fault; one alone may be a very small breath."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSettings:
    """The settings of every operator.

    Attributes:
        align: How chunks are placed on the source's grid and the capnogram on the time of flow.
        segment: Thresholds that find breaths; left at its defaults, it follows the patient class.
        rolling: Windows, and how often and from how many breaths they are summarised.

    Raises:
        ConfigError: A threshold outside its limits.

    Examples:
        A bed that summarises windows of two minutes only:

        >>> from streamer.core.rolling import RollingSettings
        >>> settings = CoreSettings(rolling=RollingSettings(windows_s={"2m": 120.0}))
        >>> settings.rolling.min_breaths
        5
    """

    align: AlignSettings = field(default_factory=AlignSettings)
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    rolling: RollingSettings = field(default_factory=RollingSettings)

    def __post_init__(self) -> None:
        for name, settings in (("align", self.align), ("segment", self.segment)):
            for one in fields(settings):
                if problem := out_of_range(one.name, getattr(settings, one.name)):
                    raise ConfigError(f"{name} {one.name} = {getattr(settings, one.name)!r}: {problem}")


class Bed:
    """The stream of one bed: samples in, breath records, summaries and notices out. No clock, no input or output.

    Args:
        bed_id: Label of the bed, never a patient identity.
        context: What the operator knows of patient and sensors.
        events: Session events by device clock; they come out as notices at their time.
        blood_gases: Arterial samples by device clock, likewise; each holds for the breaths after its draw.
        settings: Thresholds.
        on_breath: Called just before each record comes out, with the samples of the breath, its record, and what it
            was measured with (context, breath before it, blood gas).

    Raises:
        ConfigError: ``bed_id`` is not a valid label; an argument is not a ``Context``, ``SessionEvent`` or
            ``BloodGas``; the context declares gas conditions that cannot be converted.

    Examples:
        Eight breaths of a passive lung in volume control, sampled at 100 Hz (compliance 50 mL/cmH2O, resistance
        10 cmH2O·s/L, PEEP 5 cmH2O). The first and the last breath are cut off and have no volume:

        >>> import numpy as np
        >>> t = np.arange(0.0, 1.0, 0.01)
        >>> flow = np.concatenate([np.full(100, 0.5), -np.exp(-2.0 * t), -np.exp(-2.0 * (t + 1.0))])  # L/s
        >>> volume = np.concatenate([0.5 * t, 0.5 * np.exp(-2.0 * t), 0.5 * np.exp(-2.0 * (t + 1.0))])  # L
        >>> paw = np.where(flow > 0.0, volume / 0.05 + 10.0 * flow + 5.0, 5.0)  # cmH2O
        >>> signals = {"flow": np.tile(flow, 8), "paw": np.tile(paw, 8)}
        >>> bed = Bed("icu-04")
        >>> events = bed.push(Chunk(source="vent", start_s=0.0, rate_hz=100.0, channels=signals)) + bed.close()
        >>> breaths = [event for event in events if isinstance(event, BreathRecord)]
        >>> [round(breath.values["vt_insp"]) for breath in breaths if "vt_insp" in breath.values]
        [500, 500, 500, 500, 500]
        >>> breaths[0].missing["vt_insp"], breaths[3].missing["pplat"]
        ('truncated', 'no_hold')
    """

    def __init__(
        self,
        bed_id: str,
        *,
        context: Context | None = None,
        events: Sequence[SessionEvent] = (),
        blood_gases: Sequence[BloodGas] = (),
        settings: CoreSettings | None = None,
        on_breath: Callable[[Breath, BreathRecord, MeasurementContext], None] | None = None,
    ) -> None:
        self._bed = check_bed_id(bed_id)
        check_told(context, events, blood_gases)
        self._on_breath = on_breath
        self._context = context or Context()
        settings = settings or CoreSettings()
        segment = settings.segment
        if segment == SegmentSettings():
            segment = segment_settings(self._context.patient_class)
        self._repeats = Repeats(settings.align)
        self._aligner = Aligner(settings.align, flow_factor=btps_factor(self._context))
        self._assumed = assumed(self._context)
        self._segmenter = Segmenter(segment)
        self._co2 = Co2Aligner(self._context, settings.align)
        self._by_co2: CapnogramSegmenter | None = CapnogramSegmenter(segment.apnoea_s)
        self._labeller = Labeller(bed_id)
        self._rolling = Rolling(bed_id, settings.rolling, keys=tuple(METRICS), weighted_by=WEIGHTED_BY, held=HELD)
        self._agenda = Agenda(bed_id, events, blood_gases)
        self._noisy, self._told_noise = 0, False
        self._worst = ""
        self._end_s = self._flow_s = -math.inf
        self._draws = BloodGasTracker()
        self._before: tuple[float, BreathFeatures] | None = None
        self._holes = Holes()
        self._memory = BreathHistory()
        self._crosscheck, self._doubts = CrossCheck(bed_id), Doubts()
        self._standing = Standing()
        self._turned = Turned()
        self._suspicions = Suspicions(self._context)

    def push(self, item: Chunk | Notice) -> list[Event]:
        """Take samples, or a notice of the source or the operator.

        Args:
            item: A chunk of any length, or a notice.

        Returns:
            The events that these samples settle, in the order of device time; often none.

        Raises:
            TypeError: ``item`` is neither a ``Chunk`` nor a ``Notice``.
        """
        if isinstance(item, Notice):
            self._wait(item)
            return [*self._due(self._watermark_s)]
        if not isinstance(item, Chunk):
            raise TypeError(f"expected a Chunk or a Notice, not a {type(item).__name__}")
        return [event for part in item.parts(MAX_PART_S) for event in self._sift(inward(part, self._context))]

    def _sift(self, chunk: Chunk) -> list[Event]:
        """Take out what a stuck source repeats."""
        chunks, notices = self._repeats.push(chunk)
        for notice in notices:
            self._wait(notice)
        return [event for settled in chunks for event in self._push(settled)]

    def _push(self, chunk: Chunk) -> list[Event]:
        found: list[Event] = []
        for doubt in self._suspicions.push(chunk):
            self._wait(doubt)
        end_s = chunk.start_s + len(chunk) / chunk.rate_hz
        self._end_s = max(self._end_s, end_s)
        has_co2, has_flow = Channel.PCO2 in chunk.channels, Channel.FLOW in chunk.channels
        if has_flow and self._assumed:
            values: dict[str, float | str] = {"assumes": "standard_c"}
            detail, self._assumed = self._assumed, ""
            self._wait(Notice(bed=self._bed, at_s=chunk.start_s, kind=NoticeKind.NOTE, detail=detail, values=values))
        if has_co2:
            found += self._hear(chunk)
        if has_flow or not has_co2:
            self._flow_s, self._by_co2 = end_s, None
            placed = self._aligner.push(chunk)
            for notice in placed:
                if isinstance(notice, Notice):
                    self._wait(notice)
            for block in placed:
                if isinstance(block, Block):
                    self._holes.push(block)
                    for breath in self._segmenter.push(block):
                        self._co2.take(breath)
        found += self._finish_ready(self._flow_s)
        watermark_s = self._watermark_s
        found += in_order(self._due(watermark_s), self._rolling.advance(watermark_s))
        return found

    def _hear(self, chunk: Chunk) -> list[Event]:
        """Samples of PCO2; breaths too, as long as no source has given flow."""
        found = self._finish_ready(math.inf) if self._co2.breaks(chunk) else []
        for notice in self._co2.push(chunk):
            self._wait(notice)
        if self._by_co2 is not None and Channel.FLOW not in chunk.channels:
            for fall in self._co2.new_falls():
                breath = self._by_co2.push(fall.at_s)
                if breath is not None:
                    found += self._finish(breath, fall.shown())
        return found

    def _finish_ready(self, flow_s: float) -> list[Event]:
        """Breaths that are complete; none before their source was judged for the first time."""
        if self._suspicions.is_waiting and flow_s < math.inf:
            return []
        return [event for one in self._co2.ready(flow_s) for event in self._finish(*one)]

    @property
    def _watermark_s(self) -> float:
        """No breath still to come ends before this instant of the device's clock."""
        if self._suspicions.is_waiting:
            return -math.inf
        if self._by_co2 is not None:
            return self._by_co2.watermark_s
        return self._co2.watermark_s(self._segmenter.watermark_s)

    def tell(self, change: ContextChange) -> list[Event]:
        """Change the context, for the breaths that end after the time of the change.

        Args:
            change: The new context, the keys that it states, and its time on the device clock.

        Returns:
            The events that are settled, as ``push`` does.

        Raises:
            ConfigError: The change would alter how samples are read; the context stays as it was.
        """
        return self.push(context_notice(self._context, change))

    def close(self) -> list[Event]:
        """End the stream.

        Returns:
            The remaining events: the last, cut-off breath, notices and summaries. Session events that lie after the
            last sample are left out.
        """
        found = [event for chunk in self._repeats.close() for event in self._push(chunk)]
        for notice in (*self._suspicions.close(), *self._aligner.close(), *self._co2.close()):
            self._wait(notice)
        for breath in self._segmenter.close():
            self._co2.take(breath)
        found += self._finish_ready(math.inf)
        self._agenda.forget_planned(self._end_s)
        found += in_order(self._due(math.inf), self._rolling.close())
        return found

    def _wait(self, notice: Notice) -> None:
        self._agenda.put(notice, self._watermark_s)

    def _due(self, until_s: float) -> list[Notice]:
        """Notices up to an instant, in order; a blood gas, a change or a context among them holds from here on."""
        due = self._agenda.due(until_s)
        for notice in due:
            self._draws.hear(notice)
            self._doubts.hear(notice)
            self._worst = max(self._worst, str(notice.values.get("grade", "")))
            self._context = changed(self._context, notice)
        return due

    def _finish(self, breath: Breath, capnograph: Capnograph) -> list[Event]:
        """Measure a breath; before it, what is due before its end."""
        due = self._due(breath.end_s)
        if Flag.AFTER_GAP in breath.flags:
            self._labeller.reset()
            self._memory.forget()
        features = extract_features(breath) if breath.flow.size else no_features()
        flags, notices = self._labeller.add(breath, features)
        if self._holes.hide_onset(breath):
            flags |= {Flag.ONSET_GAP}
        flags |= self._doubts.flags | self._standing.add(breath) | self._turned.add(breath)
        given = self._given(breath, capnograph)
        measures = measure(breath, features, given, flags)
        record = BreathRecord(
            bed=self._bed,
            number=breath.number,
            start_s=breath.start_s,
            end_s=breath.end_s,
            values=measures.values,
            missing=measures.missing,
            quality=measures.quality,
            methods=measures.methods,
            flags=flags,
        )
        if self._on_breath is not None:
            self._on_breath(breath, record, given)
        self._remember(breath, features, measures, flags)
        self._draws.add(record)
        found = in_order(due, self._rolling.add(record))
        found += [completed(notice, record.values, record.methods) for notice in notices]
        found.append(record)
        found += self._crosscheck.add(record)
        self._noisy = self._noisy + 1 if Reason.SIGNAL_NOISY in measures.missing.values() else 0
        if self._noisy == NOISY_BREATHS and not self._told_noise:
            self._told_noise = True
            detail = (
                f"white noise of {breath.flow_noise * S_PER_MIN:.2g} L/min hides the volume: is the flow sensor wet? "
                "No setting mends it: dry or replace it."
            )
            values: dict[str, float | str] = {"rule": "flow_noisy", "channel": "flow"}
            found.append(
                Notice(bed=self._bed, at_s=breath.end_s, kind=NoticeKind.SUSPICION, detail=detail, values=values)
            )
        if Flag.APNOEA in flags:
            detail = f"no breath for {breath.end_s - breath.start_s:.0f} s"
            found.append(Notice(bed=self._bed, at_s=breath.end_s, kind=NoticeKind.APNOEA, detail=detail))
        return found

    def _remember(self, breath: Breath, features: BreathFeatures, measures: Measures, flags: frozenset[Flag]) -> None:
        """What the next breath is measured against."""
        if flags & ENDS_HISTORY:
            self._before = None
            self._memory.forget()
            return
        self._before = breath.end_s, features
        if "crs" in measures.values:
            self._memory.hold = measures.values["crs"], breath.end_s
        if measures.estimate is not None:
            self._memory.add(breath, features, measures.estimate, labelled=not flags.isdisjoint(NOT_PASSIVE))

    def _given(self, breath: Breath, capnograph: Capnograph) -> MeasurementContext:
        is_next = self._before is not None and self._before[0] == breath.start_s
        before = self._before[1] if self._before is not None and is_next else None
        past = self._memory.past()
        gas, age_s, around = self._draws.drawn(breath.end_s)
        return MeasurementContext(
            context=self._context,
            before=before,
            past=past,
            capnograph=capnograph,
            blood_gas=gas,
            blood_gas_age_s=age_s,
            around=around,
            worst=self._worst,
        )
