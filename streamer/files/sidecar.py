"""Read and check what the operator wrote down: sidecars, context files, ``[[bed.event]]``."""

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
    def event(self) -> Sequence[SessionEvent]:
        """Tables ``[[event]]``."""
        ...

    @property
    def blood_gas(self) -> Sequence[BloodGas]:
        """Tables ``[[blood_gas]]``."""
        ...


def read_sidecar(path: Path) -> Sidecar:
    """Read a sidecar or context file.

    Raises:
        ConfigError: The file cannot be read or is faulty; the message names the line.

    Examples:
        >>> read_sidecar(Path("replay_data/vcv_hold.toml")).context.mode
        'vcv'
    """
    document = Document.open(path)
    if isinstance(document.tree.get("recording"), list):
        raise document.error(
            ("recording",), "a patient file is for report; a sidecar describes one recording, in a table [recording]"
        )
    sidecar = document.read(Sidecar)
    refuse_untold(document, (), sidecar)
    return sidecar


def refuse_untold(document: Document, at: KeyPath, told: Told) -> None:
    """Refuse events and gases without a time, and gases without a value. Raises ``ConfigError``."""
    tables: dict[str, Sequence[SessionEvent | BloodGas]] = {"event": told.event, "blood_gas": told.blood_gas}
    for name, entries in tables.items():
        for index, entry in enumerate(entries):
            if entry.at_s is None and entry.at is None:
                remedy = "at_s = seconds on the device's clock, or at = 2020-06-01T08:00:00Z"
                raise document.error((*at, name, index), f"has no time: give {remedy}")
            if isinstance(entry, BloodGas) and not any(getattr(entry, key) is not None for key in GAS_VALUES):
                raise document.error((*at, name, index), f"has no value: give one of {', '.join(GAS_VALUES)}")
