"""Whether power by integration and by a closed form agree; a notice where, over some breaths, they do not.

Both read the same samples, so this finds what bends a waveform, not what scales or shifts it. Tested, on passive lungs:

| error | found |
|---|---|
| pressure or flow times a constant: mbar, mmHg or kPa as cmH2O, L/min as L/s, a gain | no: both scale alike |
| a zero offset of pressure, or pressure given above PEEP | no: both move by K·V'E·offset |
| a wrong mode in the context | no: the shape of the breath decides, the declared mode is not read |
| PEEP where total PEEP is meant | no: the pair in ``elastic_pressure`` does not take it where gas still leaves |
| pressure clipped under square flow | yes, once it costs some 2 cmH2O; in pressure control no: a level is a level |
| pressure smoothed over 0.1 s under fast square flow | yes, where a pause gives the plateau; without one, and in |
| | pressure control, estimates are mostly withheld first, and with them the closed form |
| pressure 0.1 s late under fast square flow | no: it looks like ``flow_starvation``, which withholds the closed form |
| pressure early; slow flow against a low resistance | no: costs less than a tenth |

Units are caught elsewhere, if at all: by bounds (L/min as L/s; compliance that cannot be), never by this.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind

MAX_APART = 0.10
REARM_APART = 0.08
"""Below it the next disagreement is told again; in between nothing changes: a value about the limit is told once."""
BREATHS = 5


def is_apart(power: float, surrogate: float) -> bool:
    """The two differ by more than a tenth of the first (algorithms §12)."""
    return abs(surrogate - power) > MAX_APART * abs(power)


class CrossCheck:
    """Compares ``mp`` with ``mp_surrogate`` over the last five breaths that have both. ``push`` every record in order.

    At most one notice when the median difference first exceeds 10 %; the next one only after it fell below 8 %.
    """

    def __init__(self, bed: str) -> None:
        self._bed = bed
        self._pairs: deque[tuple[float, float]] = deque(maxlen=BREATHS)
        self._is_told = False

    def add(self, record: BreathRecord) -> list[Notice]:
        """The notice that this breath completes, if any."""
        if Flag.AFTER_GAP in record.flags:
            self._pairs.clear()
        power, surrogate = record.values.get("mp"), record.values.get("mp_surrogate")
        if not power or surrogate is None:
            return []
        self._pairs.append((power, surrogate))
        if len(self._pairs) < BREATHS:
            return []
        apart = median((b - a) / abs(a) for a, b in self._pairs)
        if abs(apart) < REARM_APART:
            self._is_told = False
        if abs(apart) <= MAX_APART or self._is_told:
            return []
        self._is_told = True
        return [self._notice(record, apart)]

    def _notice(self, record: BreathRecord, apart: float) -> Notice:
        mp, surrogate = (median(column) for column in zip(*self._pairs, strict=True))
        method = record.methods["mp_surrogate"]
        detail = (
            f"mp is {mp:.1f} J/min by integration and {surrogate:.1f} by {method} ({apart:+.0%}) over {BREATHS} breaths"
            ": check that pressure and flow keep time, ranges and filters of the sensors, units, PEEP, mode"
        )
        values = {"mp": mp, "mp_surrogate": surrogate, "apart": apart}
        return Notice(bed=self._bed, at_s=record.end_s, kind=NoticeKind.CROSS_CHECK, detail=detail, values=values)
