"""Adapters by the name that a configuration gives.

The tables ``adapters.devices`` and ``adapters.formats`` map names to modules, so that a missing vendor library matters
only to its user.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from types import ModuleType

from adapters.devices import devices
from streamer.model.errors import ConfigError
from streamer.model.validation_errors import did_you_mean

_NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_PLAYED = {"recording": "adapters.recordings.open", "simulator": "adapters.simulator"}
"""Adapters that are no devices."""


def known_adapters() -> dict[str, str]:
    """Name → module of every adapter that is installed, also of those that need what is not."""
    return _PLAYED | {name: device.module for name, device in devices().items()}


def find_adapter(name: str) -> ModuleType:
    """The module of an adapter: by its name in the tables, or any installed module by its dotted name.

    Raises:
        ConfigError: No such adapter, or one that needs what is not installed.
    """
    known = known_adapters()
    if not _NAME.fullmatch(name):
        raise ConfigError(f"not the name of an adapter; known: {', '.join(sorted(known))}")
    module = _module(name)
    if module is None or not (hasattr(module, "Settings") and hasattr(module, "chunks")):
        raise ConfigError(f"there is no adapter {name!r}; {did_you_mean(name, known)}")
    return module


def find_emulator(name: str) -> ModuleType:
    """The module of a device that can be emulated: by its name in the table, or any module by its dotted name.

    Raises:
        ConfigError: No such device, or one that needs what is not installed.
    """
    module = _module(name) if _NAME.fullmatch(name) else None
    if module is None or not hasattr(module, "Emulator"):
        emulated = {known: device for known, device in devices().items() if device.emulated}
        raise ConfigError(f"there is no emulator of {name!r}; {did_you_mean(name, emulated)}")
    return module


def _module(name: str) -> ModuleType | None:
    """The module, None when there is none. Raises ``ConfigError`` when it needs what is not installed."""
    known = known_adapters()
    plain = name.removeprefix("adapters.")  # as configurations of 0.1 may name ours
    dotted = known.get(plain, name)
    if "." not in dotted:
        return None
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name and not f"{dotted}.".startswith(f"{error.name}."):
            raise ConfigError(f"adapter {name!r} needs the module {error.name!r}, which is not installed") from None
        return None
