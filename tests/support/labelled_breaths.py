"""Breaths and folds for tests of labels, and a labeller that has already seen some normal ones."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from streamer.core.labels import Labeller
from streamer.core.metrics import BreathFeatures
from streamer.model.breath import Breath
from streamer.model.flags import Flag
from streamer.model.records import Notice, NoticeKind
from tests.support.analytic_breaths import breath

NAN = math.nan


def cycle(*, ti: float = 1.0, te: float = 3.0, **flags: object) -> Breath:
    n = max(3, round((ti + te) * 100) + 1)
    one = breath(np.zeros(n), np.zeros(n), min(round(ti * 100), n - 1), **flags)
    return dataclasses.replace(one, insp_end_s=ti, end_s=ti + te)


def features(**fields: float) -> BreathFeatures:
    normal = {
        "insp_volume": 0.5, "exp_volume": 0.5, "end_paw": 5.0, "start_min_paw": 5.0, "end_min_paw": 5.0, "low_paw": 5.0,
        "efforts": 0.0,
    }  # fmt: skip
    return BreathFeatures._make([NAN] * len(BreathFeatures._fields))._replace(**normal | fields)


TRIGGERED = {"start_min_paw": 4.0}


class Ward:
    """A labeller that has seen some normal breaths."""

    def __init__(self, normal: int = 10) -> None:
        self.labeller = Labeller("b")
        self.notices: list[Notice] = []
        for _ in range(normal):
            assert not self.push()

    def push(self, one: Breath | None = None, **fields: float) -> frozenset[Flag]:
        flags, notices = self.labeller.add(one or cycle(), features(**fields))
        self.notices += notices
        return flags

    @property
    def kinds(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.notices]
