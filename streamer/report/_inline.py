"""Embed a figure in a page, as SVG."""

from __future__ import annotations

import re

from matplotlib.figure import Figure

from streamer.report._markup import Html, tag
from streamer.report.breath.drawing import rendered

UNWANTED = (
    re.compile(r"^.*?(?=<svg)", re.DOTALL),  # what only a file of its own has
    re.compile(r"<metadata>.*?</metadata>", re.DOTALL),
    re.compile(r"<style[^>]*>.*?</style>", re.DOTALL),  # would hold for the whole page, which says the same itself
    re.compile(r' xmlns(:\w+)?="[^"]*"'),
    re.compile(r"<!--.*?-->", re.DOTALL),
)
IDS = re.compile(r'(\bid="|xlink:href="#|\bhref="#|url\(#)')
OPENING = re.compile(r"<svg[^>]*?viewBox=\"([^\"]*)\"[^>]*>")


def inlined(figure: Figure, name: str, label: str, caption: str) -> Html:
    """The figure as SVG. ``name`` must be unique on the page: it prefixes the ids inside, which would else collide."""
    svg = rendered(figure, ".svg").decode()
    for pattern in UNWANTED:
        svg = pattern.sub("", svg)
    svg = IDS.sub(rf"\g<1>{name}-", svg).replace("xlink:href=", "href=")
    start = OPENING.search(svg)
    if start is None:  # pragma: no cover (matplotlib always writes it)
        raise ValueError("no SVG was drawn")
    inside = svg[start.end() : svg.rindex("</svg>")]
    box = tag("svg", Html(inside.strip()), viewBox=start[1], role="img", aria_label=label)
    scrolled = tag("div", box, class_="wide", role="region", tabindex=0, aria_label=label)
    return tag("figure", scrolled, tag("figcaption", caption), id=name)
