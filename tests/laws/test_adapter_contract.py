"""What every recorded format and every live device must do, over the seeds: a format joins with one line there.

The samples are canonical, the same at every reading and however the bytes are cut; a reader that stops is let go at
once; each recording is recognised by one format. Hostile input and memory: ``test_hostile*.py``, ``test_bounded.py``.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.decoding.contract import HEAD
from adapters.decoding.unwrap import unwrapped
from adapters.devices import DEVICES
from adapters.formats import FORMATS, MANIFEST
from adapters.recordings.open import Settings, chunks, open_recording
from streamer.model.errors import DecodeError
from tests.support.adapter_contract import (
    RECORDINGS,
    Stream,
    check,
    closes_promptly,
    pieces,
    prefix_rule,
    same_twice,
    stream,
)
from tests.support.format_seeds import SEEDS, TALKS, Seed, heard

EVERY = pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS.keys())
DECODED = {name: seed for name, seed in SEEDS.items() if not hasattr(FORMATS[seed.format].load(), "read")}
TALK = pytest.mark.parametrize("name", TALKS)
MOST_CUTS = 1500
"""Of a longer transcript some places are cut, and all of them at once."""


def cuts_of(n: int) -> list[Iterable[int]]:
    """Every place of ``n`` bytes, or evenly spread ones; then bytes one by one."""
    return [*([at] for at in range(0, n + 1, n // MOST_CUTS + 1)), range(1, n), [0, 0, n]]


def claimed(path: Path) -> list[str]:
    """Formats that know the file by its content; those of its suffix, if none does."""
    path = path / MANIFEST if path.is_dir() else path
    with path.open("rb") as file:
        head = file.read(HEAD)
    plain, inside = unwrapped(path, head, HEAD)
    names = {path.name: head} | ({plain.name: inside} if plain.is_packed or plain.encoding else {})
    known = {
        name: [one for one, form in FORMATS.items() if form.load().recognise(text, name)]
        for name, text in names.items()
    }
    found = next((claims for claims in known.values() if claims), [])
    return found or [name for name, one in FORMATS.items() if Path(plain.name).suffix.lower() in one.suffixes]


def test_every_format_and_every_device_has_joined() -> None:
    assert {seed.format for seed in SEEDS.values()} == set(FORMATS)
    assert set(TALKS) == set(DEVICES)


@EVERY
def test_a_seed_is_recognised_by_its_format_alone(seed: Seed, tmp_path: Path) -> None:
    assert claimed(seed.put(tmp_path)) == [seed.format]
    assert seed.opened(tmp_path, named=False).format == seed.format


FILES = [
    path
    for folder in (RECORDINGS, RECORDINGS.parent / "cases")
    for path in sorted(folder.rglob("*"))
    if path.is_file() and path.name not in {"README.md", "LICENSE"} and path.suffix != ".toml"
]


@pytest.mark.recordings
@pytest.mark.skipif(not FILES, reason="no recordings beside the repository")
def test_a_recording_made_by_others_is_recognised_by_one_format_at_most() -> None:
    for path in FILES:
        claims = claimed(path)
        try:
            assert claims == [open_recording(path).format], path
        except DecodeError:
            assert len(claims) <= 1, path


@EVERY
def test_it_gives_the_same_twice_and_as_an_adapter(seed: Seed, tmp_path: Path) -> None:
    path = seed.put(tmp_path)
    found = same_twice(open_recording(path, rate_hz=seed.rate_hz).items)
    assert found.n
    assert found.error is None

    async def played() -> Stream:
        settings = Settings(path=path, rate_hz=seed.rate_hz)
        items = [item async for item in chunks(settings)]
        await closes_promptly(chunks, settings)
        return stream(items)

    assert asyncio.run(played()).form() == found.form()


@pytest.mark.parametrize("seed", DECODED.values(), ids=DECODED.keys())
def test_every_cut_gives_the_same(seed: Seed, tmp_path: Path) -> None:
    recording = seed.opened(tmp_path)
    text = b"".join(recording.plain.pieces())
    module = FORMATS[seed.format].load()
    found = prefix_rule(lambda: module.Decoder(recording.options), text, cuts_of(len(text)))
    assert found.n == stream(recording.items()).n


@TALK
def test_a_device_gives_the_same_at_every_cut(name: str) -> None:
    make, text = TALKS[name]
    whole = check(heard(make(), [text]))
    assert whole.n
    for at in cuts_of(len(text)):
        assert stream(heard(make(), pieces(text, at))).form() == whole.form(), f"cut at {list(at)[:5]}"


@asynccontextmanager
async def talking(text: bytes) -> AsyncIterator[str]:
    """A port on loopback that says it again and again to all who connect."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(text)
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            pass  # it hung up
        finally:
            writer.close()

    def begin(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(talk(writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for one in talks:
            one.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


PORTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "pb840": lambda port: {"port": port},
    "medibus": lambda port: {"port": port},
    "json_lines": lambda port: {"port": port, "rate_hz": 50.0},
}
"""Device → its settings for a port that says what it says. One behind a broker stands in its own test."""


@pytest.mark.parametrize("name", PORTS)
async def test_a_device_closes_promptly(name: str) -> None:
    module = importlib.import_module(DEVICES[name].module)
    async with talking(TALKS[name][1]) as port:
        await closes_promptly(module.chunks, module.Settings(**PORTS[name](port)))


def test_only_a_device_behind_a_broker_has_no_port() -> None:
    assert set(DEVICES) - set(PORTS) == {"mqtt_samples"}
