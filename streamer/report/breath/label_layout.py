"""Layout of labels along an axis so that they do not overlap."""

from __future__ import annotations


def spread(places: list[float], apart: float) -> list[float]:
    """Move ascending places as little as necessary until neighbours are ``apart``.

    Places that are too close become a block around their common middle; blocks that then touch become one.
    """
    blocks: list[list[float]] = []
    for place in places:
        blocks.append([place])
        while len(blocks) > 1 and _first(blocks[-1], apart) - _last(blocks[-2], apart) < apart:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [_first(block, apart) + apart * number for block in blocks for number in range(len(block))]


def within(places: list[float], apart: float, low: float, high: float) -> list[float]:
    """The same within two ends, which must leave room for all."""
    found = spread(places, apart)
    last = len(found) - 1
    found = [min(place, high - apart * (last - number)) for number, place in enumerate(found)]
    return [max(place, low + apart * number) for number, place in enumerate(found)]


def _first(block: list[float], apart: float) -> float:
    return sum(block) / len(block) - apart * (len(block) - 1) / 2.0


def _last(block: list[float], apart: float) -> float:
    return _first(block, apart) + apart * (len(block) - 1)
