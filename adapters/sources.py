"""The table of live sources. Floor 0: imports no source, so listing them costs nothing.

Adding one is one module with ``Settings`` and ``chunks`` (``streamer.chunk.Adapter``), its test, and one line in
``SOURCES``. The module may also have an ``Emulator`` (``streamer.chunk.Emulator``), which stands in for the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Source:
    """One line of the table.

    Attributes:
        about: What it is, in one line.
        needs: Options that a configuration must give, and what must be installed.
        emulated: Whether ``ventstream emulate`` can stand in for it.
    """

    about: str
    needs: str
    emulated: bool


SOURCES: Mapping[str, Source] = MappingProxyType({
    "pb840": Source("Puritan Bennett 840, serial port, 50 Hz", "port; serial ports: ventstream[serial]", emulated=True),
    "medibus": Source("Dräger MEDIBUS.X, serial port, 100 Hz", "port; serial ports: ventstream[serial]", emulated=True),
    "json_lines": Source("samples as lines of JSON over TCP, names mapped by columns", "port", emulated=True),
    "mqtt_samples": Source("the same objects from a topic of an MQTT broker", "url, topic", emulated=False),
})  # fmt: skip
"""Name of the adapter → what it is."""
