"""Sessions written while they stream, and read back: to the bit, and as far as they got."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.formats import session_parts
from adapters.recordings.open import open_recording
from adapters.recordings.recorder import Recorder
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import DecodeError, OutputError
from streamer.model.records import NoticeKind
from tests.support.adapter_contract import Item, same_twice, stream
from tests.support.builders.session_folder_files import ONE, SIDECAR, TWO, co2, contiguous, note, record, vent


def test_what_came_is_what_is_read(tmp_path: Path) -> None:
    items: list[Item] = [
        *contiguous(2), note(1.0, "told é", rows=3.0, why="no"), vent(2.0, 7), vent(9.0, 5, 17),
        vent(9.05, 3, rate_hz=50.0), vent(9.2, 4, paw=False), note(9.1),
    ]  # fmt: skip
    found = record(tmp_path / "s", items)
    assert found.format == "session"
    assert found.sidecar.context == SIDECAR.context
    assert found.sidecar.blood_gas == SIDECAR.blood_gas
    read = stream(found.items())
    written = stream(items)
    assert [(one.start_s, one.rate_hz, one.n) for one in read.stretches] == [
        (one.start_s, one.rate_hz, one.n) for one in written.stretches
    ]
    assert [(n, str(one)) for n, one in read.notices] == [(n, str(one)) for n, one in written.notices]
    assert read.samples(Channel.FLOW).tobytes() == written.samples(Channel.FLOW).tobytes()
    assert same_twice(found.items).n == written.n
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "events.jsonl", "session.json", "session.toml",
        "vent-0000.parquet", "vent-0001.parquet", "vent-0002.parquet",
    ]  # fmt: skip


def test_no_more_is_held_than_a_source_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = contiguous(40)
    whole = stream(record(tmp_path / "s", items).items())
    monkeypatch.setattr(session_parts, "MAX_ROWS", 1000)
    assert stream(open_recording(tmp_path / "s").items()).form() == whole.form()
    found = stream(record(tmp_path / "t", [vent(0.0, 5000)]).items())
    assert found.notices[0][1].detail.endswith("is left out: a chunk of more than 1000 samples")


def test_a_length_that_damage_made_up_is_no_memory_to_be_had(tmp_path: Path) -> None:
    found = record(tmp_path / "s", contiguous(1))
    for part in (tmp_path / "s").glob("*.parquet"):
        part.unlink()
    (tmp_path / "s" / "vent-0000.arrows").write_bytes(b"xxxx" * 1000)  # a message of 2 GB
    assert stream(found.items()).error is not None


def test_what_was_told_is_one_line_with_a_time_or_left_out(tmp_path: Path) -> None:
    found = record(tmp_path / "s", contiguous(1))
    (tmp_path / "s" / "events.jsonl").write_bytes(
        b'{"order":3,"at_s":0.5,"kind":"note","detail":"a\\nb\\u0000","values":{"a":1.5,"b":[],"c":"d"}}\n'
        b'{"order":3,"at_s":1e999,"kind":"note","detail":"","values":{}}\n'
        b'{"order":3,"at_s":0.5,"kind":"note","detail":"","values":[]}\n'
        b'{"order":1e999,"at_s":0.5,"kind":"note","detail":"","values":{}}\n'
    )
    ((_, notice),) = stream(found.items()).notices
    assert (notice.detail, notice.values) == ("a?b?", {"a": 1.5, "c": "d"})


@pytest.mark.parametrize("kind", [pa.uint64(), pa.string(), pa.bool_(), pa.float64()])
def test_a_part_whose_columns_are_of_another_kind_is_left_out(tmp_path: Path, kind: pa.DataType) -> None:
    found = record(tmp_path / "s", [*contiguous(1), vent(9.0, 5, paw=False)])
    part = tmp_path / "s" / "vent-0000.parquet"
    table = pq.read_table(part)
    at = table.column_names.index("received_ns")
    pq.write_table(table.set_column(at, "received_ns", table["received_ns"].cast(kind)), part)
    assert "column 'received_ns' holds " in stream(found.items()).notices[0][1].detail


def test_what_is_nested_too_deep_is_refused_or_left_out(tmp_path: Path) -> None:
    found = record(tmp_path / "s", contiguous(1))
    (tmp_path / "s" / "events.jsonl").write_bytes(b"[" * 70_000 + b"\n")
    assert stream(found.items()).n == 100
    (tmp_path / "s" / "session.json").write_bytes(b'{"a":' * 20_000)
    with pytest.raises(DecodeError, match=r"session\.json cannot be used: "):
        list(found.items())


def test_each_file_is_a_canonical_recording(tmp_path: Path) -> None:
    items = [*contiguous(3), vent(10.0, 50)]
    record(tmp_path / "s", items)
    alone = open_recording(tmp_path / "s" / "vent-0000.parquet")
    assert alone.format == "parquet"
    assert alone.sidecar.context.passive == "asserted"
    assert [(one.start_s, one.n) for one in stream(alone.items()).stretches] == [(0.0, 300), (10.0, 50)]
    table = pq.read_table(tmp_path / "s" / "vent-0000.parquet")
    assert table.column_names == ["paw_cmh2o", "flow_l_s", "order", "chunk_start_s", "received_ns"]


def test_files_are_closed_after_their_time_and_the_seams_do_not_show(tmp_path: Path) -> None:
    items = contiguous(30)
    found = record(tmp_path / "s", items, segment_s=7.0)
    assert len(list((tmp_path / "s").glob("*.parquet"))) == 5
    assert stream(found.items()).form() == stream(items).form()


def test_two_sources_come_back_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    items: list[Item] = []
    for n in range(100):
        items += [vent(n / 10, 10, n * 10**8), *([co2(n / 10 - 0.4, 4, n * 10**8 + 5)] if n % 2 else []), note(n / 10)]
    found = record(tmp_path / "s", items, TWO)
    read = [(type(item).__name__, getattr(item, "source", "")) for item in found.items()]
    assert read == [(type(item).__name__, getattr(item, "source", "")) for item in items]
    chunks = zip(found.items(), items, strict=True)
    for one, other in chunks:
        if isinstance(one, Chunk) and isinstance(other, Chunk):
            assert (one.start_s, one.received_ns) == (other.start_s, other.received_ns)
            assert {name: own.tobytes() for name, own in one.channels.items()} == {
                name: own.tobytes() for name, own in other.channels.items()
            }


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_program_that_died_left_what_it_had_flushed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The open part is cut at any byte: whole chunks from the beginning and nothing else."""
    folder = tmp_path_factory.mktemp("died") / "s"
    recorder = Recorder(folder, ONE, SIDECAR, segment_s=4.0, now=lambda: 0.0)
    items = contiguous(6)
    for n, item in enumerate(items):
        recorder.write(item)
        if n % 10 == 9:
            recorder.flush()
    recorder.abandon()
    (open_part,) = folder.glob("*.arrows")
    whole = open_part.read_bytes()
    open_part.write_bytes(whole[: data.draw(st.integers(0, len(whole)), label="cut")])
    read = stream(open_recording(folder).items())
    assert read.n >= 400  # the closed file
    assert read.n % 100 == 0
    assert read.samples(Channel.FLOW).tobytes() == stream(items).samples(Channel.FLOW)[: read.n].tobytes()


def test_a_killed_program_loses_a_second_at_most(tmp_path: Path) -> None:
    code = f"""
import os, signal, time
from pathlib import Path
from tests.support.builders.session_folder_files import ONE, SIDECAR, contiguous
from adapters.formats import session_parts
from adapters.recordings.recorder import Recorder
clock = [0.0]
recorder = Recorder(Path({str(tmp_path / "s")!r}), ONE, SIDECAR, now=lambda: clock[0])
for n, item in enumerate(contiguous(20)):
    clock[0] = n / 10
    recorder.write(item)
os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL
    read = stream(open_recording(tmp_path / "s").items())
    assert 1900 <= read.n <= 2000
    assert len(read.stretches) == 1


@pytest.mark.parametrize("junk", [b"", b"PAR1", random.Random(4).randbytes(64), b"\0" * 5000])
def test_a_damaged_file_is_told_and_the_others_are_read(tmp_path: Path, junk: bytes) -> None:
    record(tmp_path / "s", contiguous(30), segment_s=10.0)
    (tmp_path / "s" / "vent-0001.parquet").write_bytes(junk)
    read = stream(open_recording(tmp_path / "s").items())
    assert [(one.start_s, one.n) for one in read.stretches] == [(0.0, 1000), (20.0, 1000)]
    ((_, told),) = read.notices
    assert told.kind is NoticeKind.DAMAGED
    assert told.detail.startswith("vent-0001.parquet cannot be read and is left out")


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    record(tmp_path / "s", [*contiguous(1), note(0.5)])
    with (tmp_path / "s" / "events.jsonl").open("ab") as events:
        events.write(b'{"order": 3\n[1]\nnull\n\xff\xfe\n' + b"9" * 100_000 + b'\n{"order": 4, "at_s": nu')
    assert len(stream(open_recording(tmp_path / "s").items()).notices) == 1


def test_sessions_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    record(tmp_path / "empty", [note(1.0)])
    with pytest.raises(DecodeError, match="empty: this session holds no samples"):
        list(open_recording(tmp_path / "empty").items())
    record(tmp_path / "s", contiguous(1))
    (tmp_path / "s" / "session.json").write_text('{"ventstream_session": "x"}', encoding="utf-8")
    with pytest.raises(DecodeError, match=r"session\.json cannot be used"):
        list(open_recording(tmp_path / "s").items())
    with pytest.raises(DecodeError, match="is a folder"):
        open_recording(tmp_path)


def test_what_cannot_be_written_names_the_folder(tmp_path: Path) -> None:
    record(tmp_path / "s", contiguous(1))
    with pytest.raises(OutputError, match="s: cannot be written: File exists"):
        Recorder(tmp_path / "s", ONE, SIDECAR)
    recorder = Recorder(tmp_path / "t", ONE, SIDECAR)
    recorder.write(contiguous(1)[0])
    recorder._parts["vent"].file.close()
    with pytest.raises(OutputError, match="t: cannot be written: "):
        recorder.flush()
    recorder.abandon()


def test_the_manifest_is_plain(tmp_path: Path) -> None:
    record(tmp_path / "s", contiguous(1), TWO)
    found = json.loads((tmp_path / "s" / "session.json").read_text(encoding="utf-8"))
    assert found["ventstream_session"] == 1
    assert [one["label"] for one in found["sources"]] == ["vent", "co2"]


@pytest.mark.parametrize("rate", [b"0", b"-100", b"nan", b"inf", b"1e9"])
def test_a_rate_that_no_source_has_is_damage(tmp_path: Path, rate: bytes) -> None:
    record(tmp_path / "s", contiguous(30), segment_s=10.0)
    part = tmp_path / "s" / "vent-0001.parquet"
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"rate_hz": rate}), part)
    read = stream(open_recording(tmp_path / "s").items())
    assert [(one.start_s, one.n) for one in read.stretches] == [(0.0, 1000), (20.0, 1000)]
    ((_, notice),) = read.notices
    assert notice.detail.startswith("vent-0001.parquet cannot be read and is left out: a rate of ")
