"""Shared fixtures. Brokers are started once per session and seen by tests under topic roots of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import hypothesis
import pytest

from streamer.service.embedded_broker import EmbeddedBroker
from streamer.service.settings import BrokerSettings
from streamer.wire import WireSettings
from tests.support.brokers import FAST, MOSQUITTO, Mosquitto

_roots = itertools.count()
_NOT_BY_THE_CLOCK = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture]
"""A busy machine fails no test; a folder that several examples share is overwritten by each of them."""
hypothesis.settings.register_profile("ventstream", deadline=None, suppress_health_check=_NOT_BY_THE_CLOCK)
hypothesis.settings.load_profile("ventstream")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regen-golden", action="store_true", help="write tests/laws/golden again (test_golden.py)")


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(port=0) as broker:
        yield broker


@pytest.fixture(scope="session")
def mosquitto_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    if MOSQUITTO is None:
        pytest.skip("the mosquitto broker is not installed")
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(params=["embedded", "mosquitto"])
def any_broker(request: pytest.FixtureRequest) -> BrokerSettings:
    """Settings for our client, once per kind of broker."""
    broker: EmbeddedBroker | Mosquitto = request.getfixturevalue(f"{request.param}_broker")
    return broker.settings(BrokerSettings(**FAST))


@pytest.fixture
def wire() -> WireSettings:
    """A topic root that no other test uses."""
    return WireSettings(root=f"test-{next(_roots)}")
