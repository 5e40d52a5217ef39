"""Places in the sums that ``normal_equations`` makes and ``least_squares`` solves."""

from __future__ import annotations

WIDE, FIRST, SECOND, TURN, EARLY, LATE = range(6)
"""Parts: strip after the onset, halves of inspiration, strip after expiratory onset, halves of expiration."""
VV, VI, VE, V1, II, I1, EE, E1, NI, NE, VP, IP, EP, P1, PP = range(15)
"""Sums of products of volume, inspiratory and expiratory flow, one, and pressure; rows of either direction."""
ZERO = 15
"""Never added to: no row has both directions of flow."""
SUMS = 16
