"""A study as a page and as pictures. Needs the extra ``ventstream[plot]``.

The report measures and decides nothing: every number comes from ``Results``, and the same results give the same bytes.
A withheld number appears as its reason; a refused comparison is never drawn as a change.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from streamer.report._cohort_figure import cohort_figure
from streamer.report._page import page
from streamer.report._trend_figure import trend_figure
from streamer.report.breath.drawing import bound, rendered
from streamer.study.results import Results


def html(results: Results) -> str:
    """Render a study as a page: one HTML file that loads nothing from elsewhere and runs no script.

    Args:
        results: As ``streamer.study.measure`` returns them.

    Examples:
        >>> from pathlib import Path
        >>> from streamer.study import measure, read_study
        >>> text = html(measure(read_study(Path("replay_data/prone_short/p1.toml"))))
        >>> text.startswith("<!DOCTYPE html>"), "<script" in text
        (True, False)
    """
    return page(results)


def pictures(results: Results) -> list[Figure]:
    """Draw a study as matplotlib figures: the patients over the time points, then the whole course of each patient.

    Args:
        results: As ``streamer.study.measure`` returns them.

    Examples:
        >>> from pathlib import Path
        >>> from streamer.study import measure, read_study
        >>> len(pictures(measure(read_study(Path("replay_data/prone_short/p1.toml")))))
        2
    """
    return [cohort_figure(results), *(trend_figure(results, patient) for patient in results.patients)]


def pdf(results: Results) -> bytes:
    """Render the pictures as one PDF, a page each.

    Args:
        results: As ``streamer.study.measure`` returns them.

    Examples:
        >>> from pathlib import Path
        >>> from streamer.study import measure, read_study
        >>> pdf(measure(read_study(Path("replay_data/prone_short/p1.toml"))))[:5]
        b'%PDF-'
    """
    return bound(pictures(results))


def picture(results: Results, suffix: str) -> bytes:
    """Render the first picture, the patients over the time points.

    Args:
        results: As ``streamer.study.measure`` returns them.
        suffix: ``.png``, ``.svg`` or ``.pdf``.

    Raises:
        KeyError: Another suffix.

    Examples:
        >>> from pathlib import Path
        >>> from streamer.study import measure, read_study
        >>> picture(measure(read_study(Path("replay_data/prone_short/p1.toml"))), ".png")[1:4]
        b'PNG'
    """
    return rendered(cohort_figure(results), suffix)


__all__ = ["html", "pdf", "picture", "pictures"]
