"""Whether inspired and expired volume agree, and what is withheld where they do not. Floor 1.

Zero and leak are taken off first: what is left is a sensor, or gas that stays or comes. The two differ in time. A
sensor is off in every breath, so a *persistent* ratio is one that all views of recent breaths share: sum and median
over twenty, the sum over the last five. A sigh, a step of PEEP or a double trigger moves one of them; a leak leaves the
last five soon after it was learnt. Which metric asks for what is part of its declaration (``Volume``).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from streamer.breath import Breath
from streamer.metrics._folded import Fold
from streamer.metrics._past import Past
from streamer.reasons import Reason

NOTED, REFUSED = 0.05, 0.10
"""Distance of the persistent ratio from 1 that makes B at best, and that withholds."""
MAX_LEAK, LEAK_NOTED = 0.20, 0.10
MAX_UNCLOSED = 0.15


class Balance(NamedTuple):
    """Of one breath, by what is asked of volumes: quality at best (empty: any), and the reason that withholds."""

    grade: tuple[str, str, str, str]
    refused: tuple[Reason | None, Reason | None, Reason | None, Reason | None]


def balance_of(breath: Breath, folded: Fold, past: Past) -> Balance:
    """The balance of a breath; without others before it, its own volumes are all there is."""
    own = folded.tidal_exp / folded.tidal_insp if folded.tidal_insp > 0.0 else math.nan
    off = (own if math.isnan(past.volume_ratio) else past.volume_ratio) - 1.0
    moved = None
    if abs(off) > REFUSED and not math.isnan(past.volume_ratio):
        moved = Reason.SENSOR_RATIO if off > 0.0 else Reason.VOLUME_NOT_CLOSED
    tight = moved or (Reason.LEAK_HIGH if breath.leak_frac > MAX_LEAK else None)
    closed = tight or (None if abs(own - 1.0) <= MAX_UNCLOSED else Reason.VOLUME_NOT_CLOSED)
    noted = "B" if abs(off) > NOTED or breath.leak_frac > LEAK_NOTED else ""
    unsure = noted if breath.leak_frac >= -NOTED else "B"  # it may be unknown, too
    return Balance(("", noted, unsure, unsure), (None, moved, tight, closed))
