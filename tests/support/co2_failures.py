"""Scenarios in which CO2 fails, with records and truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Capnograph, Lung, Scenario, Sensor, Ventilator
from adapters.simulator.truth import BreathTruth, CapnogramTruth
from streamer.core.bed import Bed
from streamer.model.chunk import Chunk
from streamer.model.context import BloodGas, Context
from streamer.model.records import BreathRecord

MAINSTREAM = Context(co2_kind="mainstream", co2_scale="BTPS", barometric_mmhg=760)
NOISE = Sensor(pco2_noise_mmhg=0.3, flow_noise_l_min=0.4, paw_noise_cmh2o=0.1)


def scenario(*, duration_s: float = 150.0, **given: object) -> Scenario:
    parts: dict[str, object] = {
        "ventilator": Ventilator(rate_per_min=14.0, tidal_volume_ml=450.0, peep_cmh2o=8.0),
        "lung": Lung(compliance_ml_cmh2o=45.0, resistance_cmh2o_s_l=12.0),
        "capnogram": Capnogram(dead_space_ml=150.0, plateau_mmhg=34.0, slope_mmhg_l=12.0),
        "sensor": NOISE,
    }
    whole = {key: given.pop(key) for key in list(given) if key in Scenario.__struct_fields__}
    part = Segment(**parts | given)  # type: ignore[arg-type]
    return Scenario(duration_s=duration_s, segments=(part,), **{"capnograph": Capnograph()} | whole)  # type: ignore[arg-type]


def records(
    made: Scenario,
    context: Context = MAINSTREAM,
    *,
    gases: Sequence[BloodGas] = (),
    chunks: Iterable[Chunk] | None = None,
) -> list[BreathRecord]:
    bed = Bed("b", context=context, blood_gases=gases)
    stream = simulate(made).chunks(0.5) if chunks is None else chunks
    events = [event for chunk in stream for event in bed.push(chunk)] + bed.close()
    return [event for event in events if isinstance(event, BreathRecord)]


def true_of(made: Scenario, record: BreathRecord) -> CapnogramTruth:
    truth = true_of_breath(made, record).co2
    assert truth is not None
    return truth


def true_of_breath(made: Scenario, record: BreathRecord) -> BreathTruth:
    return min(simulate(made).truth.breaths, key=lambda one: abs(one.start_s - record.start_s))
