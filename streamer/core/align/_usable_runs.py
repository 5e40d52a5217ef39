"""The two loops over raw samples that ``align`` needs, compiled."""

from __future__ import annotations

from typing import Any

from streamer.model.jit import kernel


@kernel
def stretch(flow: Any, paw: Any, first: int, wanted: bool, max_flow: float, min_paw: float, max_paw: float) -> int:  # noqa: FBT001, PLR0917 (compiled: positions only)
    """Where the stretch of samples that begins at ``first`` ends: all usable, or all not.

    Usable is a flow and, if the source has pressure (``paw`` is not empty), a pressure within the limits.
    """
    i = first
    while i < flow.size:
        usable = -max_flow <= flow[i] <= max_flow
        if paw.size > 0:
            usable = usable and min_paw <= paw[i] <= max_paw
        if usable != wanted:
            break
        i += 1
    return i
