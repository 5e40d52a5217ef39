"""The table of live devices. It imports no device, so listing them costs nothing.

Adding one is one module with ``Settings`` and ``chunks`` (``streamer.model.chunk.Adapter``), its test, and one line in
``DEVICES``; from another distribution, an entry point ``ventstream.devices`` whose object is a ``Device``. The module
may also have an ``Emulator`` (``streamer.model.chunk.Emulator``), which stands in for the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from streamer.model import entry_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One live device: a line of the table.

    Attributes:
        module: Dotted name of the module with ``Settings`` and ``chunks``.
        about: What it is, in one line.
        needs: Options that a configuration must give, and what must be installed.
        emulated: Whether ``ventstream emulate`` can stand in for it.

    Examples:
        >>> devices()["pb840"].module, devices()["pb840"].emulated
        ('adapters.devices.pb840', True)
    """

    module: str
    about: str
    needs: str = ""
    emulated: bool = False


_SERIAL = "port; serial ports: ventstream[serial]"
DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        name: Device(module=f"{__name__}.{name}", about=about, needs=needs, emulated=name != "mqtt_samples")
        for name, about, needs in (
            ("pb840", "Puritan Bennett 840, serial port, 50 Hz", _SERIAL),
            ("medibus", "Dräger MEDIBUS.X, serial port, 100 Hz", _SERIAL),
            ("json_lines", "samples as lines of JSON over TCP, names mapped by columns", "port"),
            ("mqtt_samples", "the same objects from a topic of an MQTT broker", "url, topic"),
        )
    }
)
"""Name of the adapter → device of ours."""


@cache
def devices() -> Mapping[str, Device]:
    """Every installed device by name, the built-in ones first.

    Raises:
        ConfigError: An entry point is not a ``Device``, or has the name of a built-in device.

    Examples:
        >>> "json_lines" in devices()
        True
    """
    others = entry_points.loaded(entry_points.DEVICES, Device, DEVICES)
    return MappingProxyType({**DEVICES, **others})
