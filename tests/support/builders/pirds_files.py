"""PIRDS logs, as text and as JSON."""

from __future__ import annotations

import json

from adapters.decoding.contract import ReadOptions
from adapters.formats import pirds


def lines(ms: int, pressure: int, flow: int) -> list[str]:
    return [f"1593299588:M:{kind}:A:0:{ms}:{value}" for kind, value in (("P", 10112), ("D", pressure), ("F", flow))]


def rows(n: int, start: int = 1000, step: int = 64) -> list[list[str]]:
    return [lines((start + step * k) % 2**32, 10 * (k % 99), 6000 * (k % 40)) for k in range(n)]


def transcript(*sets: list[str]) -> bytes:
    return "".join(f"{line}\n" for one in sets for line in one).encode()


def make(rate_hz: float | None = None) -> pirds.Decoder:
    return pirds.Decoder(ReadOptions(rate_hz=rate_hz))


def as_json(*sets: list[str], indent: int | None = None, ends: str = "[]") -> bytes:
    """The measurements of a log as objects of an array, or, without ``ends``, one after the other."""
    objects = []
    for line in (line for one in sets for line in one):
        _, _, kind, place, number, ms, value = line.split(":")
        known = {"event": "M", "type": kind, "loc": place, "num": int(number), "ms": int(ms), "val": int(value)}
        objects.append(json.dumps(known, indent=indent))
    return f"{ends[:1]}{(', ' if ends else chr(10)).join(objects)}{ends[1:]}".encode()
