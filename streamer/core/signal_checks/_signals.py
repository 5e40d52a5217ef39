"""What one look at a source's samples shows, in the words of the rules."""

from __future__ import annotations

import math
from typing import NamedTuple


class Spread(NamedTuple):
    """One channel of a look; NaN and 0 where it is absent. ``low`` and ``high`` leave out 0.5 % either way.

    The fields are those that ``_look`` counts; a yes is 1.
    """

    low: float = math.nan
    high: float = math.nan
    usual: float = math.nan
    """Largest magnitude but for 5 % of the samples at either end."""
    bottom: float = math.nan
    top: float = math.nan
    mean: float = math.nan
    is_clipped_high: float = 0.0
    is_clipped_low: float = 0.0
    is_wrapped: float = 0.0
    frozen_s: float = 0.0
    """For how long it repeated one value, if that is too long, while another channel moved."""
    is_frozen: float = 0.0
    """Whether it still does, or did for very long."""

    @property
    def is_stuck(self) -> bool:
        """Whether it repeated one value and moves again."""
        return self.frozen_s > 0.0 and not self.is_frozen

    @property
    def swing(self) -> float:
        """Difference of highest and lowest value."""
        return self.high - self.low

    @property
    def most(self) -> float:
        """Largest magnitude."""
        return max(abs(self.low), abs(self.high))


class Signals(NamedTuple):
    """A look: its channels, and what is seen between them."""

    flow: Spread
    paw: Spread
    pco2: Spread
    paw_step: float
    """Median pressure while gas flows in, less that while it flows out; cmH2O."""
    pco2_step: float
    """The same of PCO2, mmHg; NaN where that of pressure is not negative."""
    paw_above: float
    """Median pressure while gas flows out, less the lower quartile of that while hardly any flows."""
    flow_in: float
    flow_out: float
    """Mean over this look and, ever less, those of the 30 s before, L/s."""
    balance_s: float
    """Over how many seconds, each counted with its weight."""
    flow_top: float
    """Largest flow either way (``most``) of this look and all before it, L/s."""
    pco2_top: float
    """Highest PCO2 (``high``) of this look and all before it."""
    is_first: bool
    is_whole: bool
    """Whether gas has flowed both ways, often enough to compare them."""
    is_marked: bool
    """Whether any channel is clipped, wraps or stands still."""
    patient_class: str | None
