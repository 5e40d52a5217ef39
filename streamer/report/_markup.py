"""Build HTML. Text is always escaped unless it is markup (``Html``) already."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "br"})
"""Elements without an end."""


class Html(str):
    """Text that is markup."""

    __slots__ = ()


def _escaped(text: str) -> str:
    """Text escaped for HTML. A lone surrogate, which a file name may contain, becomes ``?``."""
    return escape(text.encode(errors="replace").decode())


def tag(element: str, *inside: str | None, **attributes: str | int | None) -> Html:
    """An element: ``tag("td", "a < b", class_="n")``; ``_`` in an attribute's name is ``-``, None leaves it out."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in VOID:
        return Html(f"<{element}{named}>")
    return Html(f"<{element}{named}>{together(inside)}</{element}>")


def together(parts: Iterable[str | None], between: str = "") -> Html:
    """Parts one after another, each escaped unless it is ``Html``."""
    return Html(between.join(part if isinstance(part, Html) else _escaped(part) for part in parts if part is not None))


def table(caption: str, head: Iterable[str], *bodies: Iterable[Html], class_: str | None = None) -> Html:
    """A table whose head is one row; it scrolls by itself where it is wider than the page."""
    columns = tag("thead", tag("tr", *heads(head)))
    inside = [tag("tbody", *body) for body in bodies]
    whole = tag("table", tag("caption", caption), columns, *inside, class_=class_)
    return tag("div", whole, class_="wide", role="region", tabindex=0, aria_label=caption)


def line(first: str, cells: Iterable[str]) -> Html:
    """A row of a table with its header."""
    return tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in cells))


def heads(cells: Iterable[str]) -> list[Html]:
    """Headers of columns."""
    return [tag("th", cell, scope="col") for cell in cells]


def band(text: str, columns: int) -> Html:
    """A row that names the group of those below it."""
    return tag("tr", tag("th", text, scope="rowgroup", colspan=columns), class_="group")


def small(text: str) -> Html:
    """A remark in small print."""
    return tag("small", text)


def listed(items: Iterable[str], class_: str | None = None) -> Html:
    """Items one under another."""
    return tag("ul", *(tag("li", item) for item in items), class_=class_)


def defined(pairs: Iterable[tuple[str, str]]) -> Html:
    """A list of terms with their meanings."""
    return tag("dl", *(tag("div", tag("dt", term), tag("dd", what)) for term, what in pairs))


def plain_table(caption: str, head: Iterable[str], body: Iterable[Iterable[str]], absent: str) -> Html:
    """A table without groups whose first column names the rows; ``absent`` stands where there are no rows."""
    lines = [line(first, rest) for first, *rest in body]
    return table(caption, head, lines) if lines else tag("p", absent)
