"""Names of people never leave a file: whatever free text a format has room for, no output of any command shows it."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.formats import FORMATS
from streamer.cli import main
from tests.support.builders import (
    array_files,
    edf_files,
    labchart_files,
    pirds_files,
    poly5_files,
    vital_files,
    wfdb_files,
)
from tests.support.format_seeds import SEEDS, Seed
from tests.support.replays import published, replayed

NAME = "Zebulon Quux"
PARTS = ("zebulon", "quux")
REPLAY = Path(__file__).parents[2] / "replay_data"
PCV = (REPLAY / "pcv.csv").read_text().splitlines()[:1501]
Captured = pytest.CaptureFixture[str]


def lines_of(seed: Seed, *there: int) -> Seed:
    """With lines of free text before these lines."""
    lines = seed.content.splitlines(keepends=True)
    end = lines[0][len(lines[0].rstrip(b"\r\n")) :] or b"\n"
    for at in sorted(there, reverse=True):
        lines[at:at] = [text.encode() + end for text in (f"# Patient: {NAME}", f"Patient Name,{NAME}", NAME)]
    return replace(seed, content=b"".join(lines))


def behind(seed: Seed) -> Seed:
    """With the name at the end of a line, and amid one."""
    lines = seed.content.splitlines(keepends=True)
    at = len(lines) // 2
    lines[at] = lines[at].rstrip(b"\r\n") + f",{NAME}\n".encode()
    half = len(lines[at + 1]) // 2
    lines[at + 1] = lines[at + 1][:half] + NAME.encode() + lines[at + 1][half:]
    return replace(seed, content=b"".join(lines))


TEXTS = {name: seed for name, seed in SEEDS.items() if seed.is_text}
LABELLED = {("wfdb", "within its rows")}
"""Where a row is a signal's label, which may be named."""
WAYS: Mapping[str, Callable[[Seed], Seed]] = {
    "at its head": lambda seed: lines_of(seed, 0),
    "amid its rows": lambda seed: lines_of(seed, len(seed.content.splitlines()) // 2),
    "at its end": lambda seed: lines_of(seed, len(seed.content.splitlines())),
    "within its rows": behind,
}


def edf() -> bytes:
    """Patient, recording, transducer, filters, reserved fields, an annotation."""
    head = bytearray(edf_files.header(edf_files.FLOW, edf_files.PRESS, edf_files.TIMES, kind="EDF+C", records=60))
    for at in (8, 88):
        head[at : at + 80] = f"X F 01-JAN-1950 {NAME}".ljust(80).encode()
    for field in (16, 136):
        head[256 + 3 * field : 256 + 3 * field + 240] = (NAME.ljust(80) * 3).encode()
    body = b"".join(
        edf_files.flow(k) + edf_files.press(k) + f"+{0.4 * k:g}\x14\x14{NAME}\x14\0".encode().ljust(20, b"\0")[:20]
        for k in range(60)
    )
    return bytes(head) + body


def poly5() -> bytes:
    return poly5_files.small(400).replace(b"\x03PFV".ljust(81, b"\0"), b"\x0c" + NAME.encode().ljust(80, b"\0"))


def vital() -> bytes:
    """A track of text, and a device's serial."""
    said = vital_files.track(11, "EVENT", "", 0.0, form=6, sort=5)
    parts = [vital_files.head(), vital_files.device(1, "Primus"), vital_files.AWP, vital_files.FLOW, said]
    for second in range(20):
        parts += [vital_files.samples(tid, second, np.arange(50.0) / 10) for tid in (7, 8)]
    body = b"\n\0" + np.array([vital_files.T0 + 3]).tobytes() + b"\x0b\0" + bytes(4) + vital_files.string(NAME)
    return gzip.compress(b"".join([*parts, vital_files.packet(1, body)]))


def labchart() -> bytes:
    rows = labchart_files.rows(900)
    rows[300] += f"\t#1 {NAME}"
    rows[301] += f"\t#* turned by {NAME} "
    return labchart_files.block(rows, Note=NAME, Operator=NAME).encode()


def pirds() -> bytes:
    said = [[f'1:E:{kind}:{1000 + k}:"{NAME.upper()}"'] for k, kind in enumerate("MNDCPX")]
    said += [[f'{{"event":"E","type":"M","ms":1200,"buff":"{NAME}","name":"{NAME}"}}']]
    return pirds_files.transcript(*said, *pirds_files.rows(300))


def table() -> bytes:
    """Lines above the header, columns of text, comments, cells that are no numbers."""
    rows = [f"{row},{NAME},{k}" for k, row in enumerate(PCV[1:])]
    rows[700] = rows[700].replace(",", f",{NAME},", 1)
    rows[710] = f"{NAME},1,2,3,4"
    head = [f"Patient;{NAME}", f"# {NAME}", f"Name: {NAME}", f"{PCV[0]},remark,row"]
    return "\n".join([*head, *rows, f"# end, {NAME}", ""]).encode()


def parquet() -> bytes:
    found = pd.read_csv(io.StringIO("\n".join(PCV)))
    told = pa.Table.from_pandas(found)
    out = io.BytesIO()
    pq.write_table(told.replace_schema_metadata({b"patient": NAME.encode()}), out)
    return out.getvalue()


def matlab() -> bytes:
    return array_files.mat({**array_files.waves(600), "patient": NAME})


def hdf5() -> bytes:
    content = io.BytesIO(array_files.hdf5(array_files.waves(600), fs=50.0))
    with h5py.File(content, "a") as file:
        file.attrs["patient"] = NAME
        file["notes"] = NAME
    return content.getvalue()


def wfdb(folder: Path) -> Path:
    path = wfdb_files.both(folder)
    path.write_text(f"# {NAME}\n{path.read_text()}# <name>: {NAME}\n")
    return path


MADE: Mapping[str, Callable[[], bytes]] = {
    "a.edf": edf,
    "a.Poly5": poly5,
    "a.vital": vital,
    "labchart.txt": labchart,
    "pirds.txt": pirds,
    "a.csv": table,
    "a.parquet": parquet,
    "a.mat": matlab,
    "a.h5": hdf5,
}


def shown(capsys: Captured, path: Path, out: Path) -> Iterator[tuple[str, str]]:
    """What each command says and writes about a recording."""
    told = out / "told.session.toml"
    told.write_text(
        f'# {NAME}\nlabel = "P1"\n[[recording]]\npath = "{path}"\n[points]\nbaseline_min = [-0.08, -0.01]\n'
        'hours = { prone = [0.001] }\nhalf_width_min = 0.03\nsettle_min = 0\ntrend_min = 0.05\n'
        '[[event]]\nkind = "prone"\nat_s = 3.0\n'
    )  # fmt: skip
    commands = {
        "analyze": (path, "-o", out / "b.csv", "--summaries", out / "s.parquet"),
        "check": (path,),
        "convert": (path, "-o", out / "c.csv"),
        "plot": (path, "-o", out / "p.svg"),
        "report": (told, "-o", out / "r.html", "-o", out / "r.parquet"),
    }
    for command, arguments in commands.items():
        main([command, *map(str, arguments)])
        said = capsys.readouterr()
        yield command, said.out + said.err
    main(["convert", str(path), "-o", str(out / "c.parquet")])
    capsys.readouterr()
    told.unlink()
    for written in out.iterdir():
        yield written.name, written.read_bytes().decode("latin-1")
        if written.suffix == ".parquet":
            yield written.name, pd.read_parquet(written).to_csv()


async def messages(path: Path) -> str:
    _, found, _ = await published(replayed(path, math.inf))
    return "".join(f"{one.topic} {one.payload.decode()}\n" for one in found)


def clean(text: str) -> bool:
    return not any(part in text.lower() for part in PARTS)


@pytest.mark.parametrize("name", [*MADE, "wfdb"])
async def test_no_command_shows_a_name(capsys: Captured, tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    if name == "wfdb":
        path = wfdb(source)
    else:
        path = source / name
        path.write_bytes(MADE[name]())
    path.with_suffix(".toml").write_text(f"# {NAME}\n[recording]\n")
    found = dict(shown(capsys, path, out))
    assert "b.csv" in found, found["analyze"]
    found["replay"] = await messages(path)
    assert not {command: text for command, text in found.items() if not clean(text)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TEXTS)
async def test_what_is_damaged_is_described_not_quoted(capsys: Captured, tmp_path: Path, name: str, way: str) -> None:
    if (name, way) in LABELLED:
        pytest.skip("labels may be named")
    seed = WAYS[way](TEXTS[name])
    path = seed.put(tmp_path)
    rate = [] if seed.rate_hz is None else ["--rate", f"{seed.rate_hz:g}"]
    main(["analyze", str(path), *rate])
    main(["analyze", str(path), *rate, "--format", seed.format])
    main(["check", str(path), *rate])
    said = capsys.readouterr()
    assert clean(said.out + said.err), said.err
    assert seed.format in FORMATS
