"""Items of a recorded session, and its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adapters.formats.session_folder import Manifest, SourceNote
from adapters.recordings.open import Recording, open_recording
from adapters.recordings.recorder import Recorder
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import BloodGas, Context, RecordingInfo, Sidecar
from streamer.model.records import Notice, NoticeKind
from tests.support.adapter_contract import Item

ONE = Manifest(bed="a", session="s", sources=(SourceNote(label="vent", adapter="vent"),))
TWO = Manifest(bed="a", session="s", sources=(SourceNote(label="vent"), SourceNote(label="co2", clock_offset_s=0.0)))
SIDECAR = Sidecar(
    recording=RecordingInfo(device="vent"),
    context=Context(passive="asserted"),
    blood_gas=(BloodGas(at_s=1.5, pco2_art_mmhg=40.0),),
)


def vent(
    start_s: float, count: int, received_ns: int | None = None, *, rate_hz: float = 100.0, paw: bool = True
) -> Chunk:
    rng = np.random.default_rng(round(1000 * start_s))
    channels = {Channel.FLOW: rng.normal(0, 0.5, count)}
    if paw:
        channels[Channel.PAW] = np.where(rng.random(count) < 0.1, np.nan, rng.normal(15, 3, count))
    return Chunk(source="vent", start_s=start_s, rate_hz=rate_hz, channels=channels, received_ns=received_ns)


def co2(start_s: float, count: int, received_ns: int | None = None) -> Chunk:
    values = np.linspace(0.0, 40.0, count)
    return Chunk(source="co2", start_s=start_s, rate_hz=20.0, channels={Channel.PCO2: values}, received_ns=received_ns)


def note(at_s: float, detail: str = "x", **values: float | str) -> Notice:
    return Notice(bed="", at_s=at_s, kind=NoticeKind.NOTE, detail=detail, values=values)


def record(folder: Path, items: list[Item], manifest: Manifest = ONE, **more: float) -> Recording:
    recorder = Recorder(folder, manifest, SIDECAR, **more)  # type: ignore[arg-type]
    for item in items:
        recorder.write(item)
    recorder.close()
    return open_recording(folder)


def contiguous(seconds: int, first_s: float = 0.0) -> list[Item]:
    return [vent(first_s + n / 10, 10, (5_000 + n) * 10**8) for n in range(10 * seconds)]
