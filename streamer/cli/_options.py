"""Arguments and options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from streamer.model.errors import ConfigError


def speed_of(text: str) -> float:
    """``1``, ``10``, ``max``."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0 or (math.isinf(speed) and text != "max"):
        raise ConfigError(f"--speed {text!r}: give a number above 0, or max")
    return speed


Recordings = Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="Files, or folders of them.")]
OneRecording = Annotated[Path, typer.Argument(metavar="RECORDING", help="A file of any readable format.")]
Speed = Annotated[str, typer.Option(help="1 for real time, 10 for ten times as fast, or max.")]
Broker = Annotated[str | None, typer.Option(metavar="URL", help="mqtt://HOST[:PORT]; without it a broker is started.")]
BrokerConfig = Annotated[
    Path | None, typer.Option("--config", metavar="CONFIG", help="Configuration whose [broker] and [wire] are used.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Its first line is the broker's password, for mqtt://USER@HOST; else the variable VENTSTREAM_PASSWORD.",
    ),
]
Format = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="Format, where recognition fails; see formats.")
]
Rate = Annotated[float | None, typer.Option(metavar="HZ", help="Samples per second, where the file does not say.")]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit status 1 where something is suspect, damaged or dropped; results are kept."),
]
Context = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="TOML with patient context, events, blood gases. Its keys win over the sidecar's; "
        "its list of events, or of gases, replaces the sidecar's.",
    ),
]
