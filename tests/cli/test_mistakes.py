"""Mistakes that people make with their first files, as they type them: the answer says what, where, what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from streamer.cli import main

REPO = Path(__file__).parents[2]
REPLAY = REPO / "replay_data"
ROWS = (REPLAY / "pcv.csv").read_text().splitlines()[:1501]
Captured = pytest.CaptureFixture[str]


class Mistake(NamedTuple):
    """A command line, the files it finds, and what its answer must hold: where it is wrong, and what to do."""

    typed: str
    status: int
    where: str
    remedy: str
    files: dict[str, str | bytes] = {}  # noqa: RUF012 (never changed)


def table(header: str, *, rows: int = 300) -> str:
    """Numbers under any header."""
    columns = header.count(",") + 1
    return "\n".join([header, *(",".join(f"{n / 50 + at:g}" for at in range(columns)) for n in range(rows))]) + "\n"


PCV = "\n".join(ROWS) + "\n"
A: dict[str, str | bytes] = {"a.csv": PCV}
BED = '[[bed]]\nid = "a"\n'
SESSION = 'label = "P1"\n[[recording]]\npath = "a.csv"\n'
MISTAKES: dict[str, Mistake] = {
    # the command line
    "no such command": Mistake("analyse a.csv", 2, "'analyse'", "--help"),
    "no recording": Mistake("analyze", 2, "RECORDING", "--help"),
    "misspelt option": Mistake("analyze a.csv --ouput x", 2, "--ouput", "--help"),
    "no number": Mistake("analyze a.csv --rate fast", 2, "--rate", "expected a number"),
    "no whole number": Mistake("analyze a.csv --jobs 1.5", 2, "--jobs", "expected a whole number"),
    "no such file": Mistake("analyze b.csv", 1, "'b.csv'", "No such file"),
    "a misspelt file": Mistake("analyze pvc.csv", 1, "'pvc.csv'", "did you mean 'pcv.csv'?", {"pcv.csv": PCV}),
    "a misspelt folder": Mistake("analyze rec/a.csv", 1, "'rec/a.csv'", "there is no folder rec"),
    "a folder of other files": Mistake("analyze sub", 1, "sub: there is no", "not a recording", {"sub/a.docx": b"x"}),
    "a table as a picture": Mistake("plot a.csv -o a.csv2", 2, "a.csv2", ".png, .svg, .pdf", A),
    "a spreadsheet as output": Mistake("analyze a.csv -o a.xlsx", 2, "a.xlsx", ".csv", A),
    "output over the input": Mistake("analyze a.csv -o a.csv", 2, "a.csv", "name another output", A),
    "output in no folder": Mistake("analyze a.csv -o no/b.csv", 1, "no/b.csv", "create it first", A),
    "no such format": Mistake("analyze a.csv --format word", 2, "'word'", "known are", A),
    "the wrong format": Mistake("analyze a.csv --format edf", 1, "a.csv", "EDF", A),
    "a rate of minutes": Mistake("analyze a.csv --rate 0.02", 2, "0.02 Hz", "5-2000 Hz", A),
    "a rate that the stamps contradict": Mistake("analyze a.csv --rate 100", 1, "100 Hz", "50 Hz", A),
    "a breath beyond the end": Mistake("plot a.csv --breath 900 -o b.png", 1, "no breath 900", "from 0", A),
    "a time beyond the end": Mistake("plot a.csv --at 900 -o b.png", 1, "900 s", "the recording ends at", A),
    "a time of day": Mistake("plot a.csv --at 8h30 -o b.png", 2, "--at '8h30'", "seconds", A),
    "speed in words": Mistake("demo --speed fast", 2, "--speed 'fast'", "a number above 0, or max"),
    # brokers
    "http for a broker": Mistake("replay a.csv --broker http://h", 2, "http://h", "mqtt://HOST", A),
    "a password in the URL": Mistake(
        "replay a.csv --broker mqtt://u:secret@h", 2, "broker URL", "--password-file", A
    ),
    "a topic in the URL": Mistake("watch --broker mqtt://h/ward", 2, "mqtt://h/ward", "nothing may follow the port"),
    "a password file that is not there": Mistake(
        "watch --broker mqtt://u@h --password-file no.txt", 2, "no.txt", "No such file"
    ),
    "an empty password file": Mistake(
        "watch --broker mqtt://u@h --password-file p", 2, "'p'", "first line is empty", {"p": "\n"}
    ),
    "a password for no one": Mistake(
        "watch --broker mqtt://h --password-file p", 2, "--password-file", "mqtt://USER@HOST", {"p": "x\n"}
    ),
    "nothing to watch": Mistake("watch --broker embedded", 2, "--broker", "mqtt://HOST[:PORT]"),
    "a bed with a blank": Mistake("replay a.csv --bed 'bett 4'", 2, "'bett 4'", "letters, digits", A),
    # files
    "an empty file": Mistake("check a.csv", 1, "a.csv", "is empty", {"a.csv": ""}),
    "a word document": Mistake("check a.docx", 1, "a.docx", "ventstream formats", {"a.docx": b"\xd0\xcf\x11\xe0" * 99}),
    "no unit": Mistake("check a.csv", 1, "'paw'", "paw_cmh2o", {"a.csv": table("time_s,paw,flow")}),
    "no rate": Mistake("check a.csv", 1, "a.csv", "--rate", {"a.csv": table("paw_cmh2o,flow_l_min")}),
    "a channel twice": Mistake(
        "check a.csv", 1, "flow_l_s", "leave one", {"a.csv": table("time_s,flow_l_s,flow_l_min")}
    ),
    "nothing but words": Mistake("check a.txt", 1, "a.txt", "formats", {"a.txt": "Tuesday: rain\n" * 50}),
    # what is stated beside them
    "a misspelt key": Mistake(
        "check a.csv", 2, "a.toml:2", "did you mean 'passive'?", {"a.csv": PCV, "a.toml": "[context]\npasive = 1\n"}
    ),
    "metres": Mistake(
        "check a.csv", 2, "a.toml:2", "1.62 m is 162", {"a.csv": PCV, "a.toml": "[context]\nheight_cm = 1.62\n"}
    ),
    "hectopascals": Mistake(
        "check a.toml", 2, "a.toml:2", "1013 hPa is 760", {"a.toml": "[context]\nbarometric_mmhg = 1013\n"}
    ),
    "a word without quotes": Mistake(
        "check a.toml", 2, "a.toml:2", "text stands in quotes", {"a.toml": "[context]\nmode = vcv\n"}
    ),
    "per cent": Mistake(
        "check a.toml", 2, "a.toml:3", "60 % is 0.6", {"a.toml": "[[blood_gas]]\nat_s = 1\nfio2 = 60\n"}
    ),
    "no offset": Mistake(
        "check a.toml", 2, "a.toml:2", "offset", {"a.toml": "[[event]]\nat = 2024-03-01T08:00:00\nkind = 'prone'\n"}
    ),
    "a column that is not there": Mistake(
        "check a.csv", 1, "'Flow'", "there are",
        {"a.csv": table("a,b,c"), "a.toml": "[recording]\nrate_hz = 50\ncolumns = { 'Flow' = 'flow_l_s' }\n"},
    ),
    "a context that is a session": Mistake(
        "analyze a.csv --context p.toml", 2, "p.toml:2", "report", {"a.csv": PCV, "p.toml": SESSION}
    ),
    # studies
    "a misspelt recording": Mistake(
        "report p.toml", 2, "p.toml:3", "did you mean 'a.csv'?",
        {"a.csv": PCV, "p.toml": SESSION.replace('"a.csv"', '"aa.csv"')},
    ),
    "a study without an event": Mistake(
        "report p.toml", 2, "p.toml", "add it, or set event in [points]",
        {"a.csv": PCV, "p.toml": f"{SESSION}[[event]]\nat_s = 9\nkind = 'note'\n"},
    ),
    "kilopascals": Mistake(
        "report p.toml", 2, "p.toml:5", "is it in kPa?",
        {"a.csv": PCV, "p.toml": f"{SESSION}[[blood_gas]]\npco2_art_mmhg = 6\nat_s = 9\n"},
    ),
    "a report as a document": Mistake("report p.toml -o r.docx", 2, "r.docx", ".html", A | {"p.toml": SESSION}),
    # wards
    "no bed": Mistake("run c.toml", 2, "c.toml", "add a [[bed]]", {"c.toml": "[run]\nstall_s = 5\n"}),
    "no adapter": Mistake(
        "check c.toml", 2, "c.toml:3", 'adapter = "recording"', {"c.toml": f"{BED}sources = [{{}}]\n"}
    ),
    "a misspelt adapter": Mistake(
        "check c.toml", 2, "c.toml:3", "pb840", {"c.toml": f"{BED}sources = [{{ adapter = 'pb480' }}]\n"}
    ),
    "a port that is not there": Mistake(
        "check c.toml", 1, "/dev/ttyUSB99", "plug it in, or correct port",
        {"c.toml": f"{BED}sources = [{{ adapter = 'pb840', port = '/dev/ttyUSB99' }}]\n"},
    ),
    "a recording that is not there": Mistake(
        "check c.toml", 1, "none.csv", "No such file",
        {"c.toml": f"{BED}sources = [{{ adapter = 'recording', path = 'none.csv' }}]\n"},
    ),
    "a patient's name with blanks": Mistake(
        "check c.toml", 2, "c.toml:2", "letters, digits", {"c.toml": "[[bed]]\nid = 'Jane Doe'\nsources = []\n"}
    ),
    # the simulator and devices
    "no such scenario": Mistake("simulate vcv_hodl -o a.csv", 2, "vcv_hodl", "bundled: "),
    "a cohort into a file": Mistake("simulate prone_cohort -o a.csv", 2, "a.csv", "name a folder"),
    "no such device": Mistake("emulate pb480 a.csv", 2, "pb480", "pb840", A),
    "a device for all to hear": Mistake(
        "emulate pb840 a.csv --port tcp://0.0.0.0:4001", 2, "tcp://0.0.0.0:4001", "127.0.0.1", A
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_what_where_and_what_to_do(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    mistake = MISTAKES[name]
    monkeypatch.chdir(tmp_path)
    for path, content in mistake.files.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    words = [one.strip("'") for one in re.findall(r"'[^']*'|\S+", mistake.typed)]
    status = main(words)
    said = capsys.readouterr()
    assert (status, said.out) == (mistake.status, "")
    problem = said.err.splitlines()[-1]
    assert mistake.where in problem
    assert mistake.remedy in problem
    assert "internal error" not in said.err
    assert "Traceback" not in said.err
    assert len(problem) < 600, "a line that can be read"
    assert {path.name for path in tmp_path.iterdir()} == {Path(path).parts[0] for path in mistake.files}, "no litter"


def test_the_command_alone_shows_what_there_is(capsys: Captured) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"^  analyze +Analyse recordings", said.err, re.MULTILINE)
    assert said.err.count("\n") > 10
