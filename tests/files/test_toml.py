"""The TOML reader: every fault is one line that names its place, and nothing else ever comes out."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.files.sidecar import read_sidecar
from streamer.files.toml import Document, load, loads
from streamer.files.toml_lines import KeyPath, find_lines
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError

AN_INSTANT = "expected a date-time with an offset, such as 2020-06-01T08:00:00Z"
A_KIND = "expected one of note, prone, recruitment, settings, suction, supine; did you mean 'prone'?"
A_TIME = "has no time: give at_s = seconds on the device's clock, or at = 2020-06-01T08:00:00Z"
A_WORD = "expected one of asserted, not_asserted; did you mean 'asserted'?"


@dataclass(frozen=True)
class Inner:
    x: float = 1.0

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x must be at least 0")


@dataclass(frozen=True)
class Outer:
    a: int
    path: Path | None = None
    words: tuple[str, ...] = ()
    inner: Inner = Inner()
    rows: tuple[Inner, ...] = ()
    table: dict[str, Inner] = field(default_factory=dict)
    password: str = ""


def test_reads_structs_and_dataclasses() -> None:
    sidecar = loads("recording.rate_hz = 100\n[context]\nsex = 'female'\nheight_cm = 162\n", Sidecar, "x.toml")
    assert (sidecar.recording.rate_hz, sidecar.context.sex, sidecar.context.height_cm) == (100.0, "female", 162.0)
    outer = loads('a = 1\npath = "b/c"\n[inner]\nx = 2\n[[rows]]\n[[rows]]\nx = 3\n', Outer, "x.toml")
    assert outer == Outer(a=1, path=Path("b/c"), inner=Inner(2.0), rows=(Inner(), Inner(3.0)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[context]\npasive = 1", "x.toml:2: unknown key 'pasive' in [context]; did you mean 'passive'?"),
        ("[contxt]", "x.toml:1: unknown key 'contxt'; did you mean 'context'?"),
        (
            "\n\n[context]\nheight_cm = 3000",
            "x.toml:4: [context] height_cm = 3000: expected a number <= 250 (cm; 1.62 m is 162)",
        ),
        (
            "[recording]\nstart_utc = 2020-06-01T08:00:00",
            f"x.toml:2: [recording] start_utc = 2020-06-01 08:00:00: {AN_INSTANT}",
        ),
        (
            "[context]\npassive = 'asserted '",
            f"x.toml:2: [context] passive = 'asserted ': {A_WORD}",
        ),
        ("[[event]]\nkind = 'note'\n\n[[event]]\nat_s = 4", "x.toml:4: [[event]]: missing key 'kind'"),
        ("event = [\n{kind='note'},\n{kind='note', at_s=true}]", "x.toml:3: [[event]] at_s = true: expected a number"),
        ("[context]\nheight_cm = nan", "x.toml:2: [context] height_cm = nan: expected a finite number"),
        ("context = 3", "x.toml:1: context = 3: expected a table"),
        ("[context", "x.toml:1: not TOML: Expected ']' at the end of a table declaration"),
        ("a = 1\nb =\n", 'x.toml:2: not TOML: Invalid value (column 4); text stands in quotes: mode = "vcv"'),
        ("a = " + "9" * 5000, "x.toml: a number has too many digits"),
        ("a = " + "[" * 5000, "x.toml: nested too deeply (more than 16 levels)"),
        ("a = " + "[" * 40 + "]" * 40, "x.toml: nested too deeply (more than 16 levels)"),
    ],
)
def test_faults_of_a_sidecar(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, Sidecar, "x.toml")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.toml: missing key 'a'"),
        ("a = 1.5", "x.toml:1: a = 1.5: expected a whole number"),
        ("a = 1\npath = 3", "x.toml:2: path = 3: expected a path, written as text"),
        ("a = 1\nwords = ['b',\n2]", "x.toml:3: words[1] = 2: expected text"),
        ("a = 1\n[inner]\nx = -1", "x.toml:2: [inner]: x must be at least 0"),
        ("a = 1\n[table.q]\ny = 1", "x.toml:3: unknown key 'y' in [table] q; known: x"),
        ("a = 1\npassword = 3141", "x.toml:2: password: expected text"),
    ],
)
def test_faults_of_a_dataclass(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, Outer, "x.toml")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[event]]\nkind = 'prone'\nat = 2020-06-01T08:00:00",
            f":3: [[event]] at = 2020-06-01 08:00:00: {AN_INSTANT}",
        ),
        (
            "[[blood_gas]]\nat_s = 1\nfio2 = 60",
            ":3: [[blood_gas]] fio2 = 60: expected a number <= 1 (a fraction; 60 % is 0.6)",
        ),
        (
            "[[blood_gas]]\nat_s = 1\npco2_art_mmhg = 4.6",
            ":3: [[blood_gas]] pco2_art_mmhg = 4.6: expected a number >= 5 (mmHg; 1 kPa is 7.5)",
        ),
        (
            "[[blood_gas]]\nat_s = 1\npo2_art_mmhg = -81",
            ":3: [[blood_gas]] po2_art_mmhg = -81: expected a number >= 10 (mmHg; 1 kPa is 7.5)",
        ),
        ("[context]\nheight_cm = -162", ":2: [context] height_cm = -162: expected a number >= 20 (cm; 1.62 m is 162)"),
        (
            "[context]\nbarometric_mmhg = 1013",
            ":2: [context] barometric_mmhg = 1013: expected a number <= 900 (mmHg; 1013 hPa is 760)",
        ),
        (
            "[[blood_gas]]\nat_s = 1\npco2_mmhg = 52",
            ":3: unknown key 'pco2_mmhg' in [[blood_gas]]; did you mean 'pco2_art_mmhg'?",
        ),
        (
            "[[event]]\nkind = 'proned'\nat_s = 1",
            f":2: [[event]] kind = 'proned': {A_KIND}",
        ),
        (
            "[context]\n[[event]]\nkind = 'prone'",
            f":2: [[event]]: {A_TIME}",
        ),
        (
            "[[blood_gas]]\nat_s = 4\nph = 7.4\n[[blood_gas]]\nfio2 = 0.5",
            f":4: [[blood_gas]]: {A_TIME}",
        ),
        (
            "[[blood_gas]]\nat_s = 4",
            ":1: [[blood_gas]]: has no value: give one of pco2_art_mmhg, po2_art_mmhg, fio2, ph",
        ),
    ],
)
def test_the_mistakes_made_first_in_a_context_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_sidecar(path)
    assert str(caught.value) == f"{path}{message}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin, huge, bom = tmp_path / "latin.toml", tmp_path / "huge.toml", tmp_path / "bom.toml"
    latin.write_bytes(b"# ok\n# caf\xe9\n")
    huge.write_bytes(b"#" * 1_000_001)
    bom.write_bytes(b"\xef\xbb\xbf[context]\r\nheight_cm = 170\r\n")
    assert load(bom, Sidecar).context.height_cm == 170
    for path, message in [
        (tmp_path / "none.toml", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (Path("a\0b"), "cannot be read: embedded null byte"),
        (latin, ":2: not UTF-8 text; save the file as UTF-8"),
        (huge, "longer than 1 MB"),
    ]:
        with pytest.raises(ConfigError, match=message):
            load(path, Sidecar)


def test_a_part_of_a_document_keeps_its_lines() -> None:
    document = Document("[[bed]]\nid = 'a'\n[[bed]]\nid = 'b'\ninner = {x = 'c'}\n", "x.toml")
    with pytest.raises(ConfigError, match=r"x\.toml:5: \[\[bed\]\] inner\.x = 'c': expected a number"):
        document.read(Inner, ("bed", 1, "inner"))
    assert str(document.error(("bed", 1, "id"), "taken")) == "x.toml:4: [[bed]] id = 'b': taken"


TRICKY = '''
top = 1 # comment [not.a.table]
"quoted key".'lit = eral'.x = "a # no = comment ] }"
multi = """
fake = 1
[fake]
\\""" still \\\\"""
lit = \'\'\'
[[fake]]\'\'\'
when = 1979-05-27 07:32:00Z
five = """""quoted"""""
array = [ # one
  1, [2,
  3], { a = 1, b.c = [4] },
]
[a.b] # table
c.d = {}
[[a.list]]
x = 1
[[a.list.inner]]
y = 2
[[a.list]]
x = 3
[a.list.sub]
z = [[]]
[ "sp aced" . k ]
'''


def test_lines_of_a_tricky_text() -> None:
    tomllib.loads(TRICKY)
    lines = find_lines(TRICKY)
    assert lines["top",] == 2
    assert lines["quoted key", "lit = eral", "x"] == 3
    assert lines["lit",] == 8
    assert lines["when",] == 10
    assert lines["array", 1, 1] == 14
    assert lines["array", 2, "b", "c", 0] == 14
    assert lines["a", "b", "c", "d"] == 17
    assert lines["a", "list", 0, "inner", 0, "y"] == 21
    assert lines["a", "list", 1, "x"] == 23
    assert lines["a", "list", 1, "sub", "z", 0] == 25
    assert lines["sp aced", "k"] == 26
    assert not any("fake" in path for path in lines)


def paths(found: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    if at:
        yield at
    if isinstance(found, dict | list):
        for key, inner in found.items() if isinstance(found, dict) else enumerate(found):
            yield from paths(inner, (*at, key))


KEYS = st.sampled_from(["a", "b", "c-1", '"q # = x"', "'l.i]t'", "7", "a.b", 'c."d"'])
VALUES = st.recursive(
    st.sampled_from(["1", "-2.5", "true", '"s # ["', "'l]'", '"""\nm\n"""', "1979-05-27 07:32:00Z", "1979-05-27"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ",\n".join(items) + "]")
        | st.lists(st.tuples(KEYS, inner.filter(lambda text: "\n" not in text)), max_size=2).map(
            lambda items: "{" + ", ".join(f"{key} = {value}" for key, value in items) + "}"
        )
    ),
    max_leaves=4,
)
STATEMENTS = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]} # c"),
    KEYS.map(lambda key: f"[{key}]"),
    KEYS.map(lambda key: f"[[ {key} ]]"),
    st.just(""),
)
TEXTS = st.lists(STATEMENTS, max_size=8).map("\n".join)


@given(TEXTS)
@example(TRICKY)
def test_every_key_has_its_line(text: str) -> None:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = find_lines(text)
    assert set(paths(tree)) == set(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


MUTATED = st.builds(
    lambda text, at, junk: text[: at % (len(text) + 1)] + junk + text[at % (len(text) + 1) :],
    st.just("[context]\nheight_cm = 162\n[[event]]\nkind = 'note'\nat_s = 4\n[recording]\nrate_hz = 100\n"),
    st.integers(0, 200),
    st.text(max_size=6) | st.sampled_from(["\0", "=", "[", "nan", "1e999", "'''", "\n", "\r", "[[context]]\n"]),
)


def complaint(text: str, kind: type[object]) -> str:
    try:
        loads(text, kind, "x.toml")
    except ConfigError as error:
        return str(error)
    return "x.toml"


@given(st.text() | MUTATED | TEXTS)
def test_nothing_but_a_config_error_in_one_line(text: str) -> None:
    for kind in (Sidecar, Outer):
        said = complaint(text, kind)
        assert said.isprintable()
        assert said.startswith("x.toml")


@given(st.binary(max_size=60))
def test_any_bytes_in_a_file(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(raw)
    with contextlib.suppress(ConfigError):
        load(path, Sidecar)
