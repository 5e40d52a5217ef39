"""Compiled and as plain Python, the kernels give the same, and a fold has every field it names."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from streamer.core.metrics import BreathFeatures

MADE = """
import json
from streamer import RecursiveFit
from streamer.core.metrics import extract_features
from tests.support.analytic_breaths import Lung, pcv, vcv
from tests.support.event_breaths import early, late_draw, late_pull, shaken, sucked
noise = {"noise": (0.2, 1.0)}
made = [
    early(2.0), late_draw(9.0), shaken(2, 11), sucked(-9.0, 0.5), late_pull(2.0),
    vcv(**noise), vcv(pause_s=0.7, rr=10, **noise), pcv(**noise), pcv(ti=2.0, rr=10, rise_s=0.2, **noise),
    vcv(leak_conductance=0.03), pcv(rate_hz=50.0, c=0.01, r=5),
    Lung().falling_flow(0.8, 0.2, 1.0).pressure(0.0, 4.0).breath(1),
]
folds = [list(map(float, extract_features(one))) for one in made]
print(json.dumps([*folds, [*RecursiveFit(100.0).push(made[-2].flow, made[-2].paw)]]))
"""


@cache
def folds(jit: str) -> list[list[float]]:
    found = subprocess.run(
        [sys.executable, "-c", MADE],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "NUMBA_DISABLE_JIT": "0" if jit == "compiled" else "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    made: list[list[float]] = json.loads(found.stdout)
    return made


def test_the_same_source_runs_uncompiled() -> None:
    for one, other in zip(folds("compiled"), folds("plain"), strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-12, nan_ok=True)


def test_a_fold_has_its_fields_in_their_places() -> None:
    """Kernels return rows without names; what they mean hangs on their order."""
    *_, square, held, decaying, at_rest, _, _, falling, _ = (
        BreathFeatures._make(row) if len(row) == len(BreathFeatures._fields) else None for row in folds("compiled")
    )
    for one in (square, held):
        assert one is not None
        assert one.is_square
        assert one.square_elastance == pytest.approx(20, rel=0.05)
        assert one.square_ri == pytest.approx(10, rel=0.1)
        assert one.stress == pytest.approx(1, abs=0.15)
    for one in (decaying, at_rest, falling):
        assert one is not None
        assert math.isnan(one.square_elastance)
        assert one.fit_elastance == pytest.approx(20, rel=0.05)
        assert one.fit_ri == pytest.approx(10, rel=0.1)
        assert one.fit_p0 == pytest.approx(5, abs=0.3)
        assert one.fit_explained > 0.99
        assert one.fit_condition < 30
    assert at_rest is not None
    assert 0.0 < at_rest.zero_flow < 0.05
    assert at_rest.zero_paw == pytest.approx(20, abs=0.1)
    assert at_rest.tau == pytest.approx(0.5, rel=0.05)
    assert at_rest.level_paw == pytest.approx(20, abs=0.1)
