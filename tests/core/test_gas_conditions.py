"""What a source cannot say of its gas: barometric pressure and standard litres, from the bed's context or told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.decoding.contract import ReadOptions
from adapters.decoding.json_stream import Decoder
from adapters.devices import json_lines, mqtt_samples
from adapters.recordings.open import chunks, open_recording
from streamer import Bed, Chunk, Context, Notice
from streamer.model.chunk import Channel
from streamer.model.errors import ConfigError, DecodeError
from tests.support.adapter_contract import decoded
from tests.support.gas_conditions import planned

TIMES = np.arange(300) / 100
LIVE = {"json_lines": 'port = "tcp://localhost:9"', "mqtt_samples": 'url = "mqtt://localhost", topic = "x"'}


def notes(bed: Bed, chunk: Chunk) -> list[Notice]:
    return [event for event in (*bed.push(chunk), *bed.close()) if isinstance(event, Notice)]


def flow_chunk() -> Chunk:
    return Chunk(source="x", start_s=0.0, rate_hz=100.0, channels={Channel.FLOW: np.sin(TIMES)})


@pytest.mark.parametrize(("standard_c", "assumes"), [(None, ["standard_c"]), (0.0, []), (20.0, [])])
def test_standard_litres_of_no_known_temperature_are_told_once(standard_c: float | None, assumes: list[str]) -> None:
    bed = Bed("one", context=Context(flow_conditions="STPD", standard_c=standard_c))
    found = notes(bed, flow_chunk())
    assert [note.values["assumes"] for note in found if "assumes" in note.values] == assumes


def test_body_conditions_assume_nothing() -> None:
    assert not [note for note in notes(Bed("one"), flow_chunk()) if "assumes" in note.values]


def test_co2_in_percent_of_a_recording_is_of_the_beds_barometric_pressure(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time_s,flow_l_s,pco2_percent\n" + "".join(f"{t},0.1,5.0\n" for t in TIMES), encoding="utf-8")
    source = 'adapter = "recording", path = "a.csv"'

    async def pco2(plan: Any) -> float:
        async for item in chunks(plan.sources[0].options):
            if isinstance(item, Chunk):
                return float(item.channels[Channel.PCO2][0])
        raise AssertionError

    assert asyncio.run(pco2(planned(tmp_path, source))) == 38.0
    assert asyncio.run(pco2(planned(tmp_path, source, "barometric_mmhg = 600"))) == 30.0
    (tmp_path / "a.toml").write_text("[context]\nbarometric_mmhg = 700\n", encoding="utf-8")
    assert asyncio.run(pco2(planned(tmp_path, source))) == 35.0
    assert asyncio.run(pco2(planned(tmp_path, source, "barometric_mmhg = 600"))) == 30.0


@pytest.mark.parametrize("adapter", LIVE)
def test_live_sources_know_the_beds_barometric_pressure_and_say_that_slm_is_standard_gas(
    tmp_path: Path, adapter: str
) -> None:
    columns = 'columns = { "t" = "time_s", "f" = "flow_slm", "c" = "pco2_percent" }'
    plan = planned(tmp_path, f'adapter = "{adapter}", {LIVE[adapter]}, {columns}', "barometric_mmhg = 600")
    assert plan.sources[0].options.barometric_mmhg == 600
    assert plan.context.flow_conditions == "STPD"
    stated = planned(tmp_path, f'adapter = "{adapter}", {LIVE[adapter]}, {columns}', 'flow_conditions = "BTPS"')
    assert stated.context.flow_conditions == "BTPS"


@pytest.mark.parametrize("context", ["", "barometric_mmhg = 600"])
def test_a_source_that_reads_no_co2_in_percent_is_left_as_it_is(tmp_path: Path, context: str) -> None:
    options = planned(tmp_path, 'adapter = "pb840", port = "tcp://localhost:9"', context).sources[0].options
    assert not hasattr(options, "barometric_mmhg")


@pytest.mark.parametrize("pressure", [0.0, -5.0, 101.3, 1013.0])
def test_a_pressure_that_no_air_has_is_refused(pressure: float) -> None:
    for make in (
        lambda: json_lines.Settings(port="tcp://localhost:9", barometric_mmhg=pressure),
        lambda: mqtt_samples.Settings(url="mqtt://localhost", topic="x", barometric_mmhg=pressure),
    ):
        with pytest.raises(ConfigError, match="300 to 900 mmHg"):
            make()


def lines(**fields: float) -> bytes:
    return "".join(json.dumps({"time_s": t, **fields}) + "\n" for t in TIMES).encode()


def test_co2_in_percent_from_json_is_told_and_of_the_barometric_pressure() -> None:
    found = decoded(lambda: Decoder(ReadOptions(barometric_mmhg=600.0)), [lines(pco2_percent=5.0)])
    assert found.samples(Channel.PCO2)[0] == 30.0
    assert "of 600 mmHg" in found.notices[0][1].detail


def test_recorded_json_in_slm_is_standard_gas_and_a_stream_has_to_be_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"about": "else"}\n' + lines(flow_slm=60.0))
    assert open_recording(path, format_name="json_lines").sidecar.context.flow_conditions == "STPD"
    with pytest.raises(DecodeError, match=r"columns = .*flow_slm"):
        Decoder(ReadOptions(), live=True).feed(lines(flow_slm=60.0))
    columns = {"time_s": "time_s", "flow_slm": "flow_slm"}
    assert Decoder(ReadOptions(columns=columns), live=True).feed(lines(flow_slm=60.0))


def test_flow_that_changes_its_gas_on_the_way_is_damage() -> None:
    later = b'{"time_s": 3.0, "flow_l_min": 60}\n'
    found = decoded(lambda: Decoder(ReadOptions()), [lines(flow_slm=60.0) + later])
    assert any("another gas" in notice.detail for _, notice in found.notices)
