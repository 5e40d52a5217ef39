"""What the operator wrote down, read and checked: sidecars, context files, ``[[bed.event]]``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from streamer.files.toml import Document
from streamer.model.context import GAS_VALUES, BloodGas, SessionEvent, Sidecar
from streamer.model.validation_errors import KeyPath


class Told(Protocol):
    """The lists of events and gases in a sidecar, or of a bed."""

    @property
    def event(self) -> Sequence[SessionEvent]: ...  # noqa: D102 (as in context.py)
    @property
    def blood_gas(self) -> Sequence[BloodGas]: ...  # noqa: D102


def read_sidecar(path: Path) -> Sidecar:
    """Read a sidecar or context file. Raises ``ConfigError`` with the line."""
    document = Document.open(path)
    if isinstance(document.tree.get("recording"), list):
        raise document.error(
            ("recording",), "a session file is for report; what holds of one recording has [recording]"
        )
    sidecar = document.read(Sidecar)
    refuse_untold(document, (), sidecar)
    return sidecar


def refuse_untold(document: Document, at: KeyPath, told: Told) -> None:
    """Refuse events and gases that do not say when, and gases that say nothing. Raises ``ConfigError``."""
    tables: dict[str, Sequence[SessionEvent | BloodGas]] = {"event": told.event, "blood_gas": told.blood_gas}
    for name, entries in tables.items():
        for index, entry in enumerate(entries):
            if entry.at_s is None and entry.at is None:
                remedy = "at_s = seconds on the device's clock, or at = 2020-06-01T08:00:00Z"
                raise document.error((*at, name, index), f"does not say when: give {remedy}")
            if isinstance(entry, BloodGas) and not any(getattr(entry, key) is not None for key in GAS_VALUES):
                raise document.error((*at, name, index), f"holds no value: give one of {', '.join(GAS_VALUES)}")
