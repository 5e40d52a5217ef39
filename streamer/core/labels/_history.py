"""How much of the past a label looks at."""

from __future__ import annotations

MEMORY = 20
"""Breaths that a mean or a median of recent ones is taken over."""
MIN_HISTORY = 5
"""With fewer there is no such mean, and no label that needs one."""
