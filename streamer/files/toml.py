"""Read TOML into frozen types: sidecars, scenarios, configurations. Every error is one line that names its place.

``load(path, Sidecar)`` reads a file. ``Document`` does the same in steps, for a reader that chooses the type of a table
as it goes. Every fault of a file is a ``ConfigError``: ``ward.toml:7: unknown key 'pasive' in [context]; did you mean
'passive'?``
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as types

from streamer.files.toml_lines import find_lines
from streamer.model.errors import ConfigError
from streamer.model.validation_errors import KeyPath, did_you_mean, friendly, literal, one_line, path_of

T = TypeVar("T")

MAX_BYTES = 1_000_000
MAX_DEPTH = 16


def load(path: Path, kind: type[T]) -> T:
    """Read a TOML file as ``kind``, a msgspec Struct or a dataclass; unknown keys are errors.

    Raises:
        ConfigError: The file cannot be read, is not TOML or does not fit ``kind``.
    """
    return Document.open(path).read(kind)


def loads(text: str, kind: type[T], name: str) -> T:
    """Read TOML text as ``kind``; ``name`` stands for the file in messages. Raises ``ConfigError``."""
    return Document(text, name).read(kind)


class Document:
    """A parsed TOML text that knows the line of each key.

    Attributes:
        name: Name of the file in messages.
        tree: The text as ``tomllib`` parses it.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self._lines: dict[KeyPath, int] | None = None
        try:
            self.tree: dict[str, Any] = tomllib.loads(self._text)
        except RecursionError:
            raise ConfigError(one_line(f"{name}: nested too deeply (more than {MAX_DEPTH} levels)")) from None
        except tomllib.TOMLDecodeError as error:
            raise _syntax_error(name, str(error), self._text) from None
        except ValueError:  # integers of thousands of digits
            raise ConfigError(one_line(f"{name}: a number has too many digits")) from None
        self._check(self.tree, ())

    @classmethod
    def open(cls, path: Path) -> Document:
        """Read a file of at most 1 MB. Raises ``ConfigError``."""
        name = str(path)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(one_line(f"{name}: cannot be read: {reason}")) from None
        if len(raw) > MAX_BYTES:
            raise ConfigError(one_line(f"{name}: longer than {MAX_BYTES // 1_000_000} MB; is it a TOML file?"))
        try:
            return cls(raw.decode("utf-8"), name)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ConfigError(one_line(f"{name}:{line}: not UTF-8 text; save the file as UTF-8")) from None

    def read(self, kind: type[T], at: KeyPath = ()) -> T:
        """Convert the tree, or its part at ``at``, to ``kind``. Raises ``ConfigError``."""
        found = self.value(at)
        self._refuse_unknown(found, types.type_info(kind), at)
        try:
            return msgspec.convert(found, kind, dec_hook=_path_hook, builtin_types=(datetime, date, time))
        except msgspec.ValidationError as error:
            problem, _, place = str(error).rpartition(" - at `$")
            where = (*at, *path_of(place)) if problem else at
            raise self.error(where, friendly(problem or str(error), types.type_info(kind), where[len(at) :])) from None

    def value(self, at: KeyPath) -> Any:
        """The value at a key path that exists."""
        found: Any = self.tree
        for key in at:
            found = found[key]
        return found

    def error(self, at: KeyPath, problem: str) -> ConfigError:
        """An error to raise: ``NAME:LINE: [table] key = value: problem``."""
        shown = self._shown(at)
        try:
            found = self.value(at)
        except (KeyError, IndexError, TypeError):
            found = {}
        if at and not isinstance(found, dict | list) and not re.search("password|secret|token", str(at[-1])):
            shown += f" = {literal(found)}"
        return ConfigError(one_line(f"{self._place(at)}: {shown}{': ' if shown else ''}{problem}"))

    def _shown(self, at: KeyPath) -> str:
        """``[context] height_cm``, ``[[bed]] sources[1].speed``."""
        head = self.tree.get(str(at[0])) if at else None
        is_array = isinstance(head, list) and bool(head) and isinstance(head[0], dict)
        title = f"[[{at[0]}]]" if is_array else f"[{at[0]}]" if isinstance(head, dict) else ""
        rest = at[1 + is_array :] if title else at
        inner = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in rest)
        return f"{title} {inner.removeprefix('.')}".strip()

    def _place(self, at: KeyPath) -> str:
        if self._lines is None:
            self._lines = find_lines(self._text)
        line = next((self._lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self._lines), None)
        return self.name if line is None else f"{self.name}:{line}"

    def _check(self, found: Any, at: KeyPath) -> None:
        """Refuse values that no setting may have: nan, infinity, integers beyond 64 bits, deep nesting."""
        if len(at) > MAX_DEPTH:
            raise ConfigError(one_line(f"{self.name}: nested too deeply (more than {MAX_DEPTH} levels)"))
        if isinstance(found, float) and not math.isfinite(found):
            raise self.error(at, "expected a finite number")
        if isinstance(found, int) and abs(found) >= 2**63:
            raise self.error(at, "the number is too large")
        if isinstance(found, dict | list):
            for key, inner in found.items() if isinstance(found, dict) else enumerate(found):
                self._check(inner, (*at, key))

    def _refuse_unknown(self, found: Any, kind: types.Type, at: KeyPath) -> None:
        for part in kind.types if isinstance(kind, types.UnionType) else (kind,):
            if isinstance(part, types.StructType | types.DataclassType) and isinstance(found, dict):
                fields = {field.encode_name: field.type for field in part.fields}
                for key, inner in found.items():
                    if key not in fields:
                        raise self.unknown((*at, key), fields)
                    self._refuse_unknown(inner, fields[key], (*at, key))
            elif (item := getattr(part, "item_type", None)) is not None and isinstance(found, list):
                for index, inner in enumerate(found):
                    self._refuse_unknown(inner, item, (*at, index))
            elif isinstance(part, types.DictType) and isinstance(found, dict):
                for key, inner in found.items():
                    self._refuse_unknown(inner, part.value_type, (*at, key))

    def unknown(self, at: KeyPath, known: Mapping[str, object]) -> ConfigError:
        """An error to raise for an unknown key, with the known key that was probably meant."""
        *table, key = at
        inside = f" in {self._shown(tuple(table))}" if table else ""
        return ConfigError(one_line(f"{self._place(at)}: unknown key {key!r}{inside}; {did_you_mean(str(key), known)}"))


def _syntax_error(name: str, problem: str, text: str) -> ConfigError:
    what, _, place = problem.rpartition(" (at ")
    at = re.match(r"line (\d+), column (\d+)", place)
    line = at[1] if at else len(text.rstrip().split("\n"))  # "end of document": where the text stops
    remedy = '; text stands in quotes: mode = "vcv"' if what == "Invalid value" else ""
    return ConfigError(one_line(f"{name}:{line}: not TOML: {what}" + (f" (column {at[2]})" if at else "") + remedy))


def _path_hook(kind: type, found: object) -> object:
    if kind is Path and isinstance(found, str) and "\0" not in found:
        return Path(found)
    raise ValueError("expected a path, written as text")
