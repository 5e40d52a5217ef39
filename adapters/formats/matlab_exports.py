"""MATLAB files that other programs export and that say all themselves: LabChart and AcqKnowledge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adapters.decoding.named_arrays import Array
from adapters.decoding.table_blocks import measured
from adapters.formats.npz import table_of
from streamer.model.errors import DecodeError

_LABCHART = frozenset({"data", "datastart", "dataend", "titles", "samplerate"})
_ACQKNOWLEDGE = frozenset({"data", "labels", "isi"})
_PER_SECOND = {"s": 1.0, "ms": 1000.0, "us": 1e6}
_S_PER_DAY = 86_400.0
_FAULTS = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)
"""What numpy raises where an array is another than its name says."""


def exported(variables: Mapping[str, Any]) -> list[Array]:
    """The channels of such a file; none for any other. Raises ``DecodeError``."""
    layouts = ((_LABCHART, _labchart), (_ACQKNOWLEDGE, _acqknowledge))
    read = next((read for names, read in layouts if variables.keys() >= names), None)
    try:
        return read(variables) if read else []
    except _FAULTS:
        raise DecodeError("its channels do not fit the layout that its names are of; export it as text") from None


def _labchart(variables: Mapping[str, Any]) -> list[Array]:
    """LabChart: all samples in one vector; for each channel and block where they begin and end, unit and rate.

    Blocks are placed by their dates, in days; the times of several are an array of their own.
    """
    data = np.ravel(variables["data"])
    nothing = np.full(np.shape(variables["datastart"]), -1)
    starts, ends, places = (
        _whole(variables.get(name, nothing), data.size) for name in ("datastart", "dataend", "unittextmap")
    )
    titles = [str(title).strip() for title in np.ravel(variables["titles"])]
    units = [str(unit).strip() for unit in np.ravel(variables.get("unittext", ""))]
    rates = np.atleast_2d(variables["samplerate"]).astype(np.float64)
    found: list[Array] = []
    for at, title in enumerate(titles):
        if (starts[at] < 1).any() or (ends[at] > data.size).any():
            continue  # a channel that was not recorded all the time
        samples = np.concatenate([data[first - 1 : last] for first, last in zip(starts[at], ends[at], strict=True)])
        unit = units[places[at, 0] - 1] if 0 < places[at, 0] <= len(units) else ""
        found += _channel(title, unit, samples, float(rates[at, 0]))
    blocks = starts.shape[1]
    if blocks > 1 and found:
        began_s = (np.ravel(variables["blocktimes"])[:blocks] - np.ravel(variables["blocktimes"])[0]) * _S_PER_DAY
        sizes, rate_hz = ends[0] - starts[0] + 1, rates[0, 0]
        stamps = [start_s + np.arange(size) / rate_hz for start_s, size in zip(began_s, sizes, strict=True)]
        found += table_of("time_s", np.concatenate(stamps))
    return found


def _whole(numbers: Any, most: int) -> Any:
    """Places ``(channels, blocks)``, counted from 1; -1 where there is none."""
    plain = np.nan_to_num(measured(np.atleast_2d(numbers)), nan=-1.0)
    return plain.clip(-1, most + 1).astype(np.int64)


def _acqknowledge(variables: Mapping[str, Any]) -> list[Array]:
    """AcqKnowledge: a column a channel, labels, units, and the time from sample to sample."""
    data = np.asarray(variables["data"])
    labels = [str(label).strip() for label in np.ravel(variables["labels"])]
    units = [str(unit).strip() for unit in np.ravel(variables.get("units", [""] * len(labels)))]
    per_second = _PER_SECOND[str(np.ravel(variables.get("isi_units", "s"))[0]).strip()]
    rate_hz = per_second / float(np.ravel(variables["isi"])[0])
    if data.ndim != 2 or data.shape[1] != len(labels):  # noqa: PLR2004 (a table)
        raise ValueError
    return [
        part
        for at, (label, unit) in enumerate(zip(labels, units, strict=True))
        for part in _channel(label, unit, data[:, at], rate_hz)
    ]


def _channel(label: str, unit: str, samples: Any, rate_hz: float) -> list[Array]:
    parts = table_of(label.replace("/", "|"), samples, unit)
    return [Array(part.name, part.size, part.read, unit, rate_hz) for part in parts]
