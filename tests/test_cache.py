"""Compiled code finds a place, also where nothing usual can be written."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamer.commands import cache


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Folders to be removed at the end; they are removed here."""
    found: list[str] = []
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    at_exit = SimpleNamespace(register=lambda _remove, folder, **_options: found.append(folder))
    monkeypatch.setattr(cache, "atexit", at_exit)
    return found


def test_a_home_that_cannot_be_written_gets_a_private_folder(
    registered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.os, "access", lambda _path, _mode: False)
    cache.ensure_cache()
    folder = Path(os.environ[cache.VARIABLE])
    assert registered == [str(folder)]
    assert folder.stat().st_mode & 0o077 == 0
    folder.rmdir()
    monkeypatch.delenv(cache.VARIABLE)


def test_usual_places_are_left_alone(registered: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "PACKAGE", tmp_path / "absent")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    cache.ensure_cache()
    assert cache.VARIABLE not in os.environ
    assert registered == []
