from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.files.broker_url import parse_url
from streamer.model.errors import ConfigError
from streamer.service.settings import BrokerSettings, RunSettings, backoff_s


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "username"),
    [
        ("mqtt://localhost", "localhost", 1883, False, None),
        ("mqtts://broker.example.org", "broker.example.org", 8883, True, None),
        ("mqtt://ward@10.0.0.7:2883/", "10.0.0.7", 2883, False, "ward"),
        ("mqtt://a%40b@[::1]:1883", "::1", 1883, False, "a@b"),
    ],
)
def test_urls(url: str, host: str, port: int, tls: bool, username: str | None) -> None:  # noqa: FBT001 (a table)
    found = parse_url(url)
    assert (found.host, found.port, found.tls, found.username) == (host, port, tls, username)


@pytest.mark.parametrize(
    "url",
    ["", "localhost", "localhost:1883", "http://x", "mqtt://", "mqtt://x:0", "mqtt://x:70000", "mqtt://x:p", "mqtt://x/t",
     "mqtt://x?y=1", "mqtt://a b", "mqtt://[::1"],
)  # fmt: skip
def test_bad_urls_are_one_line_errors(url: str) -> None:
    with pytest.raises(ConfigError, match="broker URL") as error:
        parse_url(url)
    assert "\n" not in str(error.value)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="password_file") as error:
        BrokerSettings(url="mqtt://ward:s3cret@host")
    assert "s3cret" not in str(error.value)
    with pytest.raises(ConfigError) as error:
        BrokerSettings(url="http://ward:s3cret@host")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"protocol": "4"},
        {"password_file": "a", "password_env": "B"},
        {"key_file": "k"},
        {"stall_s": 0.0},
        {"stall_s": float("nan")},
        {"in_flight": 70_000},
        {"flush_s": -1.0},
        {"url": "tcp://x"},
    ],
)
def test_bad_settings(bad: dict) -> None:
    with pytest.raises(ConfigError):
        BrokerSettings(**bad)


def test_the_url_s_user_name_wins() -> None:
    assert BrokerSettings(url="mqtt://a@h", username="b").address.username == "a"
    assert BrokerSettings(url="mqtt://h", username="b").address.username == "b"
    assert BrokerSettings(url="mqtt://h").address.username is None


def test_run_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="stall_s"):
        RunSettings(stall_s=0.0)


@given(st.integers(1, 10_000), st.floats(0.0, 1.0))
def test_backoff_doubles_within_its_bound_and_is_spread(failures: int, chance: float) -> None:
    wait = backoff_s(failures, 0.5, 30.0, chance)
    assert 0.25 <= wait <= 30.0
    assert backoff_s(failures, 0.5, 30.0, 0.0) == min(30.0, 0.5 * 2.0 ** min(failures - 1, 30)) / 2
