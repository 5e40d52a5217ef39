"""What is fuzzed: for each format and live dialogue a function of any bytes, and valid inputs to begin with."""

from __future__ import annotations

import functools
import gzip
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.formats import FORMATS
from adapters.recordings.open import open_recording
from tests.support.adapter_contract import Item, Stream, decoded, pieces, stream
from tests.support.format_seeds import SEEDS, TALKS, Seed, heard

TAIL = 6
"""Bytes at an input's end that say where to cut it, and what is known of the recording."""
LIVE = {f"live {name}": talk for name, talk in TALKS.items()}
PACKED = "vital unpacked"
"""Fuzzed inside its compression."""
NAMES = (*SEEDS, PACKED, *LIVE)


def inputs(name: str) -> list[bytes]:
    """Valid ones, each with some ways to cut it."""
    text = LIVE[name][1] if name in LIVE else SEEDS[name.removesuffix(" unpacked")].content
    text = gzip.decompress(text) if name == PACKED else text
    whole = [text + tail for tail in (b"\0" * TAIL, bytes(range(20, 20 + TAIL)), b"\x80\x10\xf0\x81\x33\x07")]
    return [*whole, *(text[: len(text) * part // 8] + b"\x40" * TAIL for part in (1, 3))]  # short ones are faster


def target(name: str) -> Callable[[bytes], None]:
    """Raises for an input that shows a fault."""
    if name in LIVE:
        return lambda given: _talk(LIVE[name][0], given)
    seed = SEEDS[name.removesuffix(" unpacked")]
    module = FORMATS[seed.format].load()
    folder = Path(tempfile.mkdtemp(prefix="ventstream-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    columns = seed.opened(folder).options.columns
    if hasattr(module, "Decoder"):
        return lambda given: _cut(module, seed, columns, given)
    pack = functools.partial(gzip.compress, compresslevel=1) if name == PACKED else bytes
    return lambda given: _opened(seed, folder, given, pack)


def _apart(given: bytes) -> tuple[bytes, list[int], int]:
    """The recording, where to cut it, and a number for all else."""
    text, tail = given[:-TAIL], given[-TAIL:].ljust(TAIL, b"\0")
    *places, choice = tail
    if choice & 4:
        return text, list(range(1, min(len(text), 300))), choice
    return text, sorted(place * len(text) // 255 for place in places), choice


def _cut(module: Any, seed: Seed, columns: Mapping[str, str], given: bytes) -> None:
    text, cuts, choice = _apart(given)
    module.recognise(text[:65_536], seed.file)
    rate_hz = 50.0 if choice & 1 and seed.format != "pb840" else seed.rate_hz
    options = ReadOptions(rate_hz=rate_hz, columns=columns)
    whole = decoded(lambda: module.Decoder(options), [text])
    look(whole)
    parts = decoded(lambda: module.Decoder(options), pieces(text, cuts))
    assert whole.form() == parts.form(), f"cut at {cuts}"


def _opened(seed: Seed, folder: Path, given: bytes, pack: Callable[[bytes], bytes]) -> None:
    text, _, choice = _apart(given)
    (folder / seed.file).write_bytes(pack(text))
    look(stream(_items(seed, folder, 50.0 if choice & 1 else seed.rate_hz)))


def _items(seed: Seed, folder: Path, rate_hz: float | None) -> Iterator[Item]:
    path = folder / (seed.opens or seed.file)
    yield from open_recording(path, format_name=seed.format, rate_hz=rate_hz).items()


def _talk(make: Callable[[], Any], given: bytes) -> None:
    """Heard whole and in parts; then in parts with silence between."""
    text, cuts, choice = _apart(given)
    whole, parts = (stream(heard(make(), given)) for given in ([text], pieces(text, cuts)))
    look(whole)
    for found in (whole, parts):  # how many bytes came without a row is reckoned by what comes at once
        found.notices = [(n, notice) for n, notice in found.notices if "without a single row" not in notice.detail]
    assert parts.form() == whole.form(), f"cut at {cuts}"
    look(stream(heard(make(), pieces(text, cuts), (0.4, 1.0 + choice / 8, 0.0))))


def look(found: Stream) -> None:
    """What must hold of anything."""
    assert found.error is None or found.error.isprintable(), found.error
    for _, notice in found.notices:
        assert np.isfinite(notice.at_s)
        assert notice.detail.isprintable(), notice.detail
    for stretch in found.stretches:
        assert not any(np.isinf(samples).any() for samples in stretch.joined().values())
