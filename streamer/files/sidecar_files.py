"""Sidecars and patient files on disk: find them, merge them with ``--context``, and write them as TOML.

``files.sidecar`` reads sidecars. A patient file names the recordings of one patient and has the tables of a sidecar.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from streamer.files.toml import Document
from streamer.model.context import PointSettings, Sidecar
from streamer.model.errors import ConfigError

S = TypeVar("S", bound=msgspec.Struct)


def sidecar_path(path: Path) -> Path:
    """Path at which the sidecar of a recording is written: ``name.csv`` → ``name.toml``."""
    return path.with_suffix(".toml")


def find_sidecar(path: Path) -> Path | None:
    """Find the sidecar beside a recording: ``name.csv.toml``, else ``name.toml``; for ``name.csv.gz`` the same names.

    A patient file of that name is not a sidecar.
    """
    path = path if path.name else path.absolute()  # the folder of a session, from inside it
    choices = [path.with_name(path.name + ".toml"), sidecar_path(path)]
    if path.suffix.lower() == ".gz":
        choices.append(sidecar_path(path.with_suffix("")))
    return next((choice for choice in choices if choice != path and choice.is_file() and not _names_many(choice)), None)


def _names_many(path: Path) -> bool:
    """Whether it is a patient file, which names its recordings in ``[[recording]]``; False for a faulty file."""
    try:
        return isinstance(Document.open(path).tree.get("recording"), list)
    except ConfigError:
        return False


def merged(under: Sidecar, over: Sidecar) -> Sidecar:
    """Merge two sidecars. ``over`` wins key by key; its list of events or blood gases replaces the other list."""
    return Sidecar(
        recording=_merged(under.recording, over.recording),
        context=_merged(under.context, over.context),
        event=over.event or under.event,
        blood_gas=over.blood_gas or under.blood_gas,
    )


def _merged(under: S, over: S) -> S:
    said = {
        field.name: getattr(over, field.name)
        for field in msgspec.structs.fields(over)
        if getattr(over, field.name) != field.default
    }
    return msgspec.structs.replace(under, **said)


def as_toml(sidecar: Sidecar) -> str:
    """The sidecar as TOML, without the keys that were never set."""
    return _joined(_table("[recording]", sidecar.recording), *_told(sidecar))


def session_toml(label: str, recordings: Sequence[str], sidecar: Sidecar) -> str:
    """A patient file as TOML.

    Args:
        label: Label of the patient, never an identity.
        recordings: Names of the files beside the patient file, in the order of time.
        sidecar: Context, events and gases; its ``recording`` is left out, since each recording has its own.
    """
    named = [f"[[recording]]\npath = {_literal(path)}\n" for path in recordings]
    return _joined(f"label = {_literal(label)}\n", *named, *_told(sidecar))


def cohort_toml(title: str, sessions: Sequence[str], points: PointSettings) -> str:
    """A cohort file as TOML: the patient files beside it, and the time points if they differ from the defaults."""
    return _joined(f"title = {_literal(title)}\nsessions = {_literal(list(sessions))}\n", _table("[points]", points))


def _told(sidecar: Sidecar) -> list[str]:
    events = [_table("[[event]]", event) for event in sidecar.event]
    gases = [_table("[[blood_gas]]", gas) for gas in sidecar.blood_gas]
    return [_table("[context]", sidecar.context), *events, *gases]


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _table(title: str, struct: msgspec.Struct) -> str:
    said = [
        f"{field.name} = {_literal(getattr(struct, field.name))}\n"
        for field in msgspec.structs.fields(struct)
        if getattr(struct, field.name) != _default(field)
    ]
    return f"{title}\n{''.join(said)}" if said else ""


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_literal(key)} = {_literal(found)}" for key, found in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(found) for found in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
