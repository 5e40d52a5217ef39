"""What is installed with us: adapters by name, bundled files, and strangers. Floor 3.

``streamer`` never imports ``adapters`` statically: a name in a configuration decides, so that a missing vendor library
matters only to its user. Both package names are popular; ``refuse_strangers`` notices a package of the same name that
an installer wrote over ours.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from streamer.errors import ConfigError
from streamer.faults import did_you_mean

PACKAGES = ("streamer", "adapters")
MARKER = '__distribution__ = "ventstream"'
"""A line of both packages' ``__init__.py``."""
_NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def find_adapter(name: str) -> ModuleType:
    """The module of an adapter: ``adapters.NAME``, or any installed module by its dotted name.

    Raises:
        ConfigError: No such adapter, or one that needs what is not installed.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"not the name of an adapter; known: {', '.join(known_adapters())}")
    module = _module(name)
    if module is None or not _is_adapter(module):
        raise ConfigError(f"there is no adapter {name!r}; {did_you_mean(name, dict.fromkeys(known_adapters()))}")
    return module


def find_emulator(name: str) -> ModuleType:
    """The module of a device that can be emulated: ``adapters.NAME``, or any installed module by its dotted name.

    Raises:
        ConfigError: No such device, or one that needs what is not installed.
    """
    module = _module(name) if _NAME.fullmatch(name) else None
    if module is None or not hasattr(module, "Emulator"):
        sources: Mapping[str, Any] = importlib.import_module("adapters.sources").SOURCES
        known = {known: source for known, source in sources.items() if source.emulated}
        raise ConfigError(f"there is no emulator of {name!r}; {did_you_mean(name, known)}")
    return module


def _module(name: str) -> ModuleType | None:
    """The module, None when there is none. Raises ``ConfigError`` when it needs what is not installed."""
    dotted = name if "." in name else f"adapters.{name}"
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name and not f"{dotted}.".startswith(f"{error.name}."):
            raise ConfigError(f"adapter {name!r} needs the module {error.name!r}, which is not installed") from None
        return None


def known_adapters() -> list[str]:
    """The names of the adapters that come with us, also of those that need what is not installed."""
    names = [found.name for found in pkgutil.iter_modules(importlib.import_module("adapters").__path__)]
    return [name for name in sorted(names) if not name.startswith("_") and _may_be_adapter(name)]


def _may_be_adapter(name: str) -> bool:
    try:
        return _is_adapter(importlib.import_module(f"adapters.{name}"))
    except ImportError:
        return True


def _is_adapter(module: ModuleType) -> bool:
    return hasattr(module, "Settings") and hasattr(module, "chunks")


def bundled(name: str) -> Path:
    """A file or folder that travels with the program: ``replay_data/…`` or ``config/…``.

    In a wheel these folders lie inside the package, in a checkout beside it.

    Raises:
        ConfigError: It is not there: an incomplete installation.
    """
    package = Path(__file__).parent
    for root in (package, package.parent):
        if (root / name).exists():
            return root / name
    raise ConfigError(f"{name} is missing from this installation; install ventstream again")


def refuse_strangers() -> None:
    """Stop when another distribution's ``streamer`` or ``adapters`` lies where ours should.

    Raises:
        ConfigError: Which one, where it lies, and what to do.
    """
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)  # does not run the stranger
        where = spec.origin if spec is not None else None
        if where is None:
            raise ConfigError(f"the package {name!r} of ventstream is not installed; install ventstream again")
        if MARKER not in Path(where).read_text(encoding="utf-8", errors="replace"):
            raise ConfigError(
                f"the package {name!r} at {Path(where).parent} is not ventstream's but another of the same name; "
                "install ventstream in a virtual environment of its own"
            )
