"""What a cohort has in common: by its number of patients (algorithms §8.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from streamer.model.context import PointSettings
from streamer.study.frames import frames
from tests.support.study_breaths import patient

SETTINGS = PointSettings(hours={"prone": (1.0,)})


def cohort(bohr: list[tuple[float, float]]) -> dict[str, pd.DataFrame]:
    def course(before: float, after: float) -> Any:
        return lambda hours: before if hours < 0 else after

    timelines = [
        patient(label=f"P{n}", hours=((-0.6, 0.0), (0.7, 1.3)), values={"vd_vt_bohr": course(*pair)})
        for n, pair in enumerate(bohr)
    ]
    return frames(timelines, [0.0] * len(timelines), SETTINGS)


def row(found: dict[str, pd.DataFrame], point: str = "1 h prone") -> pd.Series[Any]:
    table = found["cohort"]
    return table[(table["quantity"] == "vd_vt_bohr") & (table["point"] == point)].iloc[0]


def test_fewer_than_ten_get_median_and_range_and_no_test() -> None:
    few = row(cohort([(0.5, 0.4), (0.4, 0.39), (0.3, 0.5)]))
    assert few["n"] == 3
    assert (few["median"], few["low"], few["high"]) == pytest.approx((0.4, 0.39, 0.5))
    assert few["spread"] == "range"
    assert (few["lower"], few["higher"], few["unchanged"]) == (1, 1, 1)
    assert few["change_median"] == pytest.approx(-0.01)
    assert np.isnan(few["p"])


def test_ten_get_quartiles_and_a_signed_rank_test() -> None:
    pairs = [(0.4 + 0.01 * n, 0.3 + 0.013 * n) for n in range(10)]
    many = row(cohort(pairs))
    after = np.array([pair[1] for pair in pairs])
    assert many["spread"] == "quartiles"
    assert (many["low"], many["high"]) == pytest.approx(tuple(np.quantile(after, (0.25, 0.75))))
    assert many["p"] == pytest.approx(stats.wilcoxon(after - [pair[0] for pair in pairs]).pvalue)
    assert np.isnan(row(cohort(pairs[:9]))["p"])


def test_who_has_no_value_is_not_counted() -> None:
    found = row(cohort([(0.5, 0.4), (np.nan, 0.4), (0.5, np.nan)]))
    assert (found["n"], found["pairs"]) == (2, 1)
    assert row(cohort([(0.5, 0.4), (np.nan, 0.4), (0.5, np.nan)]), "baseline")["n"] == 2


def test_every_value_and_every_comparison_is_a_number_or_a_reason() -> None:
    found = cohort([(0.5, 0.4), (np.nan, 0.4)])
    values, changes = found["values"], found["changes"]
    assert (values["value"].isna() == (values["reason"] != "")).all()
    assert (changes["change"].isna() == (changes["reason"] != "")).all()
    assert len(values) == 2 * 2 * values["quantity"].nunique()
    assert len(changes) == 2 * changes["quantity"].nunique()


def test_a_median_of_patients_measured_in_different_ways_says_so() -> None:
    kinds = ("slope_vcv", "lsf4", "lsf4")
    timelines = [
        patient(label=f"P{n}", hours=((-0.6, 0.0), (0.7, 1.3)), values={"crs_est": 40.0}, methods={"crs_est": kind})
        for n, kind in enumerate(kinds)
    ]
    table = frames(timelines, [0.0] * 3, SETTINGS)["cohort"].set_index(["point", "quantity"])
    assert table.loc[("baseline", "crs_est"), "methods"] == "lsf4 2, slope_vcv 1"
    assert table.loc[("baseline", "vt_exp"), "methods"] == ""


def test_a_trend_tells_where_method_and_sensor_change() -> None:
    timeline = patient(
        hours=((-0.6, 1.3),),
        values={"crs_est": 40.0},
        methods={"crs_est": lambda hours: "slope_vcv" if hours < 0.5 else "lsf4"},
    )
    trend = frames([timeline], [0.0], SETTINGS)["trend"]
    crs = trend[trend["quantity"] == "crs_est"]
    assert list(crs[crs["hours"] < 0.5]["method"].unique()) == ["slope_vcv"]
    assert list(crs[crs["hours"] > 0.5]["method"].unique()) == ["lsf4"]
    assert list(crs["sensor"].unique()) == ["device bench, sensor_site wye, flow_conditions BTPS"]


def test_a_trend_lies_on_one_grid_for_all_patients() -> None:
    timelines = [patient(label="P1", hours=((-0.6, 1.3),)), patient(label="P2", hours=((-0.53, 1.2),))]
    trend = frames(timelines, [0.0, 0.0], SETTINGS)["trend"]
    bohr = trend[trend["quantity"] == "vd_vt_bohr"]
    assert ((bohr["hours"] * 12 - 0.5) % 1).to_numpy() == pytest.approx(0.0, abs=1e-9)
    first = bohr[bohr["patient"] == "P1"].iloc[1]
    assert (first["value"], first["n"]) == (pytest.approx(0.4), 100)
