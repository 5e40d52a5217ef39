"""The public surface, pinned."""

from __future__ import annotations

import subprocess
import sys

import pytest

import streamer

PUBLIC = {
    "Bed", "BloodGas", "Breath", "BreathRecord", "Channel", "Chunk", "Context", "CoreSettings", "Event", "Flag",
    "Notice", "NoticeKind", "RecursiveFit", "SessionEvent", "Stat", "Summary",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(streamer.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(streamer, name) is not None
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = streamer.Nonsense


def test_importing_the_package_loads_no_arrays() -> None:
    code = "import sys, streamer; print(*sorted({'numpy', 'numba', 'pandas', 'msgspec'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
