from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import aiomqtt
import pytest

from streamer.model.errors import BrokerError
from streamer.service.embedded_broker import EmbeddedBroker
from tests.support.brokers import free_port, is_listening, wait_until

pytestmark = pytest.mark.broker


def test_it_listens_on_loopback_only_and_ends_with_its_block() -> None:
    with EmbeddedBroker(port=0) as broker:
        assert broker.url == f"mqtt://127.0.0.1:{broker.port}"
        assert is_listening(broker.port)
        assert broker.mqtt5_port is None
        found = broker.settings()
        assert (found.url, found.protocol) == (broker.url, "3.1.1")
        with socket.socket() as other:  # the port is free on another interface: 127.0.0.2 is one
            other.bind(("127.0.0.2", broker.port))
    wait_until(lambda: not is_listening(broker.port))


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError) as error, EmbeddedBroker(port=port):
            pass
    assert f"port {port}" in str(error.value)
    assert "choose another port" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_taken_mqtt5_port_leaves_nothing_running() -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BrokerError), EmbeddedBroker(port=port, mqtt5_port=taken.getsockname()[1]):
            pass
    assert not is_listening(port)


async def test_large_payloads_pass_and_mqtt5_has_a_port_of_its_own() -> None:
    with EmbeddedBroker(port=0, mqtt5_port=0) as broker:
        assert broker.mqtt5_port
        assert broker.mqtt5_port != broker.port
        newer = aiomqtt.Client("127.0.0.1", broker.mqtt5_port, protocol=aiomqtt.ProtocolVersion.V5)
        async with aiomqtt.Client("127.0.0.1", broker.port) as older, newer:
            await newer.subscribe("big", qos=1)
            await older.publish("big", b"x" * 500_000, qos=1)
            message = await anext(newer.messages)
            assert len(bytes(message.payload)) == 500_000


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signal masks are POSIX")
def test_ctrl_c_in_the_terminal_does_not_end_the_broker_before_us() -> None:
    """Ctrl-C reaches the whole foreground group; the broker must outlive it to take our last messages."""
    script = (
        "import signal, sys, time\n"
        "from streamer.service.embedded_broker import EmbeddedBroker\n"
        "with EmbeddedBroker(port=0) as broker:\n"
        "    signal.signal(signal.SIGINT, lambda *_: None)\n"
        "    print(broker.port, flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    port = int(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    assert is_listening(port)
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    process.stdout.close()
    wait_until(lambda: not is_listening(port))


def test_the_broker_does_not_outlive_a_killed_program() -> None:
    script = (
        "import time\n"
        "from streamer.service.embedded_broker import EmbeddedBroker\n"
        "with EmbeddedBroker(port=0) as broker:\n"
        "    print(broker.port, flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout
    port = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: not is_listening(port))
