"""MEDIBUS records into time slots: which are samples, which are damage, and how many slots damage takes.

A record has no number. Damage between good records takes as many slots as records would fit into its bytes, and at
least one for each usual sync byte: a value that became a sync byte by a flipped bit splits its record in two, which
together are as long as one; a sync byte that became something else joins two records.
"""

from __future__ import annotations

from adapters.decoding.sample_assembler import LIVE_REFILL_S, MAX_NOTICES, UNKNOWN_GAP_S, Samples
from adapters.devices.medibus_frames import CORRUPT_DATA, SYNC, Record
from adapters.devices.medibus_streams import Plan
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.records import Notice, NoticeKind

GAP_S = 1.0
"""A line quiet for longer, without a record, is a gap; less was only a delay."""


class Slots:
    """Records in their order → chunks and notices.

    Attributes:
        plan: What the streams carry; None while there are none.
    """

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self._samples = Samples("medibus", 1.0, self._channels, counted="record", refill_s=LIVE_REFILL_S)
        self._number = self._changes = 0
        self._is_synced = False
        self._usual = self._last = 0
        self._run_bytes = self._run_slots = 0
        self._quiet_s = 0.0

    def begin(self, plan: Plan) -> None:
        """Streams are enabled. After samples, time goes on behind the pause."""
        samples = self._samples
        start_s = samples.now_s
        if self.plan is not None:
            pause_s = max(self._quiet_s, UNKNOWN_GAP_S)
            told = f"the realtime data begin again; the pause is unknown and shown as {pause_s:g} s"
            samples.note(NoticeKind.NOTE, told)
            start_s += pause_s
        samples.restart(start_s)
        samples.rate_hz, self.plan = plan.rate_hz, plan
        for note in plan.notes:
            samples.note(NoticeKind.NOTE, note)
        self._usual = self._last = plan.streams
        self._is_synced = False
        self._run_bytes = self._run_slots = 0
        self._quiet_s = 0.0

    def quiet(self, more_s: float) -> None:
        """The line was silent for so much longer."""
        self._quiet_s += more_s

    def late(self, piece: bytes) -> None:
        """What comes all at once after silence makes up for it: its samples were only delayed."""
        if self._quiet_s > 0.0 and self.plan is not None:
            records = sum(byte & 0xF0 == SYNC for byte in piece)
            self._quiet_s = max(self._quiet_s - records / self.plan.rate_hz, 0.0)

    def take(self) -> list[Chunk | Notice]:
        """What is ready."""
        return self._samples.take()

    def record(self, record: Record, plan: Plan) -> tuple[float, bool]:
        """A record while streams are enabled. Returns how long it is in seconds, and whether it is good."""
        is_marker = any(code == CORRUPT_DATA for code, _ in record.commands)
        if not self._is_synced and record.streams is None:
            return 0.0, False
        self._is_synced = True
        if record.streams == 0 and record.is_whole and not is_marker:
            return 0.0, False
        self._number += 1
        is_ours = record.is_whole and not is_marker and not record.streams & ~plan.streams  # type: ignore[operator]
        if self._quiet_s > GAP_S:
            self._pause()
        slots = 1
        is_good = is_ours and not self._is_rest(record)
        if is_good:
            self._good(record, plan)
        else:
            slots = self._damaged(record, is_marker=is_marker)
        return slots / plan.rate_hz, is_good

    def _good(self, record: Record, plan: Plan) -> None:
        streams = record.streams or 0
        self._run_bytes = self._run_slots = 0
        self._quiet_s = 0.0
        if streams == self._last != self._usual:
            self._usual = streams
            self._tell_change(streams, plan)
        self._last = streams
        self._samples.rows(plan.row(streams, record.values))

    def _damaged(self, record: Record, *, is_marker: bool) -> int:
        is_usual = record.streams == self._usual or is_marker
        is_first = self._run_bytes == 0
        if is_usual:
            self._run_bytes = self._run_slots = 0
        self._run_bytes += max(record.size, self._nominal) if is_marker else record.size
        slots = max(self._due(0), int(is_usual or (is_first and bool(record.streams))))
        self._run_slots += slots
        self._samples.damaged(self._number, _flaw(record, is_marker=is_marker), slots)
        return slots

    def _is_rest(self, record: Record) -> bool:
        """Whether it only looks like a record: with the bytes of damage before it, it fills the slots already given."""
        return self._run_bytes > 0 and record.streams != self._usual and self._due(record.size) <= 0

    def _due(self, more: int) -> int:
        """Slots that the bytes of this run, and so many more, fill, less those given."""
        return (2 * (self._run_bytes + more) + self._nominal) // (2 * self._nominal) - self._run_slots

    @property
    def _nominal(self) -> int:
        """Bytes of a usual record."""
        return 1 + 2 * self._usual.bit_count()

    def _pause(self) -> None:
        samples, quiet_s = self._samples, self._quiet_s
        self._quiet_s = 0.0
        samples.note(NoticeKind.NOTE, f"no realtime data while the line was quiet: shown as a gap of {quiet_s:.1f} s")
        samples.restart(samples.now_s + quiet_s)

    def _tell_change(self, streams: int, plan: Plan) -> None:
        self._changes += 1
        if self._changes > MAX_NOTICES:
            return
        absent = [name.value for at, name in enumerate(plan.channels) if not streams >> at & 1]
        told = f"the device sends no {' and no '.join(absent)}" if absent else "the device sends every stream again"
        self._samples.note(NoticeKind.NOTE, told)

    def _channels(self, rows: FloatArray) -> dict[Channel, FloatArray]:
        assert self.plan is not None
        return self.plan.canonical(rows)


def _flaw(record: Record, *, is_marker: bool) -> str:
    if is_marker:
        return "the device says that it is corrupt"
    if record.streams is None:
        return f"{record.size} bytes without a sync byte"
    return f"{len(record.values)} values in {record.size} bytes for {record.streams.bit_count()} streams"
