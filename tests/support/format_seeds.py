"""A small valid recording of every format, as bytes: what hostile inputs and fuzzing start from."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.decoding.columns import EXACT
from adapters.decoding.contract import ReadOptions
from adapters.decoding.json_stream import Decoder
from adapters.devices.json_listener import JsonListener
from adapters.devices.line_listener import LineListener
from adapters.devices.medibus import Dialogue
from adapters.formats import MANIFEST
from adapters.formats.pb840 import RATE_HZ
from adapters.formats.pb840 import Decoder as Pb840
from adapters.formats.session_parts import ORDER, RECEIVED, START
from adapters.recordings.open import Recording, open_recording
from tests.support.adapter_contract import Item
from tests.support.builders import (
    array_files,
    edf_files,
    excel_files,
    json_lines_files,
    labchart_files,
    pb840_files,
    pirds_files,
    poly5_files,
    rapidvent_files,
    respiraworks_files,
    servo_u_files,
    session_folder_files,
    vital_files,
    vscapture_files,
)
from tests.support.medibus_dialogue import streaming

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Seed:
    """A recording that is read without error.

    Attributes:
        format: Its name.
        file: Name of the file that is to be damaged.
        content: Of that file.
        beside: Other files of the recording.
        opens: Which of the files is to be opened; empty: the one that is to be damaged, ``.``: the folder.
        is_text: Lines of text, with line ends of any kind.
        rate_hz: What must be given to read it.
    """

    format: str
    file: str
    content: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)
    opens: str = ""
    is_text: bool = True
    rate_hz: float | None = None

    def put(self, folder: Path, content: bytes | None = None) -> Path:
        """Write it into an empty folder, damaged as told; what is to be opened."""
        for name, there in self.beside.items():
            (folder / name).write_bytes(there)
        (folder / self.file).write_bytes(self.content if content is None else content)
        return folder / (self.opens or self.file)

    @property
    def is_alone(self) -> bool:
        """Whether the damaged file is the one that is opened."""
        return not self.opens

    def opened(self, folder: Path, content: bytes | None = None, *, named: bool = True) -> Recording:
        """It, recognised or with its format named."""
        path = self.put(folder, content)
        return open_recording(path, format_name=self.format if named else None, rate_hz=self.rate_hz)


def _lines(rows: list[str], end: str = "\n") -> bytes:
    return "".join(row + end for row in rows).encode()


def _parquet(metadata: bytes | None, **columns: object) -> bytes:
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({b"ventstream": metadata})
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=50)
    return out.getvalue()


def _session() -> dict[str, bytes]:
    """The files of a session that was closed."""
    with tempfile.TemporaryDirectory() as folder:
        items = [
            *session_folder_files.contiguous(1),
            session_folder_files.note(0.5, rows=1.0),
            session_folder_files.vent(3.0, 40),
        ]
        recorded = session_folder_files.record(Path(folder) / "s", items)
        return {path.name: path.read_bytes() for path in recorded.path.iterdir()}


def _open_part() -> bytes:
    """The part that was open when the program died."""
    fields = [*((name, pa.float64()) for name in EXACT.values()), (ORDER, pa.int64())]
    fields += [(START, pa.float64()), (RECEIVED, pa.int64())]
    schema = pa.schema(fields, metadata={b"source": b"vent", b"rate_hz": b"100.0"})
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema) as writer:
        for order in range(4):
            wave = np.arange(10.0) / 10
            numbers = [wave, wave, wave, np.full(10, order), np.full(10, order / 10), np.full(10, 5 + order)]
            writer.write_batch(pa.record_batch(numbers, schema=schema))
    return out.getvalue()


def _npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array))
    return out.getvalue()


def _vital() -> bytes:
    """Two tracks of one rate and CO2 of another."""
    parts = [vital_files.head(), vital_files.device(1, "Primus"), vital_files.AWP, vital_files.FLOW, vital_files.CO2]
    for second in range(3):
        parts += [vital_files.samples(tid, second, np.arange(50.0) / 10) for tid in (7, 8)]
        parts.append(vital_files.samples(9, second, np.arange(25.0)))
    return gzip.compress(b"".join(parts), mtime=0)


def _wfdb() -> dict[str, bytes]:
    """Header and signals."""
    numbers = np.stack([np.arange(60) % 16 * 100, 500 + np.arange(60) % 16], axis=1).astype("<i2").tobytes()
    lines = ["rec 2 100 60", "rec.dat 16 100/L/min 16 0 0 0 0 FLOW", "rec.dat 16 50(0)/mbar 16 0 0 0 0 Paw"]
    return {"rec.hea": _lines(lines), "rec.dat": numbers}


def _csv(n: int = 40) -> bytes:
    rows = [f"{k / 50:.2f},{k % 8 / 8},{5 + k % 8},{k % 9}" for k in range(n)]
    return _lines(["time_s,flow_l_s,paw_cmh2o,pco2_mmhg", *rows])


def _spreadsheet() -> bytes:
    rows = [f"{k};{k / 50:.2f};{k % 8 / 8};{5 + k % 8};".replace(".", ",") for k in range(40)]
    return _lines(["sep=;", "Export;of a device", "", ";time;Flow [L/s];Paw [mbar];", *rows], "\r\n")


def _dated() -> bytes:
    rows = [f"27/10/2024 11:59:59.{20 * k:03d} PM,{k % 8 / 8},NA" for k in range(40)]
    return _lines(["Timestamp,flow,paw", "s,L/s,cmH2O", *rows])


def _packets() -> bytes:
    return _lines(["time_s,flow_l_s", *(f"{k // 8 * 0.16:.2f},{k % 7 / 8}" for k in range(64))])


def _two_rates() -> bytes:
    rows = [f"{k / 50:.2f},{k % 8 / 8},{k % 9 if k % 4 == 0 else 'null'}" for k in range(80)]
    return _lines(["time_s,flow_l_s,pco2_mmhg", *rows])


def _volume() -> bytes:
    return _lines(["time_ms\tvolume_ml", *(f"{20 * k}\t{k % 25 * 10}" for k in range(60))])


def _long() -> bytes:
    cells = [f"{k / 50:.2f},{name},{k % 8}" for k in range(30) for name in ("Flow", "Paw")]
    return _lines(["time,channel,value,unit", *(f"{one},{'L/min' if 'F' in one else 'mbar'}" for one in cells)])


def _blanks() -> bytes:
    return _lines(["# time_s flow_l_s paw_cmh2o", *(f"  {k / 50:.2f}\t {k % 8}e-1   5" for k in range(40)), "% end"])


def _found() -> dict[str, Seed]:
    time_s, wave = np.arange(120) / 50, np.arange(120) % 16 / 16
    known = b'{"rate_hz": 50, "segments": [[1.0, 0], [9.5, 60]]}'
    session = _session()
    open_part = {name: there for name, there in session.items() if not name.endswith(".parquet")}
    part = next(name for name in session if name.endswith(".parquet"))
    philips_flow = BOM + _lines(vscapture_files.packets(4, vscapture_files.flow), "\r\n")
    philips_paw = BOM + _lines(vscapture_files.packets(4, vscapture_files.paw), "\r\n")
    draeger = BOM + _lines(vscapture_files.batches(8, vscapture_files.flow), "\r\n")

    wfdb = _wfdb()
    told = {"x.toml": b'recording = { rate_hz = 50, columns = { "1" = "flow_l_s", "0" = "paw_cmh2o" } }'}
    theirs = {"x.toml": b'recording = { columns = { Flow = "flow_l_min", "p, mbar" = "paw_mbar", t = "time_ms" } }'}
    mapped = [f'{20 * k};{k % 8 / 8};"12:00 ""a""";{5 + k % 8}' for k in range(40)]
    table = np.stack([np.arange(60) % 16 / 4, np.arange(60) % 9 / 9], axis=1)

    def without(name: str) -> dict[str, bytes]:
        return {other: there for other, there in session.items() if other != name}

    return {
        "servo_u": Seed("servo_u", "x.txt", servo_u_files.transcript(servo_u_files.rows(40))),
        "pb840": Seed("pb840", "x.txt", pb840_files.SMALL + b"".join(b"%d.00, 5.25\n" % k for k in range(40))),
        "pirds": Seed("pirds", "x.txt", pirds_files.transcript(*pirds_files.rows(70))),
        "rapidvent": Seed("rapidvent", "x.csv", rapidvent_files.transcript(rapidvent_files.full(40))),
        "vscapture": Seed(
            "vscapture", "aNOM_FLOW_AWAYWaveExport.csv", philips_flow, {"aNOM_PRESS_AWAYWaveExport.csv": philips_paw}
        ),
        "vscapture draeger": Seed("vscapture", "Flow_inspiratory_expiratoryDrgWaveExport.csv", draeger),
        "json_lines": Seed("json_lines", "x.jsonl", json_lines_files.samples(40)),
        "csv": Seed("csv", "x.csv", _csv()),
        "csv counted": Seed("csv", "x.csv", b"flow_l_min\tpaw_mbar\n" + b"6.5\t12\n-6\t4.25\n" * 20, rate_hz=50.0),
        "csv of a spreadsheet": Seed("csv", "x.csv", _spreadsheet()),
        "csv of date-times": Seed("csv", "x.csv", _dated()),
        "csv of packets": Seed("csv", "x.csv", _packets()),
        "csv of two rates": Seed("csv", "x.csv", _two_rates()),
        "csv of volume": Seed("csv", "x.csv", _volume()),
        "csv a channel a row": Seed("csv", "x.csv", _long()),
        "csv between blanks": Seed("csv", "x.txt", _blanks()),
        "csv mapped": Seed("csv", "x.csv", _lines(['t;Flow;said;"p, mbar"', *mapped]), theirs),
        "parquet": Seed("parquet", "x.parquet", _parquet(known, flow_l_s=wave, paw_cmh2o=wave), is_text=False),
        "parquet stamped": Seed("parquet", "x.parquet", _parquet(None, time_s=time_s, flow_l_s=wave), is_text=False),
        "respiraworks": Seed("respiraworks", "x.dat", respiraworks_files.transcript(respiraworks_files.rows(40))),
        "session": Seed("session", MANIFEST, session[MANIFEST], without(MANIFEST), opens=".", is_text=False),
        "session part": Seed("session", part, session[part], without(part), opens=".", is_text=False),
        "session open": Seed("session", "vent-0000.arrows", _open_part(), open_part, opens=".", is_text=False),
        "session told": Seed(
            "session", "events.jsonl", session["events.jsonl"], without("events.jsonl"), opens=".", is_text=False
        ),
        "edf": Seed("edf", "x.edf", edf_files.resmed(), is_text=False),
        "edf discontinuous": Seed("edf", "x.edf", edf_files.timed("+0", "+0.4", "+7.5"), is_text=False),
        "npy": Seed("npy", "x.npy", _npy(table), told, is_text=False),
        "npy columns": Seed("npy", "x.npy", _npy(np.asfortranarray(table)), told, is_text=False),
        "wfdb": Seed("wfdb", "rec.hea", wfdb["rec.hea"], {"rec.dat": wfdb["rec.dat"]}),
        "wfdb signals": Seed(
            "wfdb", "rec.dat", wfdb["rec.dat"], {"rec.hea": wfdb["rec.hea"]}, opens="rec.hea", is_text=False
        ),
        "vital": Seed("vital", "x.vital", _vital(), is_text=False),
        "poly5": Seed("poly5", "x.Poly5", poly5_files.small(22), is_text=False),
        "respiraworks_json": Seed(
            "respiraworks_json", "x.json", respiraworks_files.saved(**respiraworks_files.json_waves()), is_text=False
        ),
        "pirds array": Seed("pirds", "x.json", pirds_files.as_json(*pirds_files.rows(70), indent=1), is_text=False),
        "csv packed": Seed("csv", "x.csv.gz", gzip.compress(_csv(), mtime=0), is_text=False),
        "edf narrow": Seed(
            "edf", "x.wmedf", edf_files.narrow("#1", "#1", "#2", n=20) + edf_files.NARROW * 60, is_text=False
        ),
        "npz": Seed("npz", "x.npz", array_files.npz(**array_files.waves(60)), is_text=False),
        "matlab": Seed("matlab", "x.mat", array_files.mat(array_files.waves(60)), is_text=False),
        "matlab packed": Seed("matlab", "x.mat", array_files.mat(array_files.labchart(60), packed=True), is_text=False),
        "hdf5": Seed("hdf5", "x.h5", array_files.hdf5(array_files.waves(60), fs=50.0), is_text=False),
        "hdf5 packed": Seed("hdf5", "x.h5", array_files.hdf5(array_files.waves(60), compression="gzip"), is_text=False),
        "labchart": Seed("labchart", "x.txt", labchart_files.SEED),
        "excel": Seed("excel", "x.xlsx", excel_files.workbook(excel_files.rows(40)), is_text=False),
    }


_BLOCKS = b"".join(
    b'{"time_s":%d,"rate_hz":50,"flow_l_s":[%s0]}\n' % (second, b"1,2," * 24 + b"3,") for second in range(3)
)
SEEDS: Mapping[str, Seed] = _found()
"""A name → its seed; a format may have several."""
TALKS: Mapping[str, tuple[Callable[[], Any], bytes]] = {
    "pb840": (lambda: LineListener(Pb840(ReadOptions(), live=True), RATE_HZ, "rows"), SEEDS["pb840"].content),
    "medibus": (Dialogue, streaming()[0] + b"".join(streaming()[1]) + b"\xd0"),
    "json_lines": (lambda: JsonListener(Decoder(ReadOptions(), live=True)), _BLOCKS),
    "mqtt_samples": (lambda: JsonListener(Decoder(ReadOptions(rate_hz=50.0), live=True, source="mqtt")), _BLOCKS),
}
"""A live source → its dialogue and what the device says."""


def heard(dialogue: Any, parts: Iterable[bytes], silences: Sequence[float] = ()) -> Iterator[Item]:
    """What a dialogue makes of pieces, with silence before some of them; what it says is bounded."""
    said = len(dialogue.opening())
    for at, piece in enumerate(parts):
        if silences and (silent_s := silences[at % len(silences)]):
            yield from dialogue.silence(silent_s)
        yield from dialogue.feed(piece)
        said += len(dialogue.answer())
        assert said < 100_000
