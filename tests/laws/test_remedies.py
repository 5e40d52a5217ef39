"""Each suspicion names what to do; done to the letter, it is gone and the table is right. Flow of either sign."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.recordings.open import open_recording
from adapters.simulator import simulate
from adapters.simulator.scenario import Scenario, Sensor, Ventilator
from streamer.analysis.run_recording import Job, Row, examine
from streamer.cli.commands.convert import convert
from streamer.cli.commands.emulate import played
from streamer.core.bed import Bed
from streamer.core.session_events import ContextChange
from streamer.core.signal_checks import RULES
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context
from streamer.model.errors import ConfigError
from streamer.model.records import BreathRecord, Event, Notice
from tests.support.format_seeds import SEEDS
from tests.support.gas_conditions import planned
from tests.support.simulated import lung, segment
from tests.support.streams import random_cuts

PCV = Path(__file__).parents[2] / "replay_data" / "pcv.csv"
TURNED = Context(flow_sign="inspiration_negative")
Columns = dict[str, np.ndarray]


def recorded() -> Columns:
    """Half a minute, in canonical columns."""
    names = PCV.read_text().partition("\n")[0].split(",")
    values = np.loadtxt(PCV, delimiter=",", skiprows=1, max_rows=1500)
    return dict(zip(names, values.T, strict=True))


TIME, PAW, FLOW, PCO2 = "time_s", "paw_cmh2o", "flow_l_min", "pco2_mmhg"


def write(path: Path, columns: Columns) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".npz":
        np.savez(path, **columns)  # type: ignore[arg-type]
    elif path.suffix == ".jsonl":
        rows = zip(*(samples.tolist() for samples in columns.values()), strict=True)
        path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    else:
        text = "\n".join(",".join(f"{x:.17g}" for x in row) for row in zip(*columns.values(), strict=True))
        path.write_text(",".join(columns) + "\n" + text + "\n")
    return path


def read(path: Path) -> tuple[list[Row], Mapping[str, str]]:
    """Rows of its table, and suspicions: rule → text."""
    rows: list[Row] = []
    found = examine(Job(path=path, format_name=None, rate_hz=None, context=None), on_breath=rows.append)
    assert found.error is None
    return rows, {doubt.code: doubt.detail for doubt in found.doubts if doubt.kind == "suspicion"}


def numbers(rows: Sequence[Row], leave: Sequence[str] = ("recording", "session", "bed", "doubts")) -> list[Row]:
    return [{key: value for key, value in row.items() if key not in leave} for row in rows]


def say(path: Path, text: str) -> None:
    path.with_suffix(".toml").write_text(text + "\n")


UNITS: dict[str, tuple[str, float, str]] = {
    "flow_too_large": (FLOW, 1.0, "flow_l_s"),
    "flow_too_large in mL": (FLOW, 1000.0 / 60.0, "flow_l_s"),
    "flow_too_small": (FLOW, 1.0 / 60.0, FLOW),
    "flow_too_small in L/min": (FLOW, 1.0, "flow_ml_s"),
    "paw_too_large": (PAW, 98.0665, PAW),
    "paw_too_small": (PAW, 0.0980665, PAW),
    "pco2_too_small": (PCO2, 0.1333223874, PCO2),
    "pco2_too_small in percent": (PCO2, 100.0 / 760.0, PCO2),
    "pco2_too_large": (PCO2, 133.3223874, PCO2),
}
"""Rule → which column, in another unit, under which wrong name."""
ADULT = '[context]\npatient_class = "adult"'
"""By its class, flow that is small may be that of another one."""


@pytest.mark.parametrize("case", UNITS)
def test_a_wrong_unit_is_named_as_the_suspicion_says(case: str, tmp_path: Path) -> None:
    name, scale, wrong = UNITS[case]
    rule, good = case.split(maxsplit=1)[0], recorded()
    for file in ("good.csv", "bad.csv"):
        say(tmp_path / file, ADULT)
    right, doubts = read(write(tmp_path / "good.csv", good))
    assert not doubts
    path = write(
        tmp_path / "bad.csv", {wrong if key == name else key: good[key] for key in good} | {wrong: good[name] * scale}
    )
    detail = read(path)[1][rule]
    found = re.search(
        r'columns = \{ "its name" = "(\w+)", … \} under \[recording\] in the sidecar(?:, or (\w+))?', detail
    )
    assert found is not None
    tables = []
    for said in filter(None, found.groups()):
        mapping = ", ".join(f'"{key}" = "{said if key in {wrong, name} else key}"' for key in read_names(path))
        say(path, f"[recording]\ncolumns = {{ {mapping} }}\n{ADULT}")
        rows, doubts = read(path)
        if not doubts:
            tables.append(rows)
    assert any(close(numbers(table), numbers(right)) for table in tables)


def read_names(path: Path) -> list[str]:
    return path.read_text().partition("\n")[0].split(",")


def close(found: list[Row], expected: list[Row]) -> bool:
    def is_close(one: object, other: object) -> bool:
        return one == pytest.approx(other, rel=1e-6) if isinstance(one, float) else one == other

    return len(found) == len(expected) and all(
        is_close(one[key], other[key]) for one, other in zip(found, expected, strict=True) for key in other
    )


@pytest.mark.parametrize(("rule", "first", "second"), [("swapped", FLOW, PAW), ("paw_is_co2", PAW, PCO2)])
def test_columns_that_are_exchanged_are_named_so(rule: str, first: str, second: str, tmp_path: Path) -> None:
    good = recorded()
    right, _ = read(write(tmp_path / "good.csv", good))
    path = write(tmp_path / "bad.csv", good | {first: good[second], second: good[first]})
    assert f'columns = {{ "its name" = "{PAW}", … }}' in read(path)[1][rule]
    other = {first: second, second: first}
    say(path, "[recording]\ncolumns = { " + ", ".join(f'"{key}" = "{other.get(key, key)}"' for key in good) + " }")
    rows, doubts = read(path)
    assert not doubts
    assert close(numbers(rows), numbers(right))


def test_absolute_pressure_is_subtracted_from(tmp_path: Path) -> None:
    good = recorded()
    right, _ = read(write(tmp_path / "good.csv", good))
    path = write(tmp_path / "bad.csv", good | {PAW: good[PAW] + 1033.0})
    assert "subtract the ambient pressure" in read(path)[1]["paw_absolute"]
    rows, doubts = read(write(path, good | {PAW: good[PAW] + 1033.0 - 1033.0}))
    assert not doubts
    assert close(numbers(rows), numbers(right))


SENSORS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "paw_clipped": (PAW, lambda x: np.minimum(x, 15.0)),
    "paw_frozen": (PAW, np.zeros_like),
    "paw_wraps": (PAW, lambda x: (x + 14.0) % 28.0 - 14.0),
    "pco2_clipped": (PCO2, lambda x: np.minimum(x, 35.0)),
    "pco2_frozen": (PCO2, np.zeros_like),
    "pco2_wraps": (PCO2, lambda x: (x + 33.0) % 66.0 - 33.0),
}


@pytest.mark.parametrize("rule", SENSORS)
def test_a_broken_sensor_is_left_out(rule: str, tmp_path: Path) -> None:
    name, fault = SENSORS[rule]
    good = recorded()
    right, _ = read(write(tmp_path / "good.csv", {key: good[key] for key in good if key != name}))
    path = write(tmp_path / "bad.csv", good | {name: fault(good[name])})
    assert "list the other columns under [recording]" in read(path)[1][rule]
    say(path, "[recording]\ncolumns = { " + ", ".join(f'"{key}" = "{key}"' for key in good if key != name) + " }")
    rows, doubts = read(path)
    assert not doubts
    assert numbers(rows) == numbers(right)


def test_every_suspicion_says_what_to_do() -> None:
    tried = {case.split()[0] for case in UNITS} | set(SENSORS) | {"swapped", "paw_is_co2", "paw_absolute"}
    tried |= {"flow_reversed", "paw_stuck", "pco2_stuck"}  # below; as frozen
    left = set(RULES) - tried
    assert left == {"flow_wraps", "flow_clipped", "flow_stuck", "flow_frozen", "flow_outward"}, "no setting mends them"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz", ".jsonl"])
def test_reversed_flow_is_turned_as_the_suspicion_says(suffix: str, tmp_path: Path) -> None:
    good = recorded()
    right, _ = read(write(tmp_path / f"good{suffix}", good))
    path = write(tmp_path / f"bad{suffix}", good | {FLOW: -good[FLOW]})
    detail = read(path)[1]["flow_reversed"]
    (line,) = re.findall(r'(flow_sign = "\w+") under \[context\] in the sidecar', detail)
    say(path, f"[context]\n{line}")
    rows, doubts = read(path)
    assert not doubts
    assert numbers(rows) == numbers(right)
    assert [row["vt_insp"] for row in rows[1:-1] if row["vt_insp"]], "there is something to compare"


def test_a_sign_that_is_wrongly_stated_is_taken_out_again(tmp_path: Path) -> None:
    path = write(tmp_path / "good.csv", recorded())
    say(path, '[context]\nflow_sign = "inspiration_negative"')
    detail = read(path)[1]["flow_reversed"]
    assert detail.endswith('flow_sign = "inspiration_negative" turns it: take that line out of [context].')


def test_what_is_converted_or_played_is_positive_inward(tmp_path: Path) -> None:
    good = recorded()
    path = write(tmp_path / "bad.csv", good | {FLOW: -good[FLOW]})
    say(path, '[context]\nflow_sign = "inspiration_negative"')
    assert convert(path, tmp_path / "out.csv", format_name=None, rate_hz=None, context=None) == 0
    again = open_recording(tmp_path / "out.csv")
    assert again.sidecar.context.flow_sign is None
    for items in (again.items(), played(open_recording(path), loop=False)):
        flow = np.concatenate([item.channels[Channel.FLOW] for item in items if isinstance(item, Chunk)])
        assert flow * 60.0 == pytest.approx(good[FLOW])


def events(chunks: Sequence[Chunk], context: Context | None = None) -> list[Event]:
    bed = Bed("a", context=context)
    return [event for chunk in chunks for event in bed.push(chunk)] + bed.close()


def negative(chunk: Chunk) -> Chunk:
    return Chunk(
        source=chunk.source,
        start_s=chunk.start_s,
        rate_hz=chunk.rate_hz,
        channels={name: -own if name is Channel.FLOW else own for name, own in chunk.channels.items()},
    )


@pytest.mark.parametrize("name", SEEDS)
def test_every_format_may_be_turned(name: str, tmp_path: Path) -> None:
    seed = SEEDS[name]
    path = seed.put(tmp_path)
    recording = open_recording(path, format_name=seed.format, rate_hz=seed.rate_hz)
    chunks = [item for item in recording.items() if isinstance(item, Chunk)]
    assert events([negative(chunk) for chunk in chunks], TURNED) == events(chunks)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 99), st.sampled_from(["vcv", "pcv"]), st.floats(50, 200), st.sampled_from(["ATPS", "STPD"]))
def test_a_live_bed_turned_gives_the_same_however_it_is_cut(seed: int, mode: str, rate_hz: float, gas: str) -> None:
    ventilator = Ventilator(mode=mode, rate_per_min=15, tidal_volume_ml=450, flow_l_min=40)  # type: ignore[arg-type]
    part = segment(lung(0.05, 10.0), ventilator, Sensor(flow_noise_l_min=0.5, paw_noise_cmh2o=0.1))
    (whole,) = simulate(Scenario(duration_s=25, rate_hz=rate_hz, seed=seed, segments=(part,))).chunks(1000.0)
    known = {"flow_conditions": gas, "ambient_c": 22.0, "standard_c": 0.0}
    right = events([whole], Context(**known))  # type: ignore[arg-type]
    turned = negative(whole)
    cuts = random_cuts(len(whole), seed)
    parts = [turned.cut(first, last) for first, last in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = events(parts, Context(flow_sign="inspiration_negative", **known))  # type: ignore[arg-type]
    assert found == right
    assert sum(isinstance(event, BreathRecord) for event in found) >= 5


def test_the_sign_is_a_beds_and_does_not_change_within_a_session(tmp_path: Path) -> None:
    source = 'adapter = "json_lines", port = "tcp://localhost:9"'
    plan = planned(tmp_path, source, 'flow_sign = "inspiration_negative"')
    assert plan.context == TURNED
    with pytest.raises(ConfigError, match="flow_sign acts on the samples"):
        Bed("a").tell(ContextChange(at_s=0.0, context=TURNED, keys=frozenset({"flow_sign"})))
    with pytest.raises(ConfigError, match="flow_sign"):
        Context(flow_sign="outward")  # type: ignore[arg-type]
    assert not [event for event in events([]) if isinstance(event, Notice)]
