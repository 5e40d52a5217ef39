"""The dialogue with a program that sends JSON objects and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.decoding.json_stream import Decoder
from adapters.devices.conversation import OneWay
from streamer.model.chunk import Chunk
from streamer.model.records import Notice

GAP_S = 1.0


class JsonListener(OneWay):
    """The dialogue: the sender only sends. Only where the count is the clock does silence take its time."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def feed(self, piece: bytes) -> Sequence[Chunk | Notice]:
        """What the bytes so far complete."""
        silent_s, self._silent_s = self._silent_s, 0.0
        samples = self._decoder.samples
        if silent_s > GAP_S and samples.good_rows and not self._decoder.is_timed:
            samples.restart(samples.now_s + silent_s)
        return self._decoder.feed(piece)
