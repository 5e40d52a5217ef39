"""``python -m streamer.wire``: the AsyncAPI document of the interface, on standard output."""

from __future__ import annotations

import sys

import msgspec

from streamer.wire.asyncapi import asyncapi_document

sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(asyncapi_document()), indent=2) + b"\n")
