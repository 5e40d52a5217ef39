"""In Python the same rules hold as in TOML and on the command line; a mistake raises where it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamer.core.bed import AlignSettings, Bed, CoreSettings, SegmentSettings
from streamer.files import toml
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import BloodGas, Context, PointSettings, SessionEvent, Sidecar
from streamer.model.errors import ConfigError
from streamer.service.config import load_config

ZEROS = np.zeros(10)


def chunk(channels: Any) -> Chunk:
    return Chunk(source="a", start_s=0.0, rate_hz=50.0, channels=channels)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: Bed("bett 4"), "bed id 'bett 4': use 1 to 64 letters"),
        (lambda: Bed(""), "bed id '': use"),
        (lambda: Bed("status"), "is the name of a topic"),
        (lambda: Bed(4), "bed id '4': use"),
        (lambda: Bed("a", context={"mode": "vcv"}), "expected a Context(…), not a dict"),
        (lambda: Bed("a", events=[{"kind": "prone"}]), "expected a SessionEvent(…), not a dict"),
        (lambda: Bed("a", blood_gases=[(1.0, 40.0)]), "expected a BloodGas(…), not a tuple"),
        (lambda: Context(height_cm=1.7), "height_cm = 1.7: expected a number >= 20 (cm; 1.62 m is 162)"),
        (lambda: Context(height_cm="170"), "height_cm = '170': expected a number"),
        (lambda: Context(height_cm=np.nan), "height_cm = nan"),
        (lambda: Context(mode="vc"), "did you mean 'vcv'?"),
        (lambda: Context(barometric_mmhg=1013), "(mmHg; 1013 hPa is 760)"),
        (lambda: BloodGas(at_s=1.0, fio2=60), "(a fraction; 60 % is 0.6)"),
        (lambda: SessionEvent(kind="pron", at_s=1.0), "did you mean 'prone'?"),
        (lambda: PointSettings(min_coverage=50), "(a share; 50 % is 0.5)"),
        (lambda: CoreSettings(align=AlignSettings(gap_s=-1.0)), "align gap_s = -1.0: expected a number >= 0"),
        (lambda: CoreSettings(segment=SegmentSettings(apnoea_s=np.nan)), "segment apnoea_s = nan: expected"),
        (lambda: chunk({"flow": [0.1, 0.2]}), "channel 'flow' is a list: give it as np.asarray"),
        (lambda: chunk({"flow": np.array(["a"])}), "channel 'flow' is an array of <U1"),
        (lambda: chunk({"flows": ZEROS}), "unknown channel 'flows'; did you mean 'flow'?"),
        (lambda: chunk([ZEROS]), "channels is a list: expected {'flow': array"),
        (lambda: chunk({"flow": ZEROS, "paw": ZEROS[:5]}), "channels differ in length"),
    ],
)
def test_a_mistake_raises_at_once(mistake: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        mistake()
    assert said in str(error.value)


def test_what_is_no_chunk() -> None:
    with pytest.raises(TypeError, match="expected a Chunk or a Notice, not a list"):
        Bed("a").push([0.1])  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    for kind in (np.float64, np.float32, np.int64):
        found = Context(height_cm=kind(170))
        assert (found.height_cm, found.height_cm.__class__.__module__) == (170, "builtins")
        assert b"170" in msgspec.json.encode(found)
    assert len(chunk({Channel.FLOW: np.arange(3)})) == 3


LIMITS = [
    (table, field.name)
    for table, kind in (("context", Context), ("event", SessionEvent), ("blood_gas", BloodGas))
    for field in msgspec.structs.fields(kind)
]


@pytest.mark.parametrize(("table", "key"), LIMITS)
@pytest.mark.parametrize("value", ["-1e9", "1e9", "'x'", "true"])
def test_what_toml_refuses_python_refuses(table: str, key: str, value: str) -> None:
    """And takes what TOML takes."""
    kind = {"context": Context, "event": SessionEvent, "blood_gas": BloodGas}[table]
    rest = {"kind": "note"} if table == "event" and key != "kind" else {}
    head = f"[{table}]" if table == "context" else f"[[{table}]]"
    text = "\n".join([head, f"{key} = {value}", *(f"{name} = '{one}'" for name, one in rest.items())])
    literal: object = {"'x'": "x", "true": True}.get(value) or float(value)
    outcomes = []
    for read in (lambda: toml.loads(text, Sidecar, "a.toml"), lambda: kind(**{key: literal}, **rest)):
        try:
            read()
        except ConfigError as error:
            outcomes.append(str(error).rpartition(": expected")[2])
        else:
            outcomes.append("fine")
    assert outcomes[0] == outcomes[1]


def test_settings_have_the_limits_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[align]\ngap_s = -1\n")
    with pytest.raises(ConfigError, match=r"c\.toml:2: \[align\] gap_s = -1: expected a number >= 0"):
        load_config(path)
