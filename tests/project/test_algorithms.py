"""docs/algorithms.md says what the code does: constants, reasons, labels, methods and cited sections."""

from __future__ import annotations

import re

import pytest

from streamer.core.align import AlignSettings
from streamer.core.metrics import METRICS, blood_gas_validity, passive_estimate, power_cross_check, volume_balance
from streamer.core.metrics.dead_space import AGREE_SHARE, AGREE_VOLUME, BOHR, DEAD_ML
from streamer.core.rolling import RollingSettings
from streamer.core.segment import SegmentSettings
from streamer.model.context import PointSettings
from streamer.model.reasons import Reason
from streamer.model.records import Flag
from streamer.model.units import JOULE_PER_L_CMH2O
from tests.support.pages import REPO

DASHES = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
PAGE = (REPO / "docs" / "algorithms.md").read_text(encoding="utf-8").translate(DASHES)
CITED = re.compile(r"algorithms(?:\.md)? §(\d+(?:\.\d+)?)")
ALIGN, SEGMENT, ROLLING, POINTS = AlignSettings(), SegmentSettings(), RollingSettings(), PointSettings()
LEAST_RATIO, MOST_RATIO = passive_estimate.MIN_R_RATIO, passive_estimate.MAX_R_RATIO

SAID = {
    "K = 0.0980665": JOULE_PER_L_CMH2O == 0.0980665,
    "≤ 40 ms interpolate": ALIGN.fill_s == 0.04,
    "40-200 ms interpolate": ALIGN.gap_short_s == 0.2,
    "> 1 s: segmenter state reset": ALIGN.gap_s == 1.0,
    "|F| ≤ 250 L/min, PCO2 -5…150 mmHg": (ALIGN.max_flow_l_min, ALIGN.min_pco2_mmhg, ALIGN.max_pco2_mmhg)
    == (250.0, -5.0, 150.0),
    "than 6 mL (`co2_sensor_ml`)": ALIGN.co2_sensor_ml == 6.0,
    "| onset / exhale | 2 / 1 |": (SEGMENT.base_flow_l_min, SEGMENT.exhale_flow_l_min) == (2.0, 1.0),
    "| trigger / deliver | 6 / 8 |": (SEGMENT.trigger_flow_l_min, SEGMENT.deliver_flow_l_min) == (6.0, 8.0),
    "| cycle / restack | 3 / 10 |": (SEGMENT.cycle_flow_l_min, SEGMENT.restack_flow_l_min) == (3.0, 10.0),
    "20 L/min or more needs 3 mL": (SEGMENT.forced_flow_l_min, SEGMENT.forced_ml) == (20.0, 3.0),
    "breath open for 15 s": SEGMENT.apnoea_s == 15.0,
    "0-20 L/min per sqrt(cmH2O)": SEGMENT.max_leak_l_min == 20.0,
    "over the last ten breaths, used from the third on": (SEGMENT.leak_breaths, SEGMENT.settled_breaths) == (10, 3),
    "rise of P of 3.5 cmH2O": SEGMENT.pressure_rise_cmh2o == 3.5,
    "A: R² ≥ 0.98, RMSE ≤ 0.5 cmH2O": (passive_estimate.MIN_R2_A, passive_estimate.MAX_RMSE_A) == (0.98, 0.5),
    "B: R² ≥ 0.95, RMSE ≤ max(0.8, 5 % of Pmax - P0)": (
        passive_estimate.MIN_R2, passive_estimate.MAX_RMSE, passive_estimate.MAX_RMSE_SHARE) == (0.95, 0.8, 0.05),
    "0 ≤ Ri ≤ 60; 0 ≤ Re ≤ 100": (passive_estimate.MAX_RI, passive_estimate.MAX_RE) == (60.0, 100.0),
    "condition number (unit-norm columns) ≤ 30": passive_estimate.MAX_CONDITION == 30.0,
    "Te ≥ 0.5 s; leak_frac ≤ 0.2": (passive_estimate.MIN_TE_S, passive_estimate.MAX_LEAK) == (0.5, 0.20),
    "(0.4-1.6; 0.25-1.6 of `slope_vcv`": (LEAST_RATIO, MOST_RATIO, passive_estimate.MIN_R_RATIO_SLOPE)
    == (0.4, 1.6, 0.25),
    "differ by > 15 %": passive_estimate.MAX_WIDE == 0.15,
    "stale after 60 min or any change of VT·RR > 10 %": (
        blood_gas_validity.STALE_S, blood_gas_validity.MAX_CHANGE) == (3600.0, 0.10),
    "warn if > 10 % apart": power_cross_check.MAX_APART == 0.10,
    "Off by > 5 %: B; > 10 %: withheld": (volume_balance.NOTED, volume_balance.REFUSED) == (0.05, 0.10),
    "VDaw is A to 8 mL": DEAD_ML == 8.0,
    "(0.018, 0.030)": BOHR == (0.018, 0.030),
    "Rolling: 1, 5, 15, 60 min": [*ROLLING.windows_s.values()] == [60.0, 300.0, 900.0, 3600.0],
    "sealed every max(10 s, length/30)": ROLLING.min_period_s == 10.0,
    "only if n ≥ 5": ROLLING.min_breaths == 5,
    "`baseline` = [-30, -5] min": POINTS.baseline_min == (-30.0, -5.0),
    "discard 10 min after any position event": POINTS.settle_min == 10.0,
    "t ± 15 min": POINTS.half_width_min == 15.0,
}  # fmt: skip
"""Words of the page → whether the code agrees."""


@pytest.mark.parametrize("words", SAID)
def test_a_constant_is_as_the_page_says(words: str) -> None:
    assert words in PAGE
    assert SAID[words]


def test_two_ways_to_airway_dead_space_agree_within_what_the_pages_say() -> None:
    trust = (REPO / "docs" / "trust.md").read_text(encoding="utf-8")
    assert "more than 2 % of the breath or 10 %" in " ".join(trust.split())
    assert (AGREE_VOLUME, AGREE_SHARE) == (0.02, 0.10)


def test_every_section_that_the_code_cites_is_there() -> None:
    sections = re.split(r"^(?=#+ \d)", PAGE, flags=re.MULTILINE)[1:]
    headings = {found[1] for text in sections if (found := re.match(r"#+ (\d+(?:\.\d+)?)", text))}
    items = {
        f"{text.split()[1].rstrip('.')}.{item}"
        for text in sections
        for item in re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    }
    for package in ("streamer", "adapters", "tests"):
        for path in (REPO / package).rglob("*.py"):
            cited = set(CITED.findall(path.read_text(encoding="utf-8")))
            assert cited <= headings | items, path


def test_every_reason_and_label_has_its_rule() -> None:
    reasons = PAGE[PAGE.index("| reason code |") : PAGE.index("Failure modes that look")]
    assert [reason.value for reason in Reason if f"`{reason.value}`" not in reasons] == []
    assert [flag.value for flag in Flag if f"`{flag.value}`" not in PAGE] == []


def test_every_estimator_that_is_published_is_described() -> None:
    methods = METRICS["crs_est"].methods
    assert [method for method in methods if f"| `{method}` |" not in PAGE] == []
