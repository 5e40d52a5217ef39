"""Samples as lines of JSON in a file; ``devices.json_lines`` reads the same live.

A line is one sample, ``{"time_s": 1.23, "flow_l_s": 0.41, "paw_cmh2o": 12.5, "pco2_mmhg": null}``, or a block,
``{"time_s": 1.2, "rate_hz": 100, "flow_l_s": [0.41, 0.42], …}``. Another program's names are mapped by ``columns``;
objects without any of them are about something else and left out. Without times the count of samples is the clock and
needs a rate; then silence of more than a second is a gap of its length.
"""

from __future__ import annotations

from adapters.decoding.columns import conditions_of
from adapters.decoding.contract import ReadOptions
from adapters.decoding.json_fields import Fields, Unusable
from adapters.decoding.json_stream import STRANGE, Decoder
from adapters.decoding.text_rows import BOM
from streamer.model.context import Sidecar

__all__ = ["Decoder", "recognise", "told"]


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """Whether flow of a recorded file is of standard gas."""
    fields = Fields(options.columns, options.barometric_mmhg)
    for line in head.removeprefix(BOM).splitlines()[:STRANGE]:
        try:
            names = fields.read(line.strip()).names
        except Unusable:
            continue
        if names:
            return Sidecar(context=conditions_of(names))
    return Sidecar()


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line is an object with a waveform under its canonical name."""
    del name
    first = next(iter(head.removeprefix(BOM).lstrip().splitlines()), b"")
    try:
        return first.startswith(b"{") and bool(Fields({}).read(first.rstrip()).waveforms)
    except Unusable:
        return False
