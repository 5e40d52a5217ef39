"""The delay of the capnogram while none is known: that at which most onsets have a fall.

Breathing as regular as a clock fits as well one period later; then the delay stays unknown unless it was declared (or
bound to be small, as in a mainstream sensor in the ventilator's own stream). Matching instants is the cross-correlation
of algorithms §6.2 with everything but the edges left out.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from streamer.core.align._quantile import quantile
from streamer.core.align.capnogram import Capnogram
from streamer.model.context import Context

ENOUGH = 5
CLUSTER_S = 0.06
MIN_MATCHED = 0.8
RIVAL, APART_S = 0.6, 0.15
"""A delay that so many of the best one's onsets share, and so far from it, is a rival: at the edges of a stream, or
after a breath unlike the others, the wrong one lacks a fall or two as well."""


SLACK_S = 1e-6
"""More than sums and differences of instants are rounded by."""


class Search(NamedTuple):
    """Where the delay is looked for, s, and which of several is taken; NaN: none."""

    low: float
    high: float
    expected: float


def search_of(context: Context, *, is_own_clock: bool) -> Search:
    """Bounds by kind of sensor. ``is_own_clock``: the capnograph is a device of its own, whose clock may be off."""
    declared, is_mainstream = context.co2_delay_s, context.co2_kind == "mainstream"
    if declared is not None:
        reach = 0.6 if is_mainstream else 1.5
        return Search(declared - reach, declared + reach, declared)
    if is_own_clock:
        return Search(-2.0, 10.0, math.nan)
    if is_mainstream:
        return Search(-0.1, 0.7, 0.0)
    return Search(0.5 if context.co2_kind == "sidestream" else -0.1, 6.0, math.nan)


def first_delays(onsets_s: Iterable[float], capnogram: Capnogram, until_s: float, search: Search) -> list[float]:
    """Delays of onsets against their falls, where they agree on one; empty where they do not, or on several."""
    onsets = [onset for onset in onsets_s if onset + search.high <= until_s]
    if len(onsets) < ENOUGH:
        return []
    falls = [fall.at_s for fall in capnogram.falls(onsets[0] + search.low, until_s)]
    found: list[tuple[float, int]] = []
    for k, onset in enumerate(onsets):
        near = falls[
            bisect_left(falls, onset + search.low - SLACK_S) : bisect_right(falls, onset + search.high + SLACK_S)
        ]
        found += [(at_s - onset, k) for at_s in near if search.low <= at_s - onset <= search.high]
    found.sort()
    clusters = _clusters(found, RIVAL * MIN_MATCHED * len(onsets))
    best = max((len(cluster) for cluster in clusters), default=0)
    if best < MIN_MATCHED * len(onsets):
        return []
    rivals = [cluster for cluster in clusters if len(cluster) >= RIVAL * best]
    if len(rivals) > 1 and math.isnan(search.expected):
        return []
    return min(rivals, key=lambda one: abs(quantile(one, 0.5) - search.expected)) if rivals[1:] else rivals[0]


def _clusters(found: list[tuple[float, int]], least: float) -> list[list[float]]:
    """Groups of delays within 60 ms that ``least`` onsets share, apart from each other; each sorted."""
    groups: list[list[float]] = []
    end = 0
    for first, (low, _) in enumerate(found):
        while end < len(found) and not found[end][0] > low + CLUSTER_S:
            end += 1
        if end - first < least:
            continue
        group: dict[int, float] = {}
        for delay, onset in found[first:end]:
            group.setdefault(onset, delay)
        if len(group) < least:
            continue
        if groups and low - groups[-1][0] < APART_S:
            if len(group) > len(groups[-1]):
                groups[-1] = sorted(group.values())
        else:
            groups.append(sorted(group.values()))
    return groups
