"""What a session has seen, for its state."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.model.records import BreathRecord, Event, Notice, NoticeKind

COUNTED = ("samples", "breaths", "notices", "damaged", "gaps", "duplicates", "clock_resets", "dropped")


@dataclass(slots=True)
class Counters:
    """Counts of one session; ``COUNTED`` is their order in its state."""

    samples: int = 0
    breaths: int = 0
    notices: int = 0
    damaged: int = 0
    gaps: int = 0
    duplicates: int = 0
    clock_resets: int = 0
    dropped: int = 0
    _overlaps: int = field(default=0, repr=False)
    _rows: int = field(default=0, repr=False)

    def event(self, event: Event) -> None:
        """Count what was published."""
        self.breaths += isinstance(event, BreathRecord)
        if isinstance(event, Notice):
            self.notices += 1
            self.gaps += event.kind is NoticeKind.GAP
            self.clock_resets += event.kind is NoticeKind.CLOCK_RESET
            self._rows_of(event)

    def _rows_of(self, notice: Notice) -> None:
        """Rows damaged or left out: so many in a run of them or, in an adapter's last notice, in all."""
        rows = int(notice.values.get("rows", 1))
        if notice.kind is NoticeKind.DAMAGED:
            self.damaged = int(notice.values.get("damaged_rows", self.damaged + rows))
            self._rows = int(notice.values.get("dropped_rows", self._rows))
        elif notice.kind is NoticeKind.DROPPED and "rows" in notice.values:
            self._rows += rows
        elif notice.kind is NoticeKind.OVERLAP:
            self._overlaps += int(notice.values.get("samples", 0))
        self.duplicates = self._rows + self._overlaps

    def totals(self) -> dict[str, int]:
        """Name → count."""
        return {name: getattr(self, name) for name in COUNTED}
