"""Blocks of rows ``(n, columns)`` of a table → chunks, by count or by their time column. Used by the binary tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from adapters.decoding.columns import Columns
from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.stamped_grid import Clock
from streamer.model.chunk import Chunk, FloatArray
from streamer.model.records import Notice

REMEDY = "give --rate HZ, or rate_hz under [recording] in the sidecar"


HUGE = 1e30
"""No measurement; beyond it arithmetic might overflow."""


def measured(values: Any) -> FloatArray:
    """Numbers of any type as doubles, and NaN for what can be no measurement."""
    with np.errstate(all="ignore"):
        plain = np.asarray(values, dtype=np.float64)
    found: FloatArray = np.where(np.abs(plain) < HUGE, plain, np.nan)
    return found


def by_count(samples: Samples, blocks: Iterator[FloatArray]) -> Iterator[Chunk | Notice]:
    """The row count is the clock. Raises ``DecodeError`` when no row had a number."""
    for values in blocks:
        samples.rows(values)
        yield from samples.take()
    yield from samples.close()


def by_stamps(
    samples: Samples, blocks: Iterator[FloatArray], table: Columns, options: ReadOptions
) -> Iterator[Chunk | Notice]:
    """Every row has a time. Raises ``DecodeError`` when no row had a number, or the times give no rate."""
    clock = Clock(samples, options.rate_hz, REMEDY)
    row = 0
    for values in blocks:
        stamps = table.seconds(values)
        done = 0
        for at in np.flatnonzero(~np.isfinite(stamps)).tolist():
            clock.rows(stamps[done:at], values[done:at])
            clock.damaged(row + at + 1, "a row without time", values.shape[1])
            done = at + 1
        clock.rows(stamps[done:], values[done:])
        clock.settle()
        row += len(values)
        yield from samples.take()
    clock.settle(final=True)
    yield from samples.close()
