"""Simulated lungs for tests: through the public path to records, each beside its truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapters.simulator import Simulation, simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Lung, Scenario, Sensor, Ventilator
from adapters.simulator.truth import BreathTruth
from streamer.core.bed import Bed
from streamer.model.chunk import Channel, FloatArray
from streamer.model.context import BloodGas, Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord

PASSIVE = Context(passive="asserted", sensor_site="wye")


def records(scenario: Scenario, context: Context = PASSIVE, gases: Sequence[BloodGas] = ()) -> list[BreathRecord]:
    """Complete breaths."""
    bed = Bed("oracle", context=context, blood_gases=gases)
    events = [event for chunk in simulate(scenario).chunks(1.0) for event in bed.push(chunk)] + bed.close()
    return [event for event in events if isinstance(event, BreathRecord) and Flag.TRUNCATED not in event.flags]


def with_truth(scenario: Scenario) -> list[tuple[BreathRecord, BreathTruth]]:
    """Each complete breath with the true one that begins nearest; all of them have to be there, and no others."""
    truths = simulate(scenario).truth.breaths
    pairs = [(record, min(truths, key=lambda t: abs(t.start_s - record.start_s))) for record in records(scenario)]
    assert [truth for _, truth in pairs] == [*truths[1 : len(pairs) + 1]]
    assert len(pairs) >= len(truths) - 3  # without the first, the last, and one that the end left unconfirmed
    return pairs


def segment(lung: Lung, ventilator: Ventilator, sensor: Sensor | None = None, at_s: float = 0.0) -> Segment:
    return Segment(at_s=at_s, lung=lung, ventilator=ventilator, sensor=sensor or Sensor())


def lung(c: float, r: float, r_exp: float | None = None) -> Lung:
    return Lung(compliance_ml_cmh2o=1000 * c, resistance_cmh2o_s_l=r, resistance_exp_cmh2o_s_l=r_exp)


def vcv(  # noqa: PLR0917
    lung: Lung, peep: float, vt: float, flow_l_s: float, rr: float, pause_s: float = 0.0, fall_s: float = 0.0
) -> Segment:
    ventilator = Ventilator(
        rate_per_min=rr,
        peep_cmh2o=peep,
        tidal_volume_ml=vt * 1000,
        flow_l_min=flow_l_s * 60,
        pause_s=pause_s,
        fall_s=fall_s,
    )
    return Segment(lung=lung, ventilator=ventilator)


def pcv(  # noqa: PLR0917
    lung: Lung, peep: float, above: float, ti_s: float, rise_s: float, rr: float, fall_s: float = 0.0
) -> Segment:
    ventilator = Ventilator(
        mode="pcv",
        rate_per_min=rr,
        peep_cmh2o=peep,
        inspiratory_pressure_cmh2o=above,
        ti_s=ti_s,
        rise_s=rise_s,
        fall_s=fall_s,
    )
    return Segment(lung=lung, ventilator=ventilator)


def joined(simulation: Simulation, chunk_s: float = 1.0) -> dict[Channel, FloatArray]:
    chunks = list(simulation.chunks(chunk_s))
    return {name: np.concatenate([chunk.channels[name] for chunk in chunks]) for name in chunks[0].channels}
