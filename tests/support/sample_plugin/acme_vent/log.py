"""Acme monitor, text log: a line ``#acme``, then rows ``flow,pressure`` in L/min and cmH2O at 50 Hz."""

from __future__ import annotations

from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.text_rows import Rows, Scanner, shown
from adapters.formats import Format
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.records import Notice
from streamer.model.units import S_PER_MIN

FORMAT = Format(__name__, (), "Acme monitor, text log: flow, pressure; 50 Hz", is_fixed=True)


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line is that of an Acme log."""
    del name
    return head.startswith(b"#acme\n")


class Decoder:
    """Bytes of a log → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        options.units[Channel.FLOW] = "flow_l_min"
        self._scanner = Scanner(2, ",")
        self._samples = Samples("acme", 50.0, _channels)

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete."""
        for part in self._scanner.feed(piece):
            self._take(part)
        return self._samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no usable row."""
        for part in self._scanner.close():
            self._take(part)
        return self._samples.close()

    def _take(self, part: object) -> None:
        if isinstance(part, Rows):
            self._samples.rows(part.values)
        elif part.line > 1:
            self._samples.damaged(part.line, f"{shown(part.text)} is no row")


def _channels(values: FloatArray) -> dict[Channel, FloatArray]:
    return {Channel.FLOW: values[:, 0] / S_PER_MIN, Channel.PAW: values[:, 1]}
