"""Workbooks, as bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import openpyxl

HEADER = ["Time (s)", "Flow [L/min]", "Paw (cmH2O)"]


def rows(n: int) -> list[list[Any]]:
    return [HEADER, *([k / 50, 6.0 * (k % 8), 5 + k % 8] for k in range(n))]


def workbook(*sheets: Sequence[Sequence[Any]]) -> bytes:
    """Sheets named A, B and so on."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, lines in enumerate(sheets):
        sheet = book.create_sheet("ABC"[number])
        for line in lines:
            sheet.append(list(line))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
