"""Packages of the same name, and packages that are not there: said in one line, and never run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamer.files import strangers
from streamer.files.strangers import refuse_strangers
from streamer.model.errors import ConfigError


def test_our_own_packages_are_known() -> None:
    refuse_strangers()


def test_a_stranger_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = tmp_path / "adapters"
    stranger.mkdir()
    (stranger / "__init__.py").write_text("raise SystemExit('strangers are never run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "adapters", raising=False)
    with pytest.raises(ConfigError) as caught:
        refuse_strangers()
    assert str(caught.value) == (
        f"the package 'adapters' at {stranger} is not ventstream's but another of the same name; "
        "install ventstream in a virtual environment of its own"
    )


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "PACKAGES", ("streamer", "no_such_package"))
    with pytest.raises(ConfigError, match="the package 'no_such_package' of ventstream is not installed"):
        refuse_strangers()
