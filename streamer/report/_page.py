"""The HTML page of a report: its sections in order."""

from __future__ import annotations

from streamer.report._cohort_figure import cohort_figure
from streamer.report._cohort_tables import cohort_tables
from streamer.report._css import CSS
from streamer.report._inline import inlined
from streamer.report._look import MANY, SIMULATED
from streamer.report._markup import Html, defined, listed, tag, together
from streamer.report._patient import patient_tables
from streamer.report._quality import quality
from streamer.report._refused import refused_table
from streamer.report._trend_figure import trend_figure
from streamer.report.breath.drawing import NO_DEVICE
from streamer.study.results import Results

NO_ADVICE = f"{NO_DEVICE}; nothing here is advice."
SIGNS = (
    "The same colour and marker is the same patient in every panel. A withheld value is a gap with a small cross "
    "at the foot; a pale dotted line joins values whose change from the first time point was refused. Each axis spans "
    "at least four of the smallest changes that count."
)
FEW_SIGNS = "Bars are medians of two or more patients."
MANY_SIGNS = "Patients are pale; bars are medians, thin lines quartiles; numbers at the foot count withheld values."
COURSE = (
    "Time points are shaded grey, the prone position pale blue; vertical lines are events, triangles blood gases. "
    "Lines are breaths, points are holds, diamonds values at a blood gas; a line breaks where numbers are withheld."
)

MAX_DOUBTS = 12
"""Doubts listed at the head of the page."""

Section = tuple[str, str, Html]
"""Anchor, heading and content of a section."""


def page(results: Results) -> str:
    """Build the whole page as one file that loads nothing from elsewhere and runs no script."""
    sections = _sections(results)
    links = listed(tag("a", heading, href=f"#{name}") for name, heading, _ in sections)
    body = (
        _head(results),
        tag("nav", links, aria_label="Contents"),
        *(
            tag("section", tag("h2", heading), inside, id=name, class_=name.partition("-")[0])
            for name, heading, inside in sections
        ),
    )
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", results.title),
        tag("style", Html(CSS)),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', *head), tag('body', tag('main', *body)), lang='en')}\n"


def _head(results: Results) -> Html:
    means = defined((point.label, point.meaning) for point in results.points)
    return tag(
        "header",
        tag("h1", results.title),
        tag("p", SIMULATED, class_="banner") if results.is_simulated else None,
        tag("p", NO_ADVICE, class_="device"),
        _doubts(results),
        tag("h2", "Time points"),
        means,
    )


def _doubts(results: Results) -> Html | None:
    """The first doubts, above all numbers; the full list is under Quality, Notes."""
    if not results.doubts:
        return None
    lines = [str(one) for one in results.doubts[:MAX_DOUBTS]]
    more = len(results.doubts) - len(lines)
    return tag("section", tag("h2", "Doubts"), listed([*lines, f"… and {more} more, under Notes"] if more else lines))


def _sections(results: Results) -> list[Section]:
    """The sections of the page. A study of one patient has no tables of the cohort."""
    is_cohort = len(results.patients) > 1
    many = MANY_SIGNS if len(results.patients) >= MANY else FEW_SIGNS
    caption = f"{SIGNS} {many}" if is_cohort else SIGNS
    heading = "Patients over the time points" if is_cohort else "The patient over the time points"
    found: list[Section] = [("points", heading, inlined(cohort_figure(results), "f0", heading, caption))]
    if is_cohort:
        found.append(("cohort", "Cohort", cohort_tables(results)))
    for place, patient in enumerate(results.patients, start=1):
        label = f"{patient}: the whole session"
        figure = inlined(trend_figure(results, patient), f"f{place}", label, f"{label}. {COURSE}")
        tables = patient_tables(results, patient)
        found.append((f"patient-{place}", f"Patient {patient}", together((tables, figure))))
    found.append(("refused", "Refused comparisons", refused_table(results)))
    found.append(("quality", "Quality", quality(results)))
    return found
