"""How fast, how much memory: every stage of the pipeline on simulated signals of 1 h and 24 h.

    python -m tests.tools.benchmarks.pipeline [--hours 1 24] [--ventmap PYTHON]

Each figure is taken in a process of its own, after a warm-up that pays for compiling, so that peak memory is that
stage's. ``--ventmap`` names the interpreter of an environment with ventMAP 1.5.3 (``numpy<2 scipy==1.10.1
pandas<2.1``); it then reads the same text file in the same run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

RATE_HZ = 100.0
BLOCK_S = 600.0
"""Simulated once and repeated: 200 breaths of 3 s, so that copies join without a seam."""
PB840_RATE_HZ = 50.0

SENSOR_NOISE = {"paw_noise_cmh2o": 0.1, "flow_noise_l_min": 0.4, "pco2_noise_mmhg": 0.3}

VENTMAP = """
import io, json, resource, sys, time
from ventmap.breath_meta import get_production_breath_meta
from ventmap.raw_utils import extract_raw
def run(path):
    breaths = samples = 0
    start = time.perf_counter()
    with io.open(path) as text:
        for breath in extract_raw(text, False):
            get_production_breath_meta(breath)
            breaths += 1
            samples += len(breath["flow"])
    return time.perf_counter() - start, samples, breaths
run(sys.argv[1])
seconds, samples, breaths = run(sys.argv[2])
print(json.dumps({"seconds": seconds, "samples": samples, "breaths": breaths,
                  "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def simulated(rate_hz: float) -> Any:
    """Ten minutes of volume control, 20 breaths a minute, some noise."""
    from adapters.simulator import Scenario, simulate
    from adapters.simulator.course import Segment
    from adapters.simulator.scenario import Capnogram, Lung, Sensor, Ventilator

    segment = Segment(
        lung=Lung(compliance_ml_cmh2o=45, resistance_cmh2o_s_l=11),
        ventilator=Ventilator(rate_per_min=20, tidal_volume_ml=420, flow_l_min=30, pause_s=0.3, peep_cmh2o=8),
        sensor=Sensor(**SENSOR_NOISE),
        capnogram=Capnogram(),
    )
    return simulate(Scenario(duration_s=BLOCK_S, rate_hz=rate_hz, seed=7, segments=(segment,)))


def repeated(hours: float) -> Iterator[Any]:
    """``hours`` of chunks of 10 s at 100 Hz, three channels."""
    from streamer.model.chunk import Chunk

    block = list(simulated(RATE_HZ).chunks(10.0))
    for copy in range(round(hours * 3600 / BLOCK_S)):
        for chunk in block:
            yield Chunk(
                source="benchmark",
                start_s=copy * BLOCK_S + chunk.start_s,
                rate_hz=RATE_HZ,
                channels=chunk.channels,
            )


def write_csv(path: Path, hours: float) -> None:
    """Time, pressure, flow, CO2 at 100 Hz, as a logger would write them; a sidecar says what its sensors are."""
    declared = 'passive = "asserted"\nco2_kind = "mainstream"\nco2_scale = "BTPS"\n'
    path.with_suffix(".toml").write_text(f"[context]\n{declared}", encoding="ascii")
    with path.open("w", encoding="ascii") as file:
        file.write("time_s,paw_cmh2o,flow_l_min,pco2_mmhg\n")
        for chunk in repeated(hours):
            paw, flow, pco2 = (chunk.channels[name] for name in ("paw", "flow", "pco2"))
            file.writelines(
                f"{chunk.start_s + i / RATE_HZ:.2f},{paw[i]:.2f},{60 * flow[i]:.2f},{pco2[i]:.2f}\n"
                for i in range(len(chunk))
            )


def write_pb840(path: Path, hours: float) -> None:
    """Flow and pressure at 50 Hz between breath marks: the text that ventMAP reads."""
    simulation = simulated(PB840_RATE_HZ)
    chunks = list(simulation.chunks(10.0))
    rows = list(
        chain.from_iterable(zip(60 * chunk.channels["flow"], chunk.channels["paw"], strict=True) for chunk in chunks)
    )
    marks = {round(breath.start_s * PB840_RATE_HZ) for breath in simulation.truth.breaths}
    number = 0
    with path.open("w", encoding="ascii") as file:
        for _ in range(round(hours * 3600 / BLOCK_S)):
            for index, (flow, paw) in enumerate(rows):
                if index in marks or number == 0:
                    file.write("BE\n" * (number > 0) + f"BS, S:{number},\n")
                    number += 1
                file.write(f"{flow:.2f}, {paw:.2f}\n")
        file.write("BE\n")


def parse(path: Path, hours: float) -> tuple[float, int, int]:
    from adapters.recordings.open import open_recording

    return timed(lambda: (sum(map(len, open_recording(path).items())), 0))


def segment(path: Path, hours: float) -> tuple[float, int, int]:
    from streamer.core.align import Aligner
    from streamer.core.segment import Segmenter

    def run() -> tuple[int, int]:
        aligner, segmenter = Aligner(), Segmenter()
        samples = breaths = 0
        for chunk in repeated(hours):
            samples += len(chunk)
            for block in aligner.push(chunk):
                breaths += len(segmenter.push(block))
        return samples, breaths

    return timed(run)


def context() -> Any:
    """What has to be declared for every number to be there."""
    from streamer.model.context import Context

    return Context(passive="asserted", co2_kind="mainstream", co2_scale="BTPS")


def breaths_of_a_block() -> tuple[list[Any], list[Any]]:
    """Ten minutes, segmented and with PCO2; how each breath's capnogram was aligned."""
    from tests.support.streams import timed as aligned

    found = aligned(repeated(BLOCK_S / 3600), context())[10:-1]
    return [breath for breath, _ in found], [capnograph for _, capnograph in found]


def plan_of_families(*families: str) -> Any:
    """The metrics of these files, and all that they need, as one function."""
    from streamer.core.metrics import METRICS
    from streamer.core.metrics.metric_plan import plan_of, with_needs
    from streamer.core.metrics.registry import in_order

    wanted = [key for key, one in METRICS.items() if one.formula.__module__.rpartition(".")[2] in families]
    return plan_of(in_order(with_needs(wanted, METRICS)))


def capnography(path: Path, hours: float) -> tuple[float, int, int]:
    """Volumetric capnography of aligned breaths: its kernels and its metrics, blood gases among them."""
    from streamer.core.metrics import MeasurementContext
    from streamer.core.metrics.capnogram_gates import capnogram_of
    from streamer.core.metrics.features.extract import breathed_co2, features_and_grid
    from streamer.core.metrics.measurement_context import start_of
    from streamer.core.metrics.volume_balance import balance_of

    plan = plan_of_families("capnography", "expired_co2", "dead_space", "gases")
    breaths, capnographs = breaths_of_a_block()
    samples = sum(breath.flow.size - 1 for breath in breaths)
    copies = round(hours * 3600 / BLOCK_S)
    ready = []
    for breath, capnograph in zip(breaths, capnographs, strict=True):
        (features, tidal, _), given = (
            features_and_grid(breath),
            MeasurementContext(context=context(), capnograph=capnograph),
        )
        start, balance = start_of(features, None), balance_of(breath, features, given, breath.flags)
        ready.append((breath, features, given, start, balance, tidal))

    def run() -> tuple[int, int]:
        for _ in range(copies):
            for breath, features, given, start, balance, tidal in ready:
                breathed_co2(breath, tidal)
                capnogram = capnogram_of(breath, features, given)
                plan(breath, features, given, start, breath.flags, None, capnogram, "", *balance, {}, {}, {}, {})
        return copies * samples, copies * len(breaths)

    return timed(run)


def co2_timing(path: Path, hours: float) -> tuple[float, int, int]:
    """The stream of PCO2 onto its grid, its falls, the delay of each breath, and its capnogram on the time of flow."""
    from streamer.core.align import Co2Aligner

    breaths, _ = breaths_of_a_block()
    chunks = list(repeated(BLOCK_S / 3600))
    samples = sum(map(len, chunks))
    copies = round(hours * 3600 / BLOCK_S)

    def run() -> tuple[int, int]:
        done = 0
        for _ in range(copies):
            aligner, waiting = Co2Aligner(context()), iter(breaths)
            following = next(waiting, None)
            for chunk in chunks:
                aligner.push(chunk)
                end_s = chunk.start_s + len(chunk) / RATE_HZ
                while following is not None and following.end_s < end_s:
                    aligner.take(following)
                    following = next(waiting, None)
                done += sum(1 for _ in aligner.ready(end_s))
        return copies * samples, done

    return timed(run)


def estimate(path: Path, hours: float) -> tuple[float, int, int]:
    """All estimators: their kernels, the decision, the memory of the bed, and the metrics they give."""
    from streamer.core.metrics import BreathHistory, MeasurementContext, extract_features
    from streamer.core.metrics.capnogram_gates import NONE
    from streamer.core.metrics.features.extract import _lung, corrected
    from streamer.core.metrics.measurement_context import start_of
    from streamer.core.metrics.passive_estimate import estimate_of
    from streamer.core.metrics.volume_balance import balance_of
    from streamer.model.context import Context

    plan = plan_of_families("estimates")
    breaths, _ = breaths_of_a_block()
    samples = sum(breath.flow.size - 1 for breath in breaths)
    copies = round(hours * 3600 / BLOCK_S)
    folds = [extract_features(breath) for breath in breaths]
    first = folds[0]._fields.index("insp_volume")

    def run() -> tuple[int, int]:
        for _ in range(copies):
            memory = BreathHistory()
            for breath, features in zip(breaths, folds, strict=True):
                _lung(breath, corrected(breath), features[first:])
                given = MeasurementContext(context=Context(), before=features, past=memory.past())
                start = start_of(features, features)
                found = estimate_of(breath, features, given, start)
                memory.add(breath, features, found)
                balance = balance_of(breath, features, given, breath.flags)
                plan(breath, features, given, start, breath.flags, found, NONE, "", *balance, {}, {}, {}, {})
        return copies * samples, copies * len(breaths)

    return timed(run)


def measure(path: Path, hours: float) -> tuple[float, int, int]:
    """Fold and all metrics, on the breaths of ten minutes over and over: no part of them is a part of another stage."""
    from streamer.core.metrics import MeasurementContext, extract_features, measure

    breaths, capnographs = breaths_of_a_block()
    samples = sum(breath.flow.size - 1 for breath in breaths)
    copies = round(hours * 3600 / BLOCK_S)
    given = [MeasurementContext(context=context(), capnograph=one) for one in capnographs]

    def run() -> tuple[int, int]:
        for _ in range(copies):
            for breath, known in zip(breaths, given, strict=True):
                measure(breath, extract_features(breath), known, breath.flags)
        return copies * samples, copies * len(breaths)

    return timed(run)


def core(path: Path, hours: float) -> tuple[float, int, int]:
    """Chunks in memory through a whole bed, without windows and with them."""
    from streamer.core.bed import Bed

    def run() -> tuple[int, int]:
        bed = Bed("benchmark", context=context())
        samples = breaths = 0
        for chunk in repeated(hours):
            samples += len(chunk)
            breaths += sum(hasattr(event, "number") for event in bed.push(chunk))
        return samples, breaths

    return timed(run)


def whole(path: Path, hours: float) -> tuple[float, int, int]:
    """``ventstream analyze`` from the text file to a table of breaths."""
    from streamer.cli import main

    out = path.with_suffix(".out.jsonl")

    def run() -> tuple[int, int]:
        code = main(["analyze", str(path), "-o", str(out)])
        assert code == 0, code
        with out.open("rb") as rows:
            return sum(1 for _ in path.open("rb")), sum(1 for _ in rows)

    return timed(run)


def study(path: Path, hours: float) -> tuple[float, int, int]:
    """``measure`` of a session: the recording through the core, its time points, changes and trend."""
    from streamer.study import measure, read_study

    session = path.with_suffix(".session.toml")
    points = f"[points]\nbaseline_min = [{-24 * hours}, {-6 * hours}]\nhours = {{ prone = [{0.3 * hours}] }}\n"
    event = f'[[event]]\nat_s = {1800 * hours}\nkind = "prone"\n'
    session.write_text(f'[[recording]]\npath = "{path.name}"\n{event}{points}settle_min = 1\n', encoding="ascii")

    def run() -> tuple[int, int]:
        results = measure(read_study(session))
        return sum(1 for _ in path.open("rb")), int(results.recordings["breaths"].sum())

    return timed(run)


def timed(run: Callable[[], tuple[int, int]]) -> tuple[float, int, int]:
    start = time.perf_counter()
    samples, breaths = run()
    return time.perf_counter() - start, samples, breaths


STAGES: dict[str, tuple[Callable[[Path, float], tuple[float, int, int]], str]] = {
    "parse csv": (parse, "csv"),
    "parse pb840": (parse, "pb840"),
    "segment": (segment, ""),
    "estimate": (estimate, ""),
    "co2 timing": (co2_timing, ""),
    "capnography": (capnography, ""),
    "measure": (measure, ""),
    "core": (core, ""),
    "whole csv": (whole, "csv"),
    "whole pb840": (whole, "pb840"),
    "study csv": (study, "csv"),
}


def child(stage: str, path: str, warm: str, hours: float) -> None:
    """Run one stage after a warm-up and print its figures."""
    run, _ = STAGES[stage]
    sys.stdout = sys.stderr
    run(Path(warm), 1 / 6)
    seconds, samples, breaths = run(Path(path), hours)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"seconds": seconds, "samples": samples, "breaths": breaths, "peak_mb": peak_mb}
    print(json.dumps(figures), file=sys.__stdout__)


def figures_of(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(name: str, hours: float, found: dict[str, float]) -> None:
    samples, breaths, seconds = found["samples"], found["breaths"], found["seconds"]
    per_breath = f"{breaths / seconds:12,.0f}" if breaths else f"{'-':>12}"
    print(
        f"{name:<12} {hours:>5g} {seconds:>9.3f} {samples / seconds:>14,.0f} {1e9 * seconds / samples:>9.0f} "
        f"{per_breath} {found['peak_mb']:>8.0f}",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hours", type=float, nargs="+", default=[1.0, 24.0])
    options.add_argument("--ventmap", metavar="PYTHON", help="interpreter of an environment with ventMAP")
    options.add_argument("--child", nargs=4, metavar=("STAGE", "FILE", "WARM", "HOURS"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        child(*chosen.child[:3], float(chosen.child[3]))
        return
    with tempfile.TemporaryDirectory() as folder:
        writers = {"csv": write_csv, "pb840": write_pb840}
        files = {}
        for kind, write in writers.items():
            for hours in (1 / 6, *chosen.hours):
                files[kind, hours] = Path(folder) / f"{hours:.3f}h.{kind}.txt"
                write(files[kind, hours], hours)
        print("stage        hours   seconds      samples/s ns/sample    breaths/s  peak MB")
        ours: dict[float, dict[str, float]] = {}
        for name, (_, kind) in STAGES.items():
            for hours in chosen.hours:
                path, warm = (str(files[kind or "csv", h]) for h in (hours, 1 / 6))
                here = [
                    sys.executable,
                    "-m",
                    "tests.tools.benchmarks.pipeline",
                    "--child",
                    name,
                    path,
                    warm,
                    str(hours),
                ]
                found = figures_of(here)
                show(name, hours, found)
                if name == "whole pb840":
                    ours[hours] = found
        if chosen.ventmap:
            for hours in chosen.hours:
                path, warm = (str(files["pb840", h]) for h in (hours, 1 / 6))
                found = figures_of([chosen.ventmap, "-W", "ignore", "-c", VENTMAP, warm, path])
                show("ventMAP", hours, found)
                print(f"ventstream is {found['seconds'] / ours[hours]['seconds']:.1f} times as fast on the same file")


if __name__ == "__main__":
    main()
