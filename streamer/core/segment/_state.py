"""State and limits of the scan: plain records, copied as bytes.

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
        ("open", np.int64),  # last sample before the open breath; -1: none is open
        ("open_at", np.float64),  # its start: the valve's opening, interpolated
        ("drawn_at", np.float64),  # where gas began to flow into it, before the valve opened
        ("first", np.int64),  # first sample beyond the threshold; -1: no candidate
        ("first_at", np.float64),
        ("first_volume", np.float64),  # L, net since then
        ("excess", np.float64),  # L beyond the threshold since then: the cumulative sum of the change detector
        ("candidate", np.int64),  # the same, moved on while flow hovers: where the valve opened
        ("candidate_at", np.float64),
        ("candidate_peak", np.float64),  # L/s
        ("candidate_volume", np.float64),  # L
        ("first_paw", np.float64),  # pressure where it began, and the lowest since, cmH2O
        ("lowest", np.float64),
        ("raised", np.int64),  # 1: pressure rose with it, so that a valve is open
        ("exp_start", np.int64),  # first sample of expiration of the open breath; -1: not expired yet
        ("exp_start_at", np.float64),
        ("turned", np.int64),  # sample at which the present phase was confirmed
        ("peak", np.float64),  # highest x of the inspiration, L/s
        ("peak_index", np.int64),
        ("inspired", np.float64),  # L, net, of the inspiration
        ("balance", np.float64),  # L, net, since the onset of the breath
        ("low", np.float64),  # pressure at the onset of the inspiration, and the highest since, cmH2O
        ("high", np.float64),
        ("stack", np.int64),  # valley from which flow rises again without an expiration; -1: none
        ("stack_flow", np.float64),  # L/s at the valley
        ("stack_volume", np.float64),  # L beyond half of the rise
        ("x", np.float64),  # the sample before
        ("end", np.int64),  # of an event: last sample of the breath that ends
        ("end_at", np.float64),  # the start of the next one
        ("end_drawn_at", np.float64),
        ("end_doubt", np.float64),  # how much later the valve may have opened, samples
        ("doubt", np.float64),  # the same of the start of the open breath
        ("restacked", np.int64),  # of an event: 1 if the breath ended without expiration
        ("survey_at", np.int64),  # the sample at which the next survey of noise and size is due
        ("surveys", np.int64),
        ("unclear", np.int64),  # 1: flow began beyond the threshold, and noise is not known yet
    ],
    align=True,
)

Limits = np.dtype(
    [
        ("leak", np.float64),  # g, (L/s)/sqrt(cmH2O)
        ("zero", np.float64),  # L/s
        ("usual_volume", np.float64),  # middle one of recent breaths, L; 0 while unknown
        ("large_volume", np.float64),  # the one that a quarter of them exceed
        ("usual_swing", np.float64),  # of the last 15 s: rise of pressure, cmH2O
        ("usual_low", np.float64),  # and the level from which it rises, cmH2O
        ("noise", np.float64),  # SD of white noise on flow, L/s
        ("paw_noise", np.float64),  # on pressure, cmH2O
        ("ripple", np.float64),  # RMS of fast oscillation of flow, its noise included, L/s
        ("paw_ripple", np.float64),  # of pressure, cmH2O
        ("scale", np.float64),  # of flows and volumes, against an adult's
        # what follows from these and from the settings: _survey.adapt
        ("onset", np.float64),  # flows in L/s
        ("trigger", np.float64),
        ("deliver", np.float64),
        ("exhale", np.float64),
        ("cycle", np.float64),
        ("forced", np.float64),
        ("restack", np.float64),
        ("clear", np.float64),  # beyond doubt the other direction
        ("confirm", np.float64),  # L that confirms a change of direction
        ("alone", np.float64),  # L that confirms an inspiration by itself, where pressure does not rise
        ("blown", np.float64),  # share of a breath that a valve may blow in; 0 where pressure says nothing
        ("forced_volume", np.float64),  # L
        ("noise_volume", np.float64),  # L that noise alone may seem to move
        ("pressed", np.float64),  # rise of pressure that tells an inspiration, cmH2O
        ("drawn", np.float64),  # fall of pressure that tells that a patient draws, cmH2O
        ("lead", np.float64),  # rise of pressure before flow turns that belongs to the inspiration, cmH2O
        # durations in samples
        ("rise_n", np.int64),
        ("draw_n", np.int64),
        ("restack_n", np.int64),
        ("back_n", np.int64),
        ("apnoea_n", np.int64),
        ("survey_n", np.int64),
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
    drawn_at: float
    is_stacked: bool
    doubt: float


class Sums(NamedTuple):
    """What ``_sums.tally`` gives: litres, s·sqrt(cmH2O), cmH2O."""

    vti: float
    vte: float
    net: float
    root: float
    filled: int
    worst_mark: int
    is_paw_patchy: bool
