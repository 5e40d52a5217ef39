"""Whether the elastance of recent breaths stays what it is when the fit may bend. Floor 1.

A tube's turbulence makes pressure control look more compliant than the lung is (8-15 % behind a narrow one); stress
relaxation and uneven lungs make any breath look stiffer than the lung at rest (10-35 %), at R² above 0.99 and the same
in every breath. So neither shape nor repetition shows it. A fit with both terms does (``_fold_wider``), by breaths that
repeat: one alone leaves it too much noise. Where it agrees, the plain estimate stands; where a tube explains the
difference, the fit with a tube stands in; else there is none (algorithms §4.5).
"""

from __future__ import annotations

from streamer.metrics._past import Ratio

MAX_APART, MAX_APART_A = 0.06, 0.03
"""How far the elastance of the freer fit may lie from the one that is given, as a share, or as far as noise may move
it; and for quality A, which noise may not hide. A tube is one that moves it by more than the latter, beyond doubt."""
MAX_DOUBT = 0.06
"""Of a tube's factor that an estimate may rest on."""
PLAIN = Ratio(1.0, 0.0)


def is_bent(tube: Ratio) -> bool:
    """Turbulence raises the elastance beyond doubt."""
    return tube.middle - 1.0 > max(MAX_APART_A, tube.doubt)


def is_apart(free: Ratio, tube: Ratio) -> bool:
    """The freer fit gives another elastance than a tube does, or this is in doubt; what is not known is not apart."""
    return tube.doubt > MAX_DOUBT or abs(free.middle / tube.middle - 1.0) > max(MAX_APART, free.doubt)


def is_close(free: Ratio) -> bool:
    """The freer fit gives the same within what quality A allows, and well enough to tell."""
    return abs(free.middle - 1.0) <= MAX_APART_A and free.doubt <= MAX_APART
