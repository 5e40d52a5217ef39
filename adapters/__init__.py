"""Adapters: where waveforms come from. One module per live source, one per recorded format. They see floor 0 only.

**A live source** is a module with two names: ``Settings``, a frozen dataclass of its options, and ``async def
chunks(settings)``, which yields ``Chunk`` and ``Notice`` as fast as they come, until the source ends or raises
``DecodeError`` or ``SourceLost`` (``streamer.model.chunk.Adapter``). The name in a configuration is the module's name.

**A recorded format** is a module with ``recognise(head, name)`` and either a pure ``Decoder(options)`` with ``feed``
and ``close``, or ``read(path, options)``; and a line in ``formats.py``. ``recording.py`` is the adapter that plays
them all.

Both convert to canonical units once, at the door (``streamer.model.chunk.Channel``), mark what is missing with NaN in
its time slot, declare gaps by a chunk's start, report what they leave out, and are bounded in memory for any input.
"""

__distribution__ = "ventstream"
