"""Scenario files: what they refuse, in one line with its place, and how changes add up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Assist, Relaxation, Scenario, SecondCompartment, Tube, Ventilator
from adapters.simulator.scenario_file import bundled_scenarios, load_scenario
from streamer.model.errors import ConfigError

CO2 = "[capnogram]\n"
DRIFT = "duration_s = 600\n[capnogram]\n[[co2_delay]]\nat_s = 30\ndelay_s = 1\ndrift_ms_per_min = 1000\n"
BASE = "duration_s = 20\n[ventilator]\nrate_per_min = 15\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[lung]\ncompliance = 40\n", ":2: unknown key 'compliance' in [lung]"),
        ("seed = 1\n[lung]\ncompliance_ml_cmh2o = -4\n", ":3: [lung] compliance_ml_cmh2o = -4: expected"),
        (BASE + "tidal_volume_ml = 2500\n", ":3: [ventilator] rate_per_min = 15: inspiration takes 5.00 s"),
        (BASE + '[[change]]\nat_s = 3\nventilator = { mode = "pcv", rise_s = 1.5 }\n', ":6: [[change]]"),
        ("[[change]]\nat_s = 3\n[change.lung]\nresistance = 3\n", ":4: unknown key 'resistance'"),
        ("[[change]]\nlung = {}\n", "missing key 'at_s'"),
        ("[[change]]\nat_s = 3\ncapnogram = {}\n", ":3: [[change]] capnogram: a capnograph"),
        ("[[gap]]\nat_s = 3\nduration_s = 4\n[[gap]]\nat_s = 5\nduration_s = 1\n", ":5: [[gap]]"),
        ("[[effort]]\nat_s = 3\n", "missing key 'amplitude_cmh2o'"),
        ("[[effort]]\namplitude_cmh2o = 5\nrate_per_min = 12\noffset_s = 0.2\n", ":4: [[effort]] offset_s = 0.2: "),
        ("[[effort]]\namplitude_cmh2o = 5\nrate_per_min = 12\nevery = 2\n", "leave out every or rate_per_min"),
        ("[[effort]]\namplitude_cmh2o = 5\nrate_per_min = 90\n", ":3: [[effort]] rate_per_min = 90: one lasts 0.80 s"),
        ('[assist]\ntrigger = "pressure"\n', ":2: [assist] trigger = 'pressure': pressure never falls"),
        ('[ventilator]\nmode = "psv"\nti_s = 4\n', "inspiration takes 4.00 s"),
        ('[ventilator]\nmode = "psv"\nrise_s = 1.2\n', ":3: [ventilator] rise_s = 1.2: the rise is longer"),
        ("[[suction]]\nat_s = 3\nduration_s = 2\npressure_cmh2o = 4\n", ":4: [[suction]] pressure_cmh2o = 4: expected"),
        ("[second_compartment]\ncompliance = 4\n", ":2: unknown key 'compliance' in [second_compartment]"),
        ("[rebreathing]\nvolume_ml = 9\n", ":1: [rebreathing]: nothing shows it without a [capnogram]"),
        ("[[change]]\nat_s = 3\ncardiogenic = {}\n", ":3: [[change]] cardiogenic: nothing shows it without"),
        ("[capnogram]\n[gas_exchange]\nshunt = 0.2\n", ":3: unknown key 'shunt' in [gas_exchange]"),
        ("[capnogram]\n[gas_exchange]\nunperfused_share = 1\n", ":3: [gas_exchange] unperfused_share = 1: expected"),
        ("[capnograph]\nmixing_s = 0.1\n", ":1: [capnograph]: there is nothing to show without a [capnogram]"),
        ("[[co2_delay]]\nat_s = 3\n", "there is nothing to show without a [capnogram]"),
        (CO2 + "[capnograph]\nclock_ppm = 20\n", ":3: [capnograph] clock_ppm = 20: a clock of its own belongs to"),
        (CO2 + '[capnograph]\nscale = "wet"\n', ":3: [capnograph] scale"),
        ("co2_delay_s = -0.1\n[capnogram]\n[capnograph]\nflow_per_cmh2o = 0.01\n", ":4: [capnograph] flow_per_cmh2o"),
        (CO2 + "[[co2_delay]]\ndelay_s = 1\n", "missing key 'at_s'"),
        (CO2 + "[[co2_delay]]\nat_s = 3\ndelay_s = 11\n", ":4: [[co2_delay]] delay_s = 11: expected"),
        (
            CO2 + "[[co2_delay]]\nat_s = 9\n[[co2_delay]]\nat_s = 3\n",
            ":5: [[co2_delay]] at_s = 3: begins before the one above",
        ),
        (
            DRIFT,
            ":6: [[co2_delay]] drift_ms_per_min = 1000: the delay drifts to 10.50 s; it may lie between -1 and 10 s",
        ),
        ("[ringing]\nrate_hz = 0\n", ":2: [ringing] rate_hz = 0: expected"),
        ("[water]\namplitude = 1\n", ":2: unknown key 'amplitude' in [water]"),
        ("[paw_sensor]\nwraps = [5, 5]\n", ":2: [paw_sensor] wraps: the lower end of its range comes first"),
        ("[flow_sensor]\nlowest = 5\nhighest = 4\n", ":2: [flow_sensor] lowest = 5: is not below highest"),
        ("[pco2_sensor]\ngain = 2\n", ":1: [pco2_sensor]: nothing shows it without a [capnogram]"),
        ("[ventilator]\nmode = 'psv'\nsimv_support_cmh2o = 5\n", ":3: [ventilator] simv_support_cmh2o = 5: mandatory"),
        (
            "[ventilator]\nsigh_every = 5\nsigh_factor = 3\nflow_l_min = 20\nrate_per_min = 20\n",
            ":3: [ventilator] sigh_",
        ),
        ("[[fault]]\nat_s = 3\nduration_s = 4\nevery_s = 4\n", ":4: [[fault]] every_s = 4: it comes again before"),
        ("[[fault]]\nat_s = 3\nduration_s = 4\nkind = 'noise'\n", ":4: [[fault]] kind"),
        ('exchanged = ["paw", "paw"]\n', ":1: exchanged: name two channels"),
        ("rate_hz = 5\n", ":1: rate_hz = 5: expected"),
        ("duration_s = \n", ":1: not TOML"),
    ],
)
def test_a_bad_scenario_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_scenario(path)
    assert "\n" not in str(error.value)
    assert told in str(error.value)


def test_a_change_names_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(
        "[lung]\ncompliance_ml_cmh2o = 40\n[ventilator]\npeep_cmh2o = 7\n"
        "[[change]]\nat_s = 5\nlung = { resistance_cmh2o_s_l = 20 }\n"
        "[[change]]\nat_s = 9\nventilator = { peep_cmh2o = 9 }\n",
        encoding="utf-8",
    )
    parts = [(s.at_s, s.lung.compliance_ml_cmh2o, s.lung.resistance_cmh2o_s_l, s.ventilator.peep_cmh2o)
             for s in load_scenario(path).segments]  # fmt: skip
    assert parts == [(0, 40, 10, 7), (5, 40, 20, 7), (9, 40, 20, 9)]


def test_tables_that_are_absent_by_default_come_with_a_change(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(
        "[relaxation]\n[[change]]\nat_s = 5\nrelaxation = { stiffness_cmh2o_l = 0 }\ntube = { k2_cmh2o_s2_l2 = 6 }\n"
        "[[change]]\nat_s = 9\nsecond_compartment = { compliance_ml_cmh2o = 12 }\nassist = {}\n",
        encoding="utf-8",
    )
    first, second, third = load_scenario(path).segments
    assert (first.relaxation, first.tube, first.assist) == (Relaxation(), None, None)
    assert (second.relaxation, second.tube) == (Relaxation(stiffness_cmh2o_l=0), Tube(k2_cmh2o_s2_l2=6))
    assert third.relaxation == second.relaxation
    assert (third.second_compartment, third.assist) == (SecondCompartment(compliance_ml_cmh2o=12), Assist())


def test_the_examples_of_the_guide_can_be_simulated(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- scenario -->\n```toml\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        path = tmp_path / "example.toml"
        path.write_text(block, encoding="utf-8")
        truth = simulate(load_scenario(path)).truth
        assert (max(breath.effort or 0 for breath in truth.breaths) > 4) == ("[[effort]]" in block)
        assert all((breath.co2 is not None) == ("[capnogram]" in block) for breath in truth.breaths)
        assert len({effort.effort for effort in truth.efforts}) == block.count("[[effort]]")


def test_an_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(ConfigError, match=r"no scenario of this name; bundled: .*vcv_hold"):
        load_scenario("vcv_old")
    assert "vcv_hold" in bundled_scenarios()


def test_contradictions_built_in_code_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"leaves 1\.90 s at most"):
        Scenario(segments=(Segment(ventilator=Ventilator(tidal_volume_ml=1000, rate_per_min=30)),))
