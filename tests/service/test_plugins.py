"""Adapters by name, bundled files, strangers of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.files.bundled import bundled
from streamer.model.errors import ConfigError
from streamer.service.plugins import find_adapter, known_adapters


def test_adapters_by_name() -> None:
    assert {"recording", "simulator"} <= set(known_adapters())
    assert find_adapter("recording").__name__ == "adapters.recordings.open"
    assert find_adapter("adapters.recordings.open") is find_adapter("recording")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("recordng", "there is no adapter 'recordng'; did you mean 'recording'?"),
        ("zzz", "there is no adapter 'zzz'; known: "),
        ("csv_table", "there is no adapter 'csv_table'"),
        ("math.pi", "there is no adapter 'math.pi'"),
        ("os; rm", "not the name of an adapter; known: "),
        ("../x", "not the name of an adapter"),
        ("", "not the name of an adapter"),
        ("_text", "not the name of an adapter"),
    ],
)
def test_names_that_are_none(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_adapter(name)
    assert str(caught.value).startswith(message)


def test_a_missing_vendor_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_adapter.py").write_text("import acme_driver\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"adapter 'acme_adapter\.x' needs the module 'acme_driver'"):
        find_adapter("acme_adapter.x")


def test_bundled_files() -> None:
    assert (bundled("config") / "default.toml").is_file()
    with pytest.raises(ConfigError, match="no_such_thing is missing from this installation"):
        bundled("no_such_thing")
