"""A patient made up breath by breath, for tests of what a study does with breaths."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from streamer.model.context import BloodGas, Context
from streamer.study.collect import GRADES, METHODS, NONE, REASONS
from streamer.study.quantities import KEYS
from streamer.study.timeline import StudyEvent, Timeline

BREATH_S = 3.0
HOUR = 3600.0
USUAL: dict[str, float] = {
    "petco2": 38.0,
    "vco2": 200.0,
    "vd_vt_bohr": 0.40,
    "vd_aw": 150.0,
    "mp": 20.0,
    "vt_exp": 400.0,
    "rr": 20.0,
    "minute_volume": 8.0,
    "peep": 10.0,
}
WYE = Context(sensor_site="wye", flow_conditions="BTPS", co2_kind="mainstream", co2_scale="BTPS")

Course = float | Callable[[float], float]


def event(hours: float, kind: str) -> StudyEvent:
    return StudyEvent(hours * HOUR, kind)


def gas(hours: float, **values: float) -> StudyEvent:
    known = values or {"pco2_art_mmhg": 50.0, "po2_art_mmhg": 80.0, "fio2": 0.6}
    return StudyEvent(hours * HOUR, "blood_gas", "", BloodGas(**known))


def patient(
    *,
    label: str = "P1",
    hours: Sequence[tuple[float, float]] = ((-1.0, 9.0),),
    values: Mapping[str, Course] | None = None,
    methods: Mapping[str, str | Callable[[float], str]] | None = None,
    grades: Mapping[str, str | Callable[[float], str]] | None = None,
    reasons: Mapping[str, str] | None = None,
    holds: Sequence[float] = (),
    events: Sequence[StudyEvent] = (event(0.0, "prone"),),
    gases: Sequence[StudyEvent] = (),
    context: Context | Callable[[float], Context] = WYE,
    whole: Callable[[float], bool] = lambda _: True,
    breath_s: float = BREATH_S,
    device: Callable[[Context], str] = lambda _: "bench",
) -> Timeline:
    """Time 0 is second 0 of the clock; functions get hours. NaN is no value. ``holds``: hours at which one breath has
    ``pplat``, ``driving_pressure``, ``crs`` of ``values``; in all others these are missing."""
    starts = np.concatenate([np.arange(a * HOUR, b * HOUR - 1e-6, breath_s) for a, b in hours])
    n = starts.size
    known = {**USUAL, **(values or {})}
    table = np.full((len(KEYS), n), math.nan)
    codes = {name: np.zeros((len(KEYS), n), dtype=np.int8) for name in ("methods", "grades")}
    held = np.zeros(n, dtype=bool)
    for at in holds:
        held[np.searchsorted(starts, at * HOUR)] = True
    for key, course in known.items():
        row = KEYS.index(key)
        table[row] = [course(s / HOUR) if callable(course) else course for s in starts]
        if holds and key in {"pplat", "driving_pressure", "crs", "auto_peep"}:
            table[row][~held] = math.nan
    for name, said, words in (("methods", methods, None), ("grades", grades, GRADES)):
        for key, word in (said or {}).items():
            known_words = METHODS[key] if words is None else words
            codes[name][KEYS.index(key)] = [
                known_words.index(word(s / HOUR) if callable(word) else word) for s in starts
            ]
    why = np.full((len(KEYS), n), NONE, dtype=np.int8)
    for key in KEYS:
        row = KEYS.index(key)
        default = "no_hold" if key in {"pplat", "driving_pressure", "crs", "auto_peep"} else "fit_poor"
        why[row][np.isnan(table[row])] = [str(r) for r in REASONS].index((reasons or {}).get(key, default))
    contexts: list[Context] = []
    places = []
    for s in starts:
        one = context(s / HOUR) if callable(context) else context
        if one not in contexts:
            contexts.append(one)
        places.append(contexts.index(one))
    drawn = np.array([max((g.at_s for g in gases if g.at_s <= s + breath_s), default=math.nan) for s in starts])
    return Timeline(
        label=label,
        is_utc=False,
        start_s=starts,
        end_s=starts + breath_s,
        whole=np.array([whole(s / HOUR) for s in starts]),
        values=table,
        reasons=why,
        methods=codes["methods"],
        grades=codes["grades"],
        drawn_s=drawn,
        context=np.array(places, dtype=np.int16),
        contexts=tuple(contexts),
        devices=tuple(device(one) for one in contexts),
        events=tuple(events),
        gases=tuple(gases),
        courses=(),
    )
