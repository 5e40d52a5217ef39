"""A muscle at work inside a breath: labels that say "not passive".

Flow starvation and a lung that stiffens as it fills both leave pressure below its chord. Three things tell them
apart: an effort sags early (a passive lung's sag has its centre at 0.47 of the chord or later, whatever the
stiffening: V to the power 1.1 gives 0.471, a square 0.5, exponentials more), pressure falls under constant flow only
when something pulls, and a lung sags alike from breath to breath of the same volume. Limits: an effort that lasts
through the whole inspiration, in every breath alike and too weak to lower pressure, is not told from a stiff lung and
gets no label; nor does one against flow that is neither constant nor falling in a straight line. Pressure noise of
0.5 cmH2O (standard deviation) can give a stiff lung the label.

Reverse triggering is sought in breaths that no dip of pressure preceded. Limits: a trigger effort below 0.5 cmH2O
is taken for none, the first four breaths get no label, an effort that draws the next breath at once shows as a
double trigger, and in volume control with falling flow only pressure below the breath's first one counts.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from streamer.core.labels._features import LabelFeatures
from streamer.core.labels._history import MEMORY, MIN_HISTORY
from streamer.model.flags import Flag

MIN_SAG_CMH2O = 1.5
"""Below the chord from 10 to 90 % of the flow time (algorithms §2.4)."""
EARLY_SAG = 0.44
"""Centre of the sag as a share of the chord, before which no passive lung has it; 0.2 cmH2O of noise is 0.01 there."""
MIN_FALL_CMH2O = 0.5
SAME_VOLUME = 0.10
MIN_LATE_CMH2O, MIN_LATE_L_S = 1.0, 6.0 / 60.0
"""A late deflection: of pressure under flow that is set, of flow elsewhere (algorithms §2.4)."""
MIN_BELOW_CMH2O = 3.0
"""Under constant flow a pull too weak to lower pressure bends it away from its straight line; a lung that softens as
it fills does so by up to 1.2 cmH2O (a stress index of 0.7 at a driving pressure of 12)."""
SAME_PHASE_S = 0.2
"""Reverse triggering follows the onset of inflation by a nearly constant time; spread allowed among five breaths."""
IN_PHASE, WITHIN = 5, 15
"""Breaths in phase, among so many: entrainment may be 1:1, 1:2 or 1:3."""


class Efforts:
    """Flow starvation, reverse triggering, ineffective efforts."""

    def __init__(self) -> None:
        self._sags: deque[tuple[float, float]] = deque(maxlen=MEMORY)
        self._late: deque[tuple[int, float]] = deque(maxlen=IN_PHASE)
        self._number = 0

    def add(self, features: LabelFeatures, *, is_own: bool) -> set[Flag]:
        """Labels of a breath; ``is_own``: the ventilator began it, as far as pressure tells."""
        found: set[Flag] = set()
        if features.efforts > 0:
            found.add(Flag.INEFFECTIVE_EFFORT)
        if self._is_starved(features):
            found.add(Flag.FLOW_STARVATION)
        if self._is_reverse(features, is_own=is_own):
            found.add(Flag.REVERSE_TRIGGER_SUSPECT)
        return found

    def _is_starved(self, features: LabelFeatures) -> bool:
        """Pressure sags below its chord as no passive lung's does."""
        sag, volume = features.sag, features.insp_volume
        if not sag >= 0.0:
            return False
        usual = [one for one, moved in self._sags if abs(moved - volume) <= SAME_VOLUME * volume]
        self._sags.append((sag, volume))
        if sag <= MIN_SAG_CMH2O:
            return False
        if features.sag_at < EARLY_SAG or features.sag_fall > MIN_FALL_CMH2O:
            return True
        return len(usual) >= MIN_HISTORY and sag - median(usual) > MIN_SAG_CMH2O

    def _is_reverse(self, features: LabelFeatures, *, is_own: bool) -> bool:
        """This breath and four before it, none begun by the patient, are deflected at the same time after onset."""
        self._number += 1
        falls = features.late_fall > MIN_LATE_CMH2O or features.late_swing > MIN_LATE_L_S
        if not is_own or not (falls or features.below > MIN_BELOW_CMH2O):
            return False
        self._late.append((self._number, features.late_at_s if falls else features.below_at_s))
        if len(self._late) < IN_PHASE or self._number - self._late[0][0] >= WITHIN:
            return False
        phases = [at_s for _, at_s in self._late]
        return max(phases) - min(phases) <= SAME_PHASE_S
