"""The plan of a bed from a configuration of a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.cli.bed_plans import plans_of
from streamer.service.config import load_config


def planned(tmp_path: Path, source: str, context: str = "") -> Any:
    path = tmp_path / "c.toml"
    path.write_text(f'[[bed]]\nid = "one"\nsources = [{{ {source} }}]\n[bed.context]\n{context}\n', encoding="utf-8")
    return plans_of(load_config(path))[0]
