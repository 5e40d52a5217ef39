"""Configurations: the defaults are written down, every fault names its line, paths start at the file."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import pytest

from adapters.recordings.open import Settings as RecordingSettings
from streamer.core.bed import CoreSettings
from streamer.files.toml import Document
from streamer.model.errors import ConfigError
from streamer.service.config import Config, EmbeddedSettings, load_config
from streamer.service.publish.outputs import JsonLines
from streamer.service.settings import BrokerSettings, RecordSettings, RunSettings
from streamer.wire import WireSettings
from streamer.wire.outbox import OutboxSettings

FOLDER = Path(__file__).parents[2] / "config"
DEFAULTS = {
    "broker": BrokerSettings(),
    "embedded": EmbeddedSettings(),
    "wire": WireSettings(),
    "outbox": OutboxSettings(),
    "run": RunSettings(),
    "record": RecordSettings(),
    "align": CoreSettings().align,
    "segment": CoreSettings().segment,
    "summaries": CoreSettings().rolling,
}


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert said.isprintable()
    return said.removeprefix(f"{tmp_path}/")


def test_the_default_file_has_every_setting_with_its_default() -> None:
    tree = Document.open(FOLDER / "default.toml").tree
    assert tree == {name: dataclasses.asdict(settings) for name, settings in DEFAULTS.items()}
    config = load_config(FOLDER / "default.toml")
    assert config.core == CoreSettings()
    assert (config.broker, config.embedded, config.wire) == (BrokerSettings(), EmbeddedSettings(), WireSettings())
    assert (config.outbox, config.run, config.beds) == (OutboxSettings(), RunSettings(), ())


def test_every_default_has_a_comment() -> None:
    bare = []
    above = ""
    for line in (FOLDER / "default.toml").read_text(encoding="utf-8").splitlines():
        if "=" in line and "#" not in line and above == "":
            bare.append(line)
        above = line
    assert bare == []


def test_the_output_in_the_default_file_is_an_output(tmp_path: Path) -> None:
    text = (FOLDER / "default.toml").read_text(encoding="utf-8")
    example = text[text.index("# [[output]]") : text.index("# One table per bed")]
    (output,) = read(tmp_path, re.sub(r"(?m)^# ?", "", example)).outputs
    assert (output.kind, output.options) == ("json_lines", JsonLines(path=tmp_path / "messages.jsonl"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('path = "a.jsonl"', 'c.toml:1: [[output]]: name the kind of output: kind = "json_lines"'),
        ('kind = "json_line"\npath = "a"', "there is no output 'json_line'; did you mean 'json_lines'?"),
        ('kind = "json_lines"', "path"),
        ('kind = "json_lines"\npath = "a"\nfrob = 1', "frob"),
    ],
)
def test_an_output_that_cannot_be(tmp_path: Path, table: str, said: str) -> None:
    assert said in fault(tmp_path, f"[[output]]\n{table}\n")


def test_the_bed_in_the_default_file_is_a_bed(tmp_path: Path) -> None:
    text = (FOLDER / "default.toml").read_text(encoding="utf-8")
    example = text[text.index("# [[bed]]") :]
    (tmp_path / "icu-04.toml").write_text("[context]\nheight_cm = 180\nmode = 'vcv'\n")
    config = read(tmp_path, re.sub(r"(?m)^# ?", "", example))
    assert config.beds[0].sources[0].options == RecordingSettings(path=tmp_path / "session.csv")
    assert (config.beds[0].context.height_cm, config.beds[0].context.mode) == (162, "vcv")
    assert config.beds[0].events[0].kind == "prone"
    assert config.beds[0].blood_gases[0].pco2_art_mmhg == 52


@pytest.mark.parametrize(("name", "beds"), [("demo", 1), ("ward", 4)])
def test_the_files_beside_it(name: str, beds: int) -> None:
    config = load_config(FOLDER / f"{name}.toml")
    assert len(config.beds) == beds
    for bed in config.beds:
        path = getattr(bed.sources[0].options, "path", FOLDER)
        assert path.exists()


def test_speeds_and_kinds(tmp_path: Path) -> None:
    sources = ["adapter = 'recording', path = 'a'", "adapter = 'recording', path = 'a', speed = 'max'"]
    sources += ["adapter = 'simulator', scenario = 'pcv', speed = 2.5"]
    config = read(tmp_path, "\n".join(f"[[bed]]\nid = 'b{n}'\nsources = [{{{s}}}]" for n, s in enumerate(sources)))
    found = [(bed.sources[0].kind, bed.sources[0].speed) for bed in config.beds]
    assert found == [("recorded", 1.0), ("recorded", math.inf), ("simulated", 2.5)]


def test_a_live_adapter_by_its_dotted_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_live.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\nclass Settings:\n    port: str\n    baud: int = 9600\n"
        "async def chunks(settings):\n    yield\n"
    )
    (tmp_path / "acme_pkg").mkdir()
    (tmp_path / "acme_pkg" / "__init__.py").write_text("")
    (tmp_path / "acme_live.py").rename(tmp_path / "acme_pkg" / "live.py")
    monkeypatch.syspath_prepend(tmp_path)
    bed = "[[bed]]\nid = 'a'\nsources = [{adapter = 'acme_pkg.live', port = '/dev/ttyUSB0'}]"
    source = read(tmp_path, bed).beds[0].sources[0]
    assert (source.kind, source.speed, source.options.port) == ("live", None, "/dev/ttyUSB0")
    message = "c.toml:3: unknown key 'prt' in [[bed]] sources[0]; did you mean 'port'?"
    assert fault(tmp_path, bed.replace("port", "prt")) == message


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "c.toml"
    path.write_text(
        "[broker]\nurl = 'mqtts://h'\nca_file = 'ca.pem'\npassword_file = '/run/pw'\n"
        "[[bed]]\nid = 'a'\nsources = [{adapter = 'recording', path = '../x.csv', context = '/abs.toml'}]"
    )
    config = load_config(path)
    options = config.beds[0].sources[0].options
    assert (options.path, options.context) == (tmp_path / "sub" / ".." / "x.csv", Path("/abs.toml"))
    assert (config.broker.ca_file, config.broker.password_file) == (str(tmp_path / "sub" / "ca.pem"), "/run/pw")


ADAPTER, SPEED = "c.toml:3: [[bed]] sources[0].adapter", "c.toml:3: [[bed]] sources[0].speed"
BED = "[[bed]]\nid = 'a'\nsources = [{adapter = 'recording', path = 'x.csv'}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[brokr]\n", "c.toml:1: unknown key 'brokr'; did you mean 'broker'?"),
        ("\n[broker]\nurll = ''\n", "c.toml:3: unknown key 'urll' in [broker]; did you mean 'url'?"),
        ("[broker]\nurl = 'http://x'\n", "c.toml:1: [broker]: broker URL 'http://x': expected mqtt://HOST[:PORT], "),
        ("[embedded]\nport = 70000\n", "c.toml:1: [embedded]: a port is a number from 0 to 65535"),
        ("[segment]\nrise_s = -1\n", "c.toml:2: [segment] rise_s = -1: expected a number >= 0"),
        ("[segment]\nleak_breaths = 0\n", "c.toml:2: [segment] leak_breaths = 0: expected a number >= 1"),
        ("[align]\nfill_s = '40 ms'\n", "c.toml:2: [align] fill_s = '40 ms': expected a number"),
        ("[summaries]\nwindows_s = {1m = 0}\n", "c.toml:1: [summaries]: windows and their period must be longer"),
        ("[wire]\nroot = 'a/#'\n", "c.toml:1: [wire]: topic root 'a/#'"),
        (BED + BED, "c.toml:5: [[bed]] id = 'a': another bed has this id"),
        (BED.replace("'a'", "'a/b'"), "c.toml:2: [[bed]] id = 'a/b': use 1 to 64 letters"),
        (BED.replace("'a'", "'status'"), "c.toml:2: [[bed]] id = 'status': is the name of a topic"),
        ("[[bed]]\nid = 'a'\n", "c.toml:1: [[bed]]: missing key 'sources'"),
        ("[[bed]]\nid = 'a'\nsources = []\n", "c.toml:3: [[bed]] sources: expected a source at least"),
        ("[[bed]]\nid = 'a'\nsources = [{}]\n", "c.toml:3: [[bed]] sources[0]: name the adapter: adapter = "),
        (BED.replace("recording", "recoding"), f"{ADAPTER} = 'recoding': there is no adapter 'recoding'; did you mean"),
        (BED.replace("recording", "os.path"), f"{ADAPTER} = 'os.path': there is no adapter"),
        (BED.replace("path", "pth"), "c.toml:3: unknown key 'pth' in [[bed]] sources[0]; did you mean 'path'?"),
        (BED.replace("'x.csv'", "3"), "c.toml:3: [[bed]] sources[0].path = 3: expected a path, written as text"),
        (BED.replace("}", ", speed = 0}"), f"{SPEED} = 0: expected a number above 0, or "),
        (BED.replace("}", ", speed = 'fast'}"), f"{SPEED} = 'fast': expected a number above 0"),
        (BED + "context = {height_cm = 1}\n", "c.toml:4: [[bed]] context.height_cm = 1: expected a number >= 20"),
        (BED + "context_file = 'none.toml'\n", "none.toml: cannot be read: No such file or directory"),
        ("[[bed]\n", "c.toml:1: not TOML: "),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, text: str, message: str) -> None:
    assert fault(tmp_path, text).startswith(message)
