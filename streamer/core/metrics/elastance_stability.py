"""Whether the elastance of recent breaths stays what it is when the fit may bend.

A tube's turbulence makes pressure control look more compliant than the lung is (8-15 % behind a narrow one); stress
relaxation and uneven lungs make any breath look stiffer than the lung at rest (10-35 %), at R² above 0.99 and the same
in every breath. So neither shape nor repetition shows it. A fit with both terms does (``nonlinear_fit``), by breaths
that repeat: one alone leaves it too much noise. Where it agrees, the plain estimate stands; where a tube explains the
difference, the fit with a tube stands in; where the lung relaxes, the middle between breath and rest; else there is
none (algorithms §4.5).
"""

from __future__ import annotations

import math

from streamer.core.metrics.breath_history import Ratio

MAX_APART, MAX_APART_A = 0.06, 0.03
"""How far the elastance of the freer fit may lie from the one that is given, as a share, or as far as noise may move
it; and for quality A, which noise may not hide. A tube is one that moves it by more than the latter, beyond doubt."""
MAX_BEND = 0.10
MAX_DOUBT = 0.06
"""Of a tube's factor that an estimate may rest on."""
MAX_ENDS_B, MAX_ENDS = 0.10, 0.20
"""How far both ends, the elastance of the breath and that of the lung at rest, may lie from the middle between them.
B allows a tenth, so that it is right by either; more is C."""
PLAIN = Ratio(1.0, 0.0)


def is_bent(tube: Ratio) -> bool:
    """Turbulence raises the elastance beyond doubt."""
    return tube.middle - 1.0 > max(MAX_APART_A, tube.doubt)


def is_apart(free: Ratio, tube: Ratio) -> bool:
    """The freer fit gives another elastance than a tube does, or this is in doubt; what is not known is not apart."""
    return tube.doubt > MAX_DOUBT or abs(free.middle / tube.middle - 1.0) > max(MAX_APART, free.doubt)


def may_be_bent(tube: Ratio) -> bool:
    """A tube may well cost most of what B allows, however doubtful that is."""
    return tube.middle - 1.0 > MAX_BEND


def is_close(free: Ratio) -> bool:
    """The freer fit gives the same within what quality A allows, and well enough to tell."""
    return abs(free.middle - 1.0) <= MAX_APART_A and free.doubt <= MAX_APART


def relaxes(free: Ratio, tube: Ratio) -> bool:
    """The lung is softer at rest than in this breath, beyond doubt."""
    return free.doubt <= MAX_DOUBT and 1.0 - free.middle / tube.middle > max(MAX_APART_A, free.doubt)


def is_wide(half: float) -> bool:
    """The middle is more than a tenth away from its ends."""
    return half * (1.0 + MAX_ENDS_B) < 1.0


def halfway(free: Ratio, tube: Ratio) -> float:
    """Of the elastance of a breath, what makes it that half-way (on a scale of ratios) to the lung at rest.

    1 where the freer fit says the same, is in doubt, or lies so far off that no number between would be right by both.
    """
    between = free.middle / tube.middle
    is_near = (1.0 + MAX_ENDS) ** 2 * between >= 1.0
    return math.sqrt(between) if is_near and is_apart(free, tube) and relaxes(free, tube) else 1.0
