"""Passive lungs that one compartment does not describe: how often an estimate is given, and how far off it is.

``python -m tests.tools.trust --passive [--tune]`` prints a line for each mode and peculiarity: breaths, the share with
``crs_est``, its grades, how many are wrong by the tolerances of ``judge`` (between the compliance at rest and that of
the breath), and how many lie more than 10 % from the compliance at rest, or at A more than 5 %. PEEP is a staircase in
two of five recordings, passivity asserted in three.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from adapters.simulator import simulate
from adapters.simulator.scenario import Relaxation, SecondCompartment, Sensor, Tube, Valve
from streamer.core.bed import Bed
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord
from tests.tools.trust.draws import Draw, Run
from tests.tools.trust.judge import JUDGES, Known
from tests.tools.trust.listed_today import PASSIVE, stairs
from tests.tools.trust.measure import NO_WINDOWS
from tests.tools.trust.situations import REPORTED, true_of

KEY = "crs_est"
KINDS = ("healthy", "stiff", "copd")
MODES = ("vcv", "pcv")
PECULIAR = ("plain", "tube", "valve", "tube, valve", "relaxation", "two compartments", "relaxation, tube", "pauses")
RECORDINGS = len(KINDS) * len(MODES) * len(PECULIAR) * 2
SEED = 77


def drawn(number: int, half: int) -> tuple[str, str, Run]:
    """Mode, peculiarity and recording; the same number and half give the same one."""
    rng = np.random.default_rng([SEED, number, half])
    draw = Draw(rng, KINDS[number % 3])
    mode, peculiar = MODES[number // 3 % 2], PECULIAR[number // 6 % len(PECULIAR)]
    pause_s = 0.3 if peculiar == "pauses" else 0.0
    ventilator = draw.vcv(pause_s=pause_s) if mode == "vcv" else draw.pcv(share=draw.between(0.28, 0.45))
    parts: dict[str, Any] = {}
    if "tube" in peculiar:
        parts["tube"] = Tube(k2_cmh2o_s2_l2=draw.between(3, 10))
    if "valve" in peculiar:
        parts["valve"] = Valve(resistance_cmh2o_s_l=draw.between(1, 5))
    if "relaxation" in peculiar:
        stiffness, time_s = draw.between(3, 10), draw.between(0.4, 1.5)
        parts["relaxation"] = Relaxation(stiffness_cmh2o_l=stiffness, time_constant_s=time_s)
    if peculiar == "two compartments":
        c, r = draw.c * draw.between(0.3, 0.7), draw.between(15, 30)
        parts["second_compartment"] = SecondCompartment(compliance_ml_cmh2o=c, resistance_cmh2o_s_l=r)
    if rng.random() < 0.4:
        parts["changes"] = stairs(10, 14, 10)
    asserted = PASSIVE if rng.random() < 0.6 else {}
    paw, flow = float(rng.choice([0.05, 0.1, 0.3])), float(rng.choice([0.2, 0.4, 1.5]))
    sensor, rate_hz = Sensor(paw_noise_cmh2o=paw, flow_noise_l_min=flow), float(rng.choice([50, 100, 200]))
    return mode, peculiar, draw.run(ventilator, sensor=sensor, known=asserted, rate_hz=rate_hz, **parts)


def breaths(run: Run) -> Iterator[tuple[BreathRecord, Known]]:
    """Complete breaths, each beside what is true of it."""
    simulation = simulate(run.scenario)
    bed = Bed("passive", context=run.context, settings=NO_WINDOWS)
    for event in [event for chunk in simulation.chunks(600.0) for event in bed.push(chunk)] + bed.close():
        if isinstance(event, BreathRecord) and Flag.TRUNCATED not in event.flags:
            true = true_of(event, simulation.truth, run)
            if true is not None:
                yield event, true


def counted(record: BreathRecord, true: Known) -> Iterator[str]:
    """What one breath adds to the table."""
    yield "breaths"
    if KEY not in record.values:
        return
    value, grade = record.values[KEY], record.quality.get(KEY, "A")
    yield from ("given", grade)
    error = JUDGES[KEY].error(value, true)
    if error is not None and abs(error) > JUDGES[KEY].allowed(grade, true):
        yield "wrong"
    off = abs(value / true.segment.crs - 1.0)
    if off > 0.10:
        yield "off"
    if grade == "A" and off > 0.05:
        yield "off at A"


@cache
def rows(half: int = REPORTED) -> Mapping[tuple[str, str], Counter[str]]:
    """Counts by mode and peculiarity."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for number in range(RECORDINGS):
        mode, peculiar, run = drawn(number, half)
        for record, true in breaths(run):
            found[mode, peculiar].update(counted(record, true))
    return found


def table(half: int = REPORTED) -> Iterator[str]:
    """A line for each mode and peculiarity."""
    yield "| mode | lung | breaths | given % | A / B / C | wrong | > 10 % from the lung at rest | at A > 5 % |"
    yield "|---" * 8 + "|"
    for (mode, peculiar), row in sorted(rows(half).items()):
        share = f"{100 * row['given'] / row['breaths']:.0f} | {row['A']} / {row['B']} / {row['C']}"
        counts = f"{row['wrong']} | {row['off']} | {row['off at A']}"
        yield f"| {mode} | {peculiar} | {row['breaths']} | {share} | {counts} |"
