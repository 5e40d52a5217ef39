"""WFDB records: header and signals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

K = np.arange(500)
FLOW = np.round(30 * np.sin(K / 20) * 100).astype(np.int16)  # at 100/(L/min)
PAW = np.round((10 + 5 * np.sin(K / 20)) * 50).astype(np.int16)


def record(folder: Path, signals: Sequence[tuple[str, Any]], head: str = "", name: str = "rec") -> Path:
    """A record of one file of 16-bit numbers: (all of a signal's line behind the format) and its samples."""
    per_frame = [1 if not text.startswith("x") else int(text[1:].split()[0]) for text, _ in signals]
    frames = len(signals[0][1]) // per_frame[0]
    columns = [np.reshape(values, (frames, each)) for (_, values), each in zip(signals, per_frame, strict=True)]
    (folder / f"{name}.dat").write_bytes(np.hstack(columns).astype("<i2").tobytes())
    lines = [head or f"{name} {len(signals)} 100 {frames}", *(f"{name}.dat 16{text}" for text, _ in signals)]
    path = folder / f"{name}.hea"
    path.write_text("\n".join([*lines, "# <age>: 1 <name>: somebody", ""]), encoding="ascii")
    return path


def both(folder: Path, **more: Any) -> Path:
    return record(folder, [(" 100/L/min 16 0 0 0 0 FLOW", FLOW), (" 50(0)/mbar 16 0 0 0 0 Paw", PAW)], **more)
