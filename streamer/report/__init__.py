"""A study as a page and as pictures. Needs the extra ``ventstream[plot]``.

    results = measure(read_study(Path("cohort.toml")))
    Path("cohort.html").write_text(html(results), encoding="utf-8")

Nothing here measures or decides: what is shown stands in ``Results``. The same results give the same bytes. A number
that is withheld is shown as its reason; a comparison that was refused is never drawn as a change.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from streamer.report._cohort_figure import cohort_figure
from streamer.report._page import page
from streamer.report._trend_figure import trend_figure
from streamer.report.breath.drawing import bound, rendered
from streamer.study.results import Results


def html(results: Results) -> str:
    """The page: one file that loads nothing and runs nothing."""
    return page(results)


def pictures(results: Results) -> list[Figure]:
    """The patients over the time points, then each patient's whole session."""
    return [cohort_figure(results), *(trend_figure(results, patient) for patient in results.patients)]


def pdf(results: Results) -> bytes:
    """The pictures as one PDF, a page each."""
    return bound(pictures(results))


def picture(results: Results, suffix: str) -> bytes:
    """The first of the pictures; ``suffix`` is ``.png`` or ``.svg``."""
    return rendered(cohort_figure(results), suffix)


__all__ = ["html", "pdf", "picture", "pictures"]
