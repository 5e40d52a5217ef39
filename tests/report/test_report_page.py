"""The page of a study: whole, closed, escaped; nothing withheld goes without its reason."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from streamer.report import html
from streamer.report._markup import VOID, tag
from streamer.report._numbers import number, part, signed
from streamer.study.results import PointLabel, Results
from tests.support.study_results import REFUSED, WITHHELD, results

EVIL = "<b>&\"'</td><script>x</script>"
LOADS = {"src", "srcset", "data", "action", "poster", "background", "xlink:href"}


class Reader(HTMLParser):
    """Every tag closed by its own; texts of cells by table row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, element: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((element, dict(attrs)))
        if element not in VOID:
            self.open.append(element)
        if element == "tr":
            self.rows.append([])
        if element in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, element: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((element, dict(attrs)))

    def handle_endtag(self, element: str) -> None:
        assert self.open.pop() == element

    def handle_data(self, text: str) -> None:
        self.text += text
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += text

    def row(self, *starts: str) -> list[str]:
        (found,) = (row for row in self.rows if tuple(row[: len(starts)]) == starts)
        return found

    def after(self, caption: str) -> str:
        return self.text.partition(caption)[2]


@pytest.fixture(scope="module")
def study() -> Results:
    return results()


@pytest.fixture(scope="module")
def text(study: Results) -> str:
    return html(study)


@pytest.fixture(scope="module")
def page(text: str) -> Reader:
    return Reader(text)


def test_it_is_one_well_formed_file_that_loads_and_runs_nothing(text: str, page: Reader) -> None:
    assert text.startswith("<!DOCTYPE html>")
    assert ("html", {"lang": "en"}) in page.tags
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & {element for element, _ in page.tags}
    for element, attributes in page.tags:
        assert not LOADS & set(attributes), element
        assert not [name for name in attributes if name.startswith("on")], element
        assert (attributes.get("href") or "#").startswith("#"), element
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    assert len(text.encode()) < 3_000_000


def test_ids_are_unique_and_every_link_has_its_target(text: str, page: Reader) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = {attributes["href"] for _, attributes in page.tags if attributes.get("href")}
    assert {link[1:] for link in links if link} <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_tables_and_figures_are_named(page: Reader) -> None:
    names = [element for element, _ in page.tags]
    assert names.count("table") == names.count("caption")
    assert names.count("figure") == names.count("figcaption") == names.count("svg") == 5
    assert all("scope" in attributes for element, attributes in page.tags if element == "th")
    assert all(attributes["aria-label"] for element, attributes in page.tags if element == "svg")


def test_what_the_head_says(page: Reader, study: Results) -> None:
    head = page.text.partition("Patients over the time points")[0]
    for told in (study.title, "Synthetic: simulated patients", "not a medical device", "advice"):
        assert told in head
    for point in study.points:
        assert point.meaning in head


def test_sections_in_their_order(text: str) -> None:
    headings = re.findall(r"<h2>([^<]+)</h2>", text)
    assert headings == [
        "Time points", "Patients over the time points", "Cohort",
        "Patient P1", "Patient P2", "Patient P3", "Patient P4", "Refused comparisons", "Quality",
    ]  # fmt: skip


@pytest.mark.parametrize(("patient", "point", "quantity"), WITHHELD)
def test_what_is_withheld_shows_its_reason_and_no_number(
    page: Reader, study: Results, patient: str, point: str, quantity: str
) -> None:
    reason, detail = WITHHELD[patient, point, quantity]
    (row,) = study.values[
        (study.values.patient == patient) & (study.values.point == point) & (study.values.quantity == quantity)
    ].itertuples()
    assert row.reason == reason
    below = page.after(f"{patient}: values at the time points").partition(f"{patient}: changes from")[0]
    assert re.search(rf"— {reason}\d", below)
    assert f"{reason}: " in below
    assert detail in below


def test_every_null_is_a_dash_with_a_reason(page: Reader, study: Results) -> None:
    cells = [cell for row in page.rows for cell in row[1:] if re.match(r"— [a-z_]+\d", cell)]
    nulls = int(study.values.value.isna().sum()) + int(study.changes.change.isna().sum())
    assert len(cells) == nulls
    assert "nan" not in page.text.lower().split()
    assert "None" not in {cell for row in page.rows for cell in row}


def test_numbers_with_their_digits_sign_and_direction(page: Reader, study: Results) -> None:
    values, changes = study.values, study.changes
    (value,) = values[(values.patient == "P1") & (values.point == "baseline") & (values.quantity == "pplat")].value
    own = page.after("P1: values at the time points")
    assert f"Pplat (cmH₂O){value:.1f} (2)" in own
    change = changes[(changes.patient == "P1") & (changes.quantity == "vd_vt_bohr")].iloc[-1]
    shown = f"\N{MINUS SIGN}{-change.change:.2f} (\N{MINUS SIGN}{-change.change_pct:.0f} %) {change.direction}"
    assert shown in own
    assert "PEEP, VT" in page.after("P2: changes from baseline")
    assert "VD/VT, Bohr (1)" not in page.text


def test_cohort_tells_ranges_and_no_test(page: Reader, study: Results) -> None:
    row = study.cohort[(study.cohort.quantity == "rr") & (study.cohort.point == "baseline")].iloc[0]
    levels = page.after("Values: median [range] (patients)")
    assert f"RR (/min){row['median']:.1f} [{row.low:.1f}\N{EN DASH}{row.high:.1f}] (4)" in levels
    assert "3 no change, 1 refused" in levels
    assert "p = " not in page.text


def test_refused_comparisons_say_why(page: Reader) -> None:
    table = page.after("Comparisons with the first time point that were refused").partition("Quality")[0]
    for (patient, point, _), (reason, detail) in REFUSED.items():
        assert patient in table
        assert point in table
        assert reason in table
        assert detail in table
    assert page.row("P3", "4 h prone, 8 h prone", "VD/VT, Bohr")[3].startswith("method_changed")
    assert page.row("P3", "8 h prone", "Pplat, Driving pressure, Crs")[3].startswith("no_hold")


def test_quality_tells_what_the_numbers_rest_on(page: Reader, study: Results) -> None:
    quality = page.after("Recordings: coverage")
    for told in (
        *study.recordings.sha256, "P2.csv", "line 20113: cut & short", "98.7 %", "655 breaths, supine",
        "param4_mainstream A (1)", "0.04", "10 % of the value at baseline", "no_phase3", "0.8 %",
        *study.notes, "half_width_min", "2.4.1",
    ):  # fmt: skip
        assert told in quality, told
    assert "Jane Doe" not in page.text  # a path may name a patient


def test_whatever_users_wrote_stays_text() -> None:
    study = results((EVIL,))
    points = (*study.points[:-1], PointLabel(EVIL, EVIL, 8.0))
    frames = {}
    for name in ("values", "changes", "cohort", "events", "recordings", "withheld"):
        frame = getattr(study, name).copy()
        for column in {"detail", "path", "device", "error", "meaning", "start", "kind", "settings"} & set(frame):
            frame[column] = EVIL
        if "point" in frame:
            frame["point"] = frame["point"].replace("8 h prone", EVIL)
        frames[name] = frame
    told = {"notes": (EVIL,), "versions": {EVIL: EVIL}, "settings": {EVIL: EVIL}}
    text = html(replace(study, title=f"{EVIL}\udc80", points=points, **frames, **told))
    page = Reader(text)
    assert "script" not in {element for element, _ in page.tags}
    assert page.text.count(EVIL) > 20
    text.encode()


def test_one_patient_is_no_cohort() -> None:
    study = results(("P1",), is_simulated=False)
    text = html(study)
    assert html(study) == text
    assert "Cohort" not in re.findall(r"<h2>([^<]+)</h2>", text)
    assert text.count("<svg") == 2
    assert "Synthetic" not in text


def test_a_study_without_any_number() -> None:
    study = results(("P1", "P2"), nothing=True)
    page = Reader(html(study))
    assert len([cell for row in page.rows for cell in row if "not_recorded" in cell]) > 300
    assert "Pplat (cmH₂O)— not_recorded" in page.text


def test_signs() -> None:
    assert number(-0.004, 2) == "0.00"
    assert number(-0.5, 1) == "\N{MINUS SIGN}0.5"
    assert signed(0.04, 2) == "+0.04"
    assert signed(0.004, 2) == "0.00"
    assert number(None, 1) == number(float("nan"), 1) == "—"
    assert part(0.0001) == "< 0.1 %"
    assert part(0.0) == "0.0 %"


def test_markup_escapes_all_but_markup() -> None:
    assert tag("td", "a<b", tag("br"), class_='"x"') == '<td class="&quot;x&quot;">a&lt;b<br></td>'
