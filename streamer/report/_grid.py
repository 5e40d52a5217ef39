"""Tables whose rows are quantities and whose columns are time points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from streamer.report._markup import Html, band, line, table
from streamer.report._numbers import name
from streamer.study.quantities import Quantity


def quantity_table(
    caption: str,
    quantities: Sequence[Quantity],
    points: Sequence[str],
    cell: Callable[[Quantity, str], str],
    *first: Html,
) -> Html:
    """Build the table: the rows ``first``, then the quantities under the names of their groups."""
    bodies = [list(first)] if first else []
    for group, inside in groupby(quantities, key=lambda quantity: quantity.group):
        lines = [line(name(quantity), [cell(quantity, point) for point in points]) for quantity in inside]
        bodies.append([band(group.value, len(points) + 1), *lines])
    return table(caption, ["Quantity", *points], *bodies, class_="numbers")
