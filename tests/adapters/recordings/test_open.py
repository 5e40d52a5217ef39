from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import formats
from adapters.decoding import inflate as _inflate
from adapters.decoding import unwrap as _wrapped
from adapters.recordings.open import Settings, chunks, open_recording
from streamer.analysis.recordings import expand
from streamer.model.chunk import Chunk
from streamer.model.errors import ConfigError, DecodeError, VentstreamError
from streamer.model.records import Notice
from tests.support.adapter_contract import RECORDINGS, stream

CSV = b"flow_l_s,paw_cmh2o\n0.5,7.04\n-1,25.5\n"
PB840 = b"BS, S:1,\n1.00, 5.00\n2.00, 6.00\nBE\n"


def put(path: Path, text: bytes | str) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    put(tmp_path / "a.toml", "[recording]\nrate_hz = 50\n[context]\nmode = 'vcv'\nheight_cm = 162\n")
    return put(tmp_path / "a.csv", CSV)


def test_a_session_file_beside_a_recording_is_not_its_sidecar(tmp_path: Path) -> None:
    put(tmp_path / "p1.toml", 'label = "P1"\n[[recording]]\npath = "p1.csv"\nrate_hz = 50\n')
    put(tmp_path / "p1.csv.toml", "[recording]\nrate_hz = 25\n")
    assert open_recording(put(tmp_path / "p1.csv", CSV)).options.rate_hz == 25
    (tmp_path / "p1.csv.toml").unlink()
    with pytest.raises(DecodeError, match="rate"):
        list(open_recording(tmp_path / "p1.csv").items())


def test_content_decides_before_the_name(tmp_path: Path) -> None:
    assert open_recording(put(tmp_path / "x.parquet", PB840)).format == "pb840"
    assert open_recording(put(tmp_path / "y.txt", CSV), rate_hz=50).format == "csv"
    assert open_recording(put(tmp_path / "z.csv", b"whatever\n")).format == "csv"  # then the name
    assert open_recording(put(tmp_path / "w.csv", b"1.00, 2.00\n"), format_name="pb840").format == "pb840"


def test_sidecar_context_and_option_each_override_the_one_before(csv: Path, tmp_path: Path) -> None:
    first = open_recording(csv)
    assert (first.options.rate_hz, first.sidecar.context.mode, first.sidecar.context.height_cm) == (50, "vcv", 162)
    put(tmp_path / "a.csv.toml", "[recording]\nrate_hz = 40\n[context]\nmode = 'psv'\n")
    assert open_recording(csv).sidecar.context.mode == "psv"  # the full name comes first
    context = put(
        tmp_path / "c.toml",
        "[recording]\nrate_hz = 100\n[context]\nheight_cm = 170\n[[event]]\nkind = 'prone'\nat_s = 1\n",
    )
    both = open_recording(csv, context=context)
    assert (both.options.rate_hz, both.sidecar.context.mode, both.sidecar.context.height_cm) == (100, "psv", 170)
    assert [event.kind for event in both.sidecar.event] == ["prone"]
    assert open_recording(csv, context=context, rate_hz=200).options.rate_hz == 200


def test_faults_of_the_user_are_config_errors(csv: Path, tmp_path: Path) -> None:
    bad = put(tmp_path / "c.toml", "[context]\npasive = 'asserted'\n")
    with pytest.raises(ConfigError, match=r"c\.toml:2: unknown key 'pasive'.*'passive'"):
        open_recording(csv, context=bad)
    with pytest.raises(ConfigError, match="unknown format 'pb8400': known are servo_u, pb840, "):
        open_recording(csv, format_name="pb8400")
    with pytest.raises(ConfigError, match="a rate of 3 Hz cannot be used"):
        open_recording(csv, rate_hz=3)
    with pytest.raises(ConfigError, match=r"b\.txt: the rate is given as 100 Hz"):
        list(open_recording(put(tmp_path / "b.txt", PB840), rate_hz=100).items())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x08\x00", "is compressed, but damaged: the file is cut short"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"PK\x03\x04....", "is a ZIP archive; unpack it"),
        (b"\x99PNG\r\n\x1a\n" + bytes(range(256)), r"not a recording that is known \(binary, .*ventstream formats"),
        (b"\0" * 5000, "not a recording that is known"),
        (b"x" * 500_000, "not a recording that is known"),
        (b"PAR1 and no more", "not readable as Parquet"),
        (b"time,flow,pressure\n1,2,3\n", "line 1: unknown column 'time'; did you mean time_s"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = put(tmp_path / "x.bin", content)
    with pytest.raises(DecodeError, match=says) as failure:
        list(open_recording(path, rate_hz=50).items())
    assert str(failure.value).startswith(str(path))
    assert str(failure.value).count("x.bin") == 1
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_around_text_is_taken_off(tmp_path: Path, csv: Path, encoding: str, *, packed: bool) -> None:
    content = csv.read_text("utf-8").encode(encoding)
    path = tmp_path / ("y.csv.gz" if packed else "y.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert stream(open_recording(path, rate_hz=50).items()).form() == stream(open_recording(csv).items()).form()
    assert open_recording(path).format == "csv"


@pytest.mark.parametrize("name", [None, "csv"])
def test_a_compressed_file_that_is_cut_short_keeps_what_was_good(tmp_path: Path, csv: Path, name: str | None) -> None:
    path = tmp_path / "y.csv.gz"
    packed = gzip.compress(csv.read_bytes())
    path.write_bytes(packed[: len(packed) - 8])
    recording = open_recording(path, rate_hz=100, format_name=name)
    found = stream(recording.items())
    assert found.error is None
    assert recording.damaged_rows >= 1
    assert found.notices[-1][1].detail == "the file is cut short: what stands before is kept"


def test_what_expands_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inflate, "RATIO_FROM", 2**16)
    path = put(tmp_path / "x.csv.gz", gzip.compress(b"flow_l_s\n" + b"0.50\n" * 200_000))
    with pytest.raises(DecodeError, match="expands more than 300-fold"):
        list(open_recording(path, rate_hz=50).items())


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return packed.getvalue()


@pytest.mark.parametrize("name", [None, "csv", "edf"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped("a.csv"), "is a ZIP archive; unpack it"),
        (zipped("[Content_Types].xml", "word/document.xml"), "is a Word document"),
        (zipped("mimetype", "content.xml"), "is a ZIP archive"),
        (b"BZh91AY", "is compressed with bzip2"),
        (b"\xfd7zXZ\x00\x00", "is compressed with xz"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive"),
        (b"\0" * 257 + b"ustar\x00", "is a tar archive"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel or Word file"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
        (b"\xff\xd8\xff\xe0", "is a picture"),
        (b"RIFF\0\0\0\0WAVE", "is sound"),
        (b"<?xml version='1.0'?>", "is XML"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\x80\x04\x95", "is a Python pickle"),
        (gzip.compress(b"RDX3\nX\n", mtime=0), "is an R data file"),
    ],
)
def test_what_is_no_recording_is_named_with_what_to_do(
    tmp_path: Path, content: bytes, says: str, name: str | None
) -> None:
    with pytest.raises(DecodeError, match=says) as failure:
        open_recording(put(tmp_path / "x.csv", content), rate_hz=50, format_name=name)
    assert "; " in str(failure.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"Smith, John, 1970-01-01\n" * 9, "text of 3 columns between commas"),
        (b"Smith;John\n" * 9, "text of 2 columns between semicolons"),
        (b"Smith John\n" * 9, "text, 9 lines or more of 2 words"),
        (b'{"name": "Smith"}', "text that looks like JSON"),
        (b"Smith" * 5 + b"\0\1\2" * 9, "binary, 48 % printable"),
    ],
)
def test_unknown_bytes_are_described_and_not_quoted(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(DecodeError, match=says) as failure:
        open_recording(put(tmp_path / "x.dat", content))
    assert "Smith" not in str(failure.value)


def test_what_is_no_file_is_one_line(tmp_path: Path, csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, says in (
        (tmp_path, "is a folder"),
        (tmp_path / "none.csv", "cannot be read: No such file or directory"),
        (csv / "x", "cannot be read: Not a directory"),
        (Path("/dev/null"), "is not a regular file"),
        (Path("a\0b"), "cannot be read"),
    ):
        with pytest.raises(DecodeError, match=says) as failure:
            open_recording(path)
        assert "\n" not in str(failure.value)
    monkeypatch.setattr(Path, "open", lambda *_args, **_more: os.open("/", os.O_WRONLY))  # any OSError will do
    with pytest.raises(DecodeError, match="cannot be read"):
        open_recording(csv)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_one_line(csv: Path) -> None:
    csv.chmod(0)
    with pytest.raises(DecodeError, match="Permission denied"):
        open_recording(csv)


def test_damage_is_counted_anew_at_every_reading(tmp_path: Path) -> None:
    found = open_recording(put(tmp_path / "x", PB840 + b"1.0\n\xff\n1.00, 5.00\n" * 30))
    for _ in range(2):
        list(found.items())
        assert (found.damaged_rows, found.dropped_rows) == (60, 0)


def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "x", b"BS, S:1,\n" + b"".join(b"%d.%02d, 5.00\n" % (k % 60, k % 97) for k in range(60_000)))
    whole = stream(open_recording(path).items())
    assert whole.n == 60_000 > _wrapped.BLOCK / 12
    monkeypatch.setattr(_wrapped, "BLOCK", 1001)
    assert stream(open_recording(path).items()).form() == whole.form()


async def test_as_an_adapter_it_says_what_is_not_there(csv: Path) -> None:
    with pytest.raises(DecodeError, match=r"none\.csv"):
        _ = [item async for item in chunks(Settings(path=csv.with_name("none.csv")))]


def test_every_format_of_the_table_loads_and_has_what_it_needs() -> None:
    for name, known in formats.FORMATS.items():
        module = known.load()
        assert known.module == module.__name__
        assert not module.recognise(b"", "")
        assert callable(getattr(module, "Decoder", None) or module.read), name
        assert known.about


def test_listing_the_formats_imports_no_parser() -> None:
    code = "import sys, adapters.formats; print(sorted({'numba', 'pyarrow', 'pandas'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout.strip() == "[]"


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300)
    | st.binary(max_size=60).map(lambda junk: CSV + junk)
    | st.binary(max_size=60).map(lambda junk: junk + PB840)
)
def test_no_file_ends_in_anything_but_our_errors(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "fuzz.csv", content)
    for name in (None, *formats.FORMATS):
        said = ""
        try:
            for item in open_recording(path, rate_hz=50.0, format_name=name).items():
                assert isinstance(item, Chunk | Notice)
        except VentstreamError as error:
            said = str(error)
        assert "\n" not in said


def opened(path: Path) -> Iterator[Chunk | Notice]:
    yield from open_recording(path).items()


@pytest.mark.recordings
def test_every_recording_there_is_reads_or_is_refused_in_one_line() -> None:
    paths = sorted(RECORDINGS.glob("*/*"))
    if not paths:
        pytest.skip("no recordings beside the repository")
    read = set()
    for path in paths:
        found = stream(opened(path))
        if found.error is None:
            assert any(np.isfinite(found.samples(name)).any() for name in found.stretches[0].joined())
            read.add(path.parent.name)
        else:
            assert f": {path}: " in found.error
    assert read == {
        "draeger-medibus-testlung",
        "getinge-servo-u",
        "illinois-rapidvent-bench",
        "pb840-ventmap",
        "pb840-ventmode",
        "pirds-ventmon",
        "resmed-edf-airsense",
        "respiraworks-quicklung",
    }


def test_a_link_to_nothing_and_what_is_packed_twice_are_named(tmp_path: Path, csv: Path) -> None:
    (tmp_path / "gone.csv").symlink_to("nowhere.csv")
    with pytest.raises(DecodeError, match="it is a link to what is not there"):
        open_recording(tmp_path / "gone.csv")
    (tmp_path / "twice.csv.gz").write_bytes(gzip.compress(gzip.compress(csv.read_bytes())))
    with pytest.raises(DecodeError, match="compressed twice; unpack it once"):
        open_recording(tmp_path / "twice.csv.gz")


@pytest.mark.parametrize("target", [".", "..", "../links"])
def test_a_link_back_to_a_folder_above_gives_no_recording_twice(tmp_path: Path, csv: Path, target: str) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "a.csv").write_bytes(csv.read_bytes())
    (folder / "again").symlink_to(target, target_is_directory=True)
    found, _ = expand([folder])
    assert [path.name for path in found].count("a.csv") == 1


def test_a_format_that_was_named_wrongly_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time_s,flow_l_s\n" + "".join(f"{k / 50:.2f},{k % 8}\n" for k in range(60)))
    for name in ("servo_u", "pirds", "poly5", "edf"):
        with pytest.raises(DecodeError, match=f"; leave out --format {name}: it is read as csv then"):
            list(open_recording(path, format_name=name).items())
    path.write_text("nothing that is known\n" * 9)
    with pytest.raises(DecodeError, match=r"; leave out --format servo_u$"):
        list(open_recording(path, format_name="servo_u").items())
