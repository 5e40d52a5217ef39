"""State and limits of the scan: plain records, copied as bytes. Floor 1, inside ``segment``.

Indices count samples since the origin of the grid; a name in ``_at`` is an instant between samples, in samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

EXPIRATION, INSPIRATION = 0, 1
MORE, ONSET, APNOEA = 0, 1, 2

State = np.dtype(
    [
        ("next", np.int64),  # the sample to look at next
        ("phase", np.int64),
        ("open", np.int64),  # last sample before the onset of the open breath; -1: none is open
        ("open_at", np.float64),  # the same, interpolated
        ("candidate", np.int64),  # first sample beyond the threshold; -1: none
        ("candidate_at", np.float64),
        ("candidate_peak", np.float64),  # L/s
        ("candidate_volume", np.float64),  # L
        ("exp_start", np.int64),  # first sample of expiration of the open breath; -1: not expired yet
        ("exp_start_at", np.float64),
        ("turned", np.int64),  # sample at which the present phase was confirmed
        ("peak", np.float64),  # highest x of the inspiration, L/s
        ("peak_index", np.int64),
        ("x", np.float64),  # the sample before
        ("end", np.int64),  # of an event: last sample of the breath that ends
        ("end_at", np.float64),
        ("restacked", np.int64),  # of an event: 1 if the breath ended without expiration
    ],
    align=True,
)

Limits = np.dtype(
    [
        ("leak", np.float64),  # g, (L/s)/sqrt(cmH2O)
        ("confirm", np.float64),  # L
        ("onset", np.float64),  # flows in L/s
        ("trigger", np.float64),
        ("exhale", np.float64),
        ("cycle", np.float64),
        ("rise_n", np.int64),
        ("restack", np.float64),
        ("restack_valley", np.float64),
        ("restack_n", np.int64),
        ("pressure_rise", np.float64),  # cmH2O
        ("back_n", np.int64),
        ("apnoea_n", np.int64),
        ("step", np.float64),  # s
    ],
    align=True,
)


class Closed(NamedTuple):
    """Where a breath lies on the grid, as ``_scan.turn_page`` gives it: samples, and instants in samples."""

    first: int
    last: int
    exp_first: int
    first_at: float
    last_at: float
    exp_first_at: float
    is_stacked: bool


class Sums(NamedTuple):
    """What ``_sums.tally`` gives: litres, and s·sqrt(cmH2O)."""

    vti: float
    vte: float
    net: float
    root: float
    filled: int
    worst_mark: int
    is_paw_patchy: bool
