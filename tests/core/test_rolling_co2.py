"""Fractions and mixed pressures over a window are weighted by volume, amounts by time (algorithms §8.1)."""

from __future__ import annotations

import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Lung, Scenario, Ventilator
from streamer.core.bed import Bed
from streamer.model.context import Context
from streamer.model.records import BreathRecord, Summary


def test_windows_are_totals_over_totals() -> None:
    """Breaths of 300 and 600 mL, ten of each in turn: a plain mean of their fractions would be another number."""
    parts = tuple(
        Segment(
            at_s=40.0 * k,
            lung=Lung(compliance_ml_cmh2o=50.0, resistance_cmh2o_s_l=12.0),
            ventilator=Ventilator(rate_per_min=15.0, tidal_volume_ml=300.0 if k % 2 else 600.0, flow_l_min=36.0),
            capnogram=Capnogram(),
        )
        for k in range(8)
    )
    context = Context(co2_kind="mainstream", co2_scale="BTPS")
    bed = Bed("b", context=context)
    made = Scenario(duration_s=330.0, segments=parts)
    events = [event for chunk in simulate(made).chunks(1.0) for event in bed.push(chunk)] + bed.close()
    breaths = [event for event in events if isinstance(event, BreathRecord)]
    window = next(
        event for event in events if isinstance(event, Summary) and event.window == "5m" and event.end_s == 310
    )
    inside = [one for one in breaths if window.start_s < one.end_s <= window.end_s and "vd_vt_bohr" in one.values]
    volume = sum(one.values["vt_exp"] for one in inside)

    def weighted(key: str) -> float:
        return sum(one.values[key] * one.values["vt_exp"] for one in inside) / volume

    assert window.stats["vd_vt_bohr"].mean == pytest.approx(weighted("vd_vt_bohr"), rel=1e-9)
    assert window.stats["vd_vt_bohr"].median is None
    plain = sum(one.values["vd_vt_bohr"] for one in inside) / len(inside)
    assert abs(weighted("vd_vt_bohr") - plain) > 0.03
    with_co2 = [one for one in breaths if window.start_s < one.end_s <= window.end_s and "vtco2" in one.values]
    total = sum(one.values["vtco2"] for one in with_co2) / sum(one.values["ttot"] for one in with_co2) * 60.0
    assert window.stats["vco2"].mean == pytest.approx(total, rel=1e-9)
    mixed = sum(one.values["pco2_mixed_exp"] * one.values["vt_exp"] for one in with_co2)
    assert window.stats["pco2_mixed_exp"].mean == pytest.approx(
        mixed / sum(o.values["vt_exp"] for o in with_co2), rel=1e-9
    )
    assert window.stats["vd_aw"].median == pytest.approx(150.0, abs=2.0)
