"""A broker with a password, as the commands are told of it: by file, by configuration, by the environment."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from streamer.cli import main
from streamer.cli.commands import run_replay as service
from streamer.cli.commands.broker import PASSWORD, Named
from streamer.model.errors import ConfigError
from streamer.service.settings import EMBEDDED
from tests.support.brokers import Mosquitto, needs_mosquitto

REPLAY = Path(__file__).parents[2] / "replay_data"
Captured = pytest.CaptureFixture[str]


def named(folder: Path, how: str, url: str) -> list[str]:
    """The options of a command line."""
    user = url.replace("mqtt://", "mqtt://ward@")
    (folder / "secret").write_text("right-secret\n")
    (folder / "wrong").write_text("wrong-secret\n")
    (folder / "c.toml").write_text(f'[broker]\nurl = "{url}"\nusername = "ward"\npassword_file = "secret"\n')
    return {
        "file": ["--broker", user, "--password-file", str(folder / "secret")],
        "wrong": ["--broker", user, "--password-file", str(folder / "wrong")],
        "config": ["--config", str(folder / "c.toml")],
        "environment": ["--broker", user],
        "nothing": ["--broker", user],
    }[how]


@needs_mosquitto
@pytest.mark.broker
@pytest.mark.parametrize("how", ["file", "config", "environment", "wrong", "nothing"])
def test_replay_logs_in(capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    passwords = tmp_path / "passwords"
    words = ["mosquitto_passwd", "-b", "-c", passwords, "ward", "right-secret"]
    subprocess.run(words, check=True, capture_output=True)
    monkeypatch.setattr(service, "CONNECT_S", 3.0)
    if how == "environment":
        monkeypatch.setenv(PASSWORD, "right-secret")
    with Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        options = named(tmp_path, how, broker.url)
        status = main(["replay", str(REPLAY / "pcv.csv"), "--speed", "max", *options])
    out, err = capsys.readouterr()
    assert "secret" not in out + err.replace(str(tmp_path), "")
    if how in {"wrong", "nothing"}:
        assert status == 1
        assert "refuses the user name or password; name the user" in err
        assert "start the broker" not in err
        assert "listen with" not in err, "nothing is said to be there before it is"
    else:
        assert status == 0
        assert re.search("listen with: mosquitto_sub .* -u ward -P PASSWORD -v", err)
        assert err.splitlines()[-1] == "bed pcv: 23 breaths published"


def test_what_is_named_wins_over_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named(tmp_path, "file", "mqtt://h")
    config, other = tmp_path / "c.toml", tmp_path / "wrong"
    assert Named().settings().url == EMBEDDED
    assert Named(config=config).settings().address.username == "ward"
    found = Named(config=config, url="mqtt://ward@other", password_file=other).settings()
    assert (found.address.host, found.password_file) == ("other", str(other))
    monkeypatch.setenv(PASSWORD, "x")
    assert Named(url="mqtt://ward@h").settings().password_env == PASSWORD
    assert Named(url="mqtt://h").settings().password_env == "", "no password without a name"
    assert Named(config=config).settings().password_env == "", "the configuration names a file"
    for wrong in (Named(password_file=other), Named(url="mqtt://h", password_file=other)):
        with pytest.raises(ConfigError, match="USER@HOST"):
            wrong.settings()
    assert Named(config=config).wire().root == "ventstream"
