"""What every adapter must do, as functions; ``tests/laws/test_adapter_contract.py`` calls them for all of them.

Notices are compared with their place in the stream of samples, so that "the same" means the same order too.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, Chunk, FloatArray
from streamer.model.errors import DecodeError, VentstreamError
from streamer.model.records import Notice

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
PLAUSIBLE = {Channel.PAW: (-60.0, 160.0), Channel.FLOW: (-6.0, 6.0), Channel.PCO2: (-10.0, 160.0)}
Item = Chunk | Notice


def recordings(pattern: str) -> list[Any]:
    """Parameters, one a file; one that skips where the recordings are absent."""
    found = sorted(RECORDINGS.glob(pattern))
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no recordings {pattern} beside the repository"))]
    return [pytest.param(path, id=path.name[:24], marks=pytest.mark.recordings) for path in found]


@dataclass
class Stretch:
    start_s: float
    rate_hz: float
    pieces: list[dict[Channel, FloatArray]] = field(default_factory=list)

    @property
    def n(self) -> int:
        return sum(next(iter(piece.values())).size for piece in self.pieces)

    def joined(self) -> dict[Channel, FloatArray]:
        return {name: np.concatenate([piece[name] for piece in self.pieces]) for name in self.pieces[0]}


@dataclass
class Stream:
    """A stream without its cutting: contiguous stretches, and notices with the number of samples before each."""

    stretches: list[Stretch] = field(default_factory=list)
    notices: list[tuple[int, Notice]] = field(default_factory=list)
    error: str | None = None

    @property
    def n(self) -> int:
        return sum(stretch.n for stretch in self.stretches)

    def samples(self, channel: Channel) -> FloatArray:
        return np.concatenate([piece[channel] for stretch in self.stretches for piece in stretch.pieces])

    def form(self) -> tuple[object, ...]:
        """Something that ``==`` compares, NaN and the sign of zero included."""
        stretches = [
            (stretch.start_s, stretch.rate_hz, {name: samples.tobytes() for name, samples in stretch.joined().items()})
            for stretch in self.stretches
        ]
        return stretches, self.notices, self.error


def stream(items: Iterable[Item]) -> Stream:
    """Collect items, and the error that ends them."""
    found = Stream()
    try:
        for item in items:
            if isinstance(item, Notice):
                found.notices.append((found.n, item))
            elif len(item):
                _append(found, item)
    except VentstreamError as error:
        found.error = f"{type(error).__name__}: {error}"
    assert found.error is None or "\n" not in found.error
    return found


def _append(found: Stream, chunk: Chunk) -> None:
    last = found.stretches[-1] if found.stretches else None
    expected_s = last.start_s + last.n / last.rate_hz if last else None
    other = last is not None and last.pieces[-1].keys() != chunk.channels.keys()  # a second source
    if last is None or expected_s is None or other or abs(chunk.start_s - expected_s) > 0.5 / chunk.rate_hz:
        found.stretches.append(Stretch(chunk.start_s, chunk.rate_hz))
    found.stretches[-1].pieces.append(dict(chunk.channels))


def check(items: Iterable[Item]) -> Stream:
    """Canonical units in plausible ranges, read-only arrays, each source contiguous or with a declared gap forwards."""
    items = list(items)
    for item in items:
        assert isinstance(item, Chunk | Notice)
        if isinstance(item, Notice):
            assert np.isfinite(item.at_s)
            assert "\n" not in item.detail
            continue
        assert MIN_RATE_HZ <= item.rate_hz <= MAX_RATE_HZ
        assert item.channels
        for name, samples in item.channels.items():
            assert samples.dtype == np.float64
            assert samples.flags.c_contiguous
            with pytest.raises(ValueError, match="read-only"):
                samples[:1] = 0.0
            finite = samples[np.isfinite(samples)]
            low, high = PLAUSIBLE[Channel(name)]
            assert ((finite >= low) & (finite <= high)).all(), f"{name} {finite.min()} … {finite.max()}"
    for source in {item.source for item in items if isinstance(item, Chunk)}:
        stretches = stream(item for item in items if isinstance(item, Chunk) and item.source == source).stretches
        ends = [stretch.start_s + stretch.n / stretch.rate_hz for stretch in stretches]
        for end_s, after in zip(ends, stretches[1:], strict=False):
            assert after.start_s > end_s, "a stretch begins before the one before it ends"
    return stream(items)


def same_twice(read: Callable[[], Iterable[Item]]) -> Stream:
    """Read twice, checked, equal."""
    first, second = check(read()), check(read())
    assert first.form() == second.form()
    return first


def decoded(make: Callable[[], Any], pieces: Iterable[bytes]) -> Stream:
    """What a decoder gives for a transcript in pieces."""

    def items() -> Iterator[Item]:
        decoder = make()
        for piece in pieces:
            yield from decoder.feed(piece)
        yield from decoder.close()

    return stream(items())


def pieces(transcript: bytes, at: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(at), len(transcript)]
    return [transcript[first:last] for first, last in itertools.pairwise(edges)]


def prefix_rule(make: Callable[[], Any], transcript: bytes, cuts: Iterable[Sequence[int]] | None = None) -> Stream:
    """Every cut gives the same: at every byte of a small transcript and byte by byte, or as told."""
    whole = decoded(make, [transcript])
    if cuts is None:
        assert len(transcript) <= 4096, "say where to cut a long transcript"
        cuts = [*([at] for at in range(len(transcript) + 1)), range(1, len(transcript)), [0, 0, len(transcript)]]
    for at in cuts:
        assert decoded(make, pieces(transcript, at)).form() == whole.form(), f"cut at {list(at)[:5]}"
    return whole


async def closes_promptly(chunks: Callable[[Any], AsyncIterator[Item]], settings: Any) -> None:
    """A reader that stops, and one that is cancelled, leave nothing behind and do not wait."""
    async with asyncio.timeout(5), aclosing(chunks(settings)) as source:  # type: ignore[type-var]
        async for item in source:
            assert isinstance(item, Chunk | Notice)
            break

    began = asyncio.Event()

    async def read_forever() -> None:
        while True:
            async with aclosing(chunks(settings)) as source:  # type: ignore[type-var]
                async for _ in source:
                    began.set()

    task = asyncio.create_task(read_forever())
    async with asyncio.timeout(5):
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def refused(make: Callable[[], Any], transcript: bytes) -> str:
    """The one line with which a transcript is refused, whole and byte by byte."""
    whole = prefix_rule(make, transcript, [range(1, min(len(transcript), 3000))])
    assert whole.error is not None
    assert whole.n == 0
    assert whole.error.startswith(DecodeError.__name__)
    return whole.error
