"""Results of a study that was never measured: every kind of cell that a report has to show."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from streamer.study.quantities import QUANTITIES, Group
from streamer.study.results import PointLabel, Results

POINTS = (
    PointLabel("baseline", "40 min to 10 min before the first event of kind prone", -0.42),
    PointLabel("1 h prone", "15 min to either side of 1 h after the first", 1.0),
    PointLabel("4 h prone", "15 min to either side of 4 h after the first", 4.0),
    PointLabel("8 h prone", "15 min to either side of 8 h after the first", 8.0),
)
USUAL = {
    "pf_ratio": 130, "po2_art_mmhg": 78, "pco2_art_mmhg": 52, "ph": 7.31, "vent_ratio": 1.8, "oxygenation_index": 14,
    "petco2": 38, "vco2": 190, "vd_vt_bohr": 0.42, "vd_vt_enghoff": 0.61, "vd_aw": 122, "vd_alv": 96, "pplat": 25,
    "driving_pressure": 14, "crs": 31, "auto_peep": 1.2, "pplat_est": 25.4, "driving_pressure_est": 14.3,
    "crs_est": 30, "mp": 22, "mp_peep_measured": 7, "mp_elastic_measured": 5, "mp_resistive_measured": 9,
    "mp_peep_estimated": 7.1, "mp_elastic_estimated": 5.2, "mp_resistive_estimated": 8.8, "vt_exp": 420, "rr": 24,
    "minute_volume": 10.1, "peep": 11, "fio2": 0.6,
}  # fmt: skip
"""Mean at baseline."""
DRIFT = {
    "pf_ratio": 22, "vd_vt_bohr": -0.025, "vd_vt_enghoff": -0.02, "crs": 1.6, "crs_est": 1.7, "pplat": -0.8, "mp": -0.4,
    "petco2": -0.6, "driving_pressure": -0.7, "vent_ratio": -0.06, "po2_art_mmhg": 12, "pplat_est": -0.7,
}  # fmt: skip
"""Per point."""
WITHHELD = {
    ("P2", "4 h prone", "vd_vt_bohr"): ("alignment_unstable", "the delay jumped by 0.31 s <at 12:14>"),
    ("P2", "4 h prone", "vd_aw"): ("alignment_unstable", "the delay jumped by 0.31 s <at 12:14>"),
    ("P3", "8 h prone", "pplat"): ("no_hold", ""),
    ("P3", "8 h prone", "crs"): ("no_hold", ""),
    ("P3", "8 h prone", "driving_pressure"): ("no_hold", ""),
    ("P4", "1 h prone", "vd_vt_enghoff"): ("abg_missing", "no draw lies in the window"),
    ("P4", "1 h prone", "pf_ratio"): ("abg_missing", "no draw lies in the window"),
    ("P4", "baseline", "vent_ratio"): ("settings_changed", "PEEP 10 → 14 & FiO2 0.6 → 0.8"),
}
REFUSED = {
    ("P3", "4 h prone", "vd_vt_bohr"): ("method_changed", "fowler_mainstream at baseline, param4_mainstream here"),
    ("P3", "8 h prone", "vd_vt_bohr"): ("method_changed", "fowler_mainstream at baseline, param4_mainstream here"),
    ("P1", "8 h prone", "mp"): ("method_changed", "sensor_site differs: <ventilator> and y_piece"),
}
TREND = ("vd_vt_bohr", "vd_aw", "petco2", "crs", "crs_est", "pplat", "pplat_est", "mp", "vt_exp", "rr", "peep")
COLUMNS = {
    "values": (
        "patient point hours from_hours to_hours position start end quantity key unit value n breaths p25 p75 "
        "coverage method quality reason detail"
    ),
    "changes": (
        "patient point quantity unit baseline value change change_pct smallest direction reason detail settings"
    ),
    "cohort": (
        "point quantity unit n median low high spread pairs change_median change_low change_high lower higher "
        "unchanged p methods"
    ),
    "events": "patient hours at kind detail",
    "recordings": (
        "patient path sha256 format source device rate_hz start duration_h breaths coverage gaps damaged_rows "
        "dropped_rows doubts error"
    ),
    "trend": "patient hours quantity unit value n method sensor",
    "withheld": "patient key reason meaning breaths share",
}


def values_of(patients: tuple[str, ...], *, nothing: bool) -> pd.DataFrame:
    random = np.random.default_rng(4)
    found = []
    for number, patient in enumerate(patients):
        own = {key: random.normal(1.0, 0.12 if QUANTITIES[key].group is not Group.SETTINGS else 0.06) for key in USUAL}
        own["ph"] = 1.0 + 0.003 * (number - 1)
        for place, point in enumerate(POINTS):
            half = 0.25
            for key, usual in USUAL.items():
                quantity = QUANTITIES[key]
                value = usual * own[key] + DRIFT.get(key, 0.0) * place * random.uniform(0.2, 1.6)
                reason, detail = WITHHELD.get((patient, point.label, key), ("", ""))
                if nothing:
                    reason, detail = "not_recorded", f"{point.label}: nothing"
                is_hold = quantity.rule == "holds"
                n = 0 if reason else 2 if is_hold else 1 if quantity.rule == "draw" else 640
                changed = (patient, point.label, key) in REFUSED
                method = {"vd_vt_bohr": "fowler_mainstream"}.get(key, quantity.method or "measured")
                found.append((
                    patient, point.label, point.hours, point.hours - half, point.hours + half,
                    "prone" if place else "supine", f"2021-03-0{number % 9 + 1} 10:00:00Z",
                    f"2021-03-0{number % 9 + 1} 10:30:00Z", key, quantity.key, quantity.unit,
                    math.nan if reason else value, n, 0 if nothing else 655, None if reason else 0.98 * value,
                    None if reason else 1.02 * value, 0.0 if nothing else 0.93,
                    "" if reason else "param4_mainstream" if changed else method, "" if reason else "A",
                    reason, detail,
                ))  # fmt: skip
    return pd.DataFrame(found, columns=COLUMNS["values"].split())


def changes_of(values: pd.DataFrame) -> pd.DataFrame:
    found = []
    by = {(row.patient, row.point, row.quantity): row for row in values.itertuples()}
    for (patient, point, name), row in by.items():
        if point == "baseline":
            continue
        quantity, first = QUANTITIES[name], by[patient, "baseline", name]
        both = (row.value, first.value)
        reason, detail = REFUSED.get((patient, point, name), ("", ""))
        for one in (row, first):
            if one.reason:
                reason, detail = one.reason, one.detail
        known = not reason and not any(math.isnan(one) for one in both)
        change = row.value - first.value if known else None
        smallest = quantity.smallest_change(first.value) if not math.isnan(first.value) else None
        direction = None
        if known:
            direction = "no change" if abs(change) < smallest else "higher" if change > 0 else "lower"
        settings = "PEEP, VT" if patient == "P2" and point == "8 h prone" else ""
        share = 100.0 * change / first.value if known else None
        found.append((
            patient, point, name, quantity.unit, first.value, row.value, change, share, smallest, direction,
            reason, detail, settings,
        ))  # fmt: skip
    return pd.DataFrame(found, columns=COLUMNS["changes"].split())


def cohort_of(values: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    found = []
    for (point, name), part in values.groupby(["point", "quantity"], sort=False):
        kept = part.value.dropna()
        many = len(kept) >= 10
        low, high = (kept.quantile(0.25), kept.quantile(0.75)) if many else (kept.min(), kept.max())
        told = changes[(changes.point == point) & (changes.quantity == name) & changes.direction.notna()]
        way = told.direction.value_counts()
        delta = told.change.astype(float)
        found.append((
            point, name, QUANTITIES[name].unit, len(kept), kept.median(), low, high,
            "quartiles" if many else "range", len(told), delta.median(), delta.min(), delta.max(),
            way.get("lower", 0), way.get("higher", 0), way.get("no change", 0), 0.021 if len(told) >= 10 else None, "",
        ))  # fmt: skip
    return pd.DataFrame(found, columns=COLUMNS["cohort"].split())


def trend_of(patients: tuple[str, ...]) -> pd.DataFrame:
    random, found = np.random.default_rng(7), []
    hours = np.arange(-1.5, 9.6, 1.0 / 12.0)
    for patient in patients:
        for key in TREND:
            is_hold = QUANTITIES[key].rule == "holds"
            for hour in np.arange(-1.25, 9.5, 0.9) if is_hold else hours:
                if not is_hold and 4.9 < hour < 5.6:
                    continue  # a gap
                level = USUAL[key] + DRIFT.get(key, 0.0) * min(max(hour, 0.0), 3.0)
                is_null = key == "vd_vt_bohr" and 2.0 < hour < 2.4
                value = None if is_null else level * random.normal(1.0, 0.012)
                found.append((patient, hour, key, QUANTITIES[key].unit, value, 0 if is_null else 60, "", ""))
    return pd.DataFrame(found, columns=COLUMNS["trend"].split())


def events_of(patients: tuple[str, ...]) -> pd.DataFrame:
    told = [
        (-1.4, "supine", ""), (-0.3, "blood_gas", "PaCO2 52, PaO2 78"), (0.0, "prone", ""), (0.4, "suction", ""),
        (1.05, "blood_gas", "PaCO2 50"), (2.1, "recruitment", "40 cmH2O <40 s>"), (2.2, "settings", "PEEP 10 → 12"),
        (4.1, "blood_gas", ""), (6.0, "suction", ""), (6.05, "suction", ""), (8.0, "blood_gas", ""),
        (8.8, "supine", "back"), (9.2, "note", "a & b"),
    ]  # fmt: skip
    found = [(patient, hour, f"2021-03-01 {10 + hour:05.2f}Z", kind, text) for patient in patients
             for hour, kind, text in told]  # fmt: skip
    return pd.DataFrame(found, columns=COLUMNS["events"].split())


def recordings_of(patients: tuple[str, ...]) -> pd.DataFrame:
    found = [
        (
            patient, f"/home/ward/Jane Doe/{patient}.csv", f"{number:02x}" * 32, "csv", "vent", "bench", "100",
            "2021-03-01 08:30:00Z", 11.1, 15900, 0.987, 2, 3 if number == 1 else 0,
            0, "", "line 20113: cut & short" if number == 1 else "",
        )
        for number, patient in enumerate(patients)
    ]  # fmt: skip
    return pd.DataFrame(found, columns=COLUMNS["recordings"].split())


def withheld_of(patients: tuple[str, ...]) -> pd.DataFrame:
    found = [
        (patient, key, reason, words, 120, 0.0075)
        for patient in patients
        for key, reason, words in (("pplat", "no_hold", "flow was not stopped"), ("vd_aw", "no_phase3", "no plateau"))
    ]
    return pd.DataFrame(found, columns=COLUMNS["withheld"].split())


def results(
    patients: tuple[str, ...] = ("P1", "P2", "P3", "P4"), *, nothing: bool = False, is_simulated: bool = True
) -> Results:
    """A study of these patients; with ``nothing`` every value is withheld and there is no trend."""
    values = values_of(patients, nothing=nothing)
    changes = changes_of(values)
    none = () if nothing else patients
    return Results(
        title="Prone positioning & dead space",
        is_simulated=is_simulated,
        patients=patients,
        points=POINTS,
        values=values,
        changes=changes,
        cohort=cohort_of(values, changes),
        trend=trend_of(none),
        events=events_of(none),
        recordings=recordings_of(patients),
        withheld=withheld_of(patients),
        notes=("Airway dead space is reported at BTPS.", "P4 was turned <back> early."),
        versions={"ventstream": "0.1.0", "numpy": "2.4.1"},
        settings={"event": "prone", "half_width_min": "15"},
    )
