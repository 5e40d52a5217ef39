from __future__ import annotations

import subprocess
import sys

import pytest

from streamer.core.metrics import HELD, METRICS, WEIGHTED_BY, BreathFeatures
from streamer.core.metrics.registry import Metric, NotMeasurable, in_order
from streamer.model.reasons import Reason
from tests.support.declared_metrics import declare

KEYS = """
ti ti_flow t_pause te ttot ie_ratio rr vt_insp vt_exp vt vt_pbw leak_frac flow_zero minute_volume ppeak pmean peep pplat
pplat_se peep_total
auto_peep driving_pressure crs cdyn rrs crs_est peep_total_est pplat_est driving_pressure_est rrs_insp_est rrs_exp_est
tau_exp stress_index fit_r2 fit_rmse energy mp mp_dyn mp_loop energy_per_litre mp_surrogate
mp_peep mp_elastic mp_resistive mp_pbw mp_crs petco2 pico2 vent_ratio pf_ratio
oxygenation_index vd_vt_enghoff vd_alv
co2_delay pco2_alv pco2_mixed_exp vtco2 vco2 vd_aw vd_aw_fit vd_aw_sd vt_alv vd_vt_bohr slope_2 slope_3 sn_3
"""


def test_keys_are_those_of_this_version() -> None:
    assert set(METRICS) == set(KEYS.split())


@pytest.mark.parametrize("one", METRICS.values(), ids=METRICS)
def test_each_says_what_it_is(one: Metric) -> None:
    assert one.about
    assert not one.about.endswith(".")
    assert one.unit
    assert one.ucum
    assert one.formula.__doc__
    assert one.bounds[0] < one.bounds[1]


def test_weights_and_holds() -> None:
    assert dict(WEIGHTED_BY) == {
        "rr": "ttot", "minute_volume": "ttot", "mp": "ttot", "mp_dyn": "ttot", "mp_loop": "ttot",
        "mp_surrogate": "ttot", "mp_peep": "ttot", "mp_elastic": "ttot", "mp_resistive": "ttot", "mp_pbw": "ttot",
        "mp_crs": "ttot", "energy_per_litre": "vt", "vent_ratio": "ttot", "vd_vt_enghoff": "vt_exp",
        "pco2_mixed_exp": "vt_exp", "vd_vt_bohr": "vt_exp", "vco2": "ttot",
    }  # fmt: skip
    assert {"pplat", "pplat_se", "peep_total", "auto_peep", "driving_pressure", "crs", "rrs"} == HELD


def test_each_comes_after_what_it_needs() -> None:
    seen: set[str] = set()
    for one in in_order(METRICS):
        assert seen.issuperset(METRICS.keys() & {*one.needs, *one.also})
        seen.add(one.key)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ([declare("a", "nowhere")], "'a' needs 'nowhere'"),
        ([declare("a", also=("nowhere",))], "'a' needs 'nowhere'"),
        ([declare("a", "b"), declare("b", "a")], "need each other"),
        ([declare("a", "breath", maybe=("breath",))], "'a' may do without 'breath'"),
        ([declare("a", "breath", maybe=("b",)), declare("b", "breath")], "'a' may do without 'b'"),
        ([declare("insp_volume", "breath")], "has the name of a fold"),
        ([declare("a", "breath", weighted_by="b")], "weighted by 'b'"),
    ],
)
def test_mistakes_are_found_at_import(metrics: list[Metric], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        in_order({one.key: one for one in metrics})


def test_reading_the_list_needs_no_compiler() -> None:
    code = "import sys, streamer.core.metrics as m; assert len(m.METRICS) > 20; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fold_has_no_default() -> None:
    assert not BreathFeatures._field_defaults


def test_a_reason_is_its_code_and_has_a_meaning() -> None:
    assert str(NotMeasurable(Reason.NO_HOLD).reason) == "no_hold"
    assert all(code.meaning and code.value == code for code in Reason)
