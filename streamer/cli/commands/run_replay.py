"""``run`` and ``replay``: beds onto MQTT until they end or Ctrl-C."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from streamer.analysis.recordings import expand, say_skipped
from streamer.cli.bed_plans import plans_of, plans_of_recordings
from streamer.cli.commands.broker import Named, broker_for
from streamer.cli.commands.warm_up import warm_up
from streamer.files.output import warn
from streamer.model.errors import BrokerError
from streamer.service import BedOutcome, BedPlan, run_beds, stop_on_signals
from streamer.service.config import OutputConfig, load_config
from streamer.service.publish import MqttPublisher
from streamer.service.publish.fan_out import FanOut
from streamer.service.publish.outputs import find_output
from streamer.service.settings import EMBEDDED, BrokerSettings, RecordSettings, RunSettings
from streamer.wire import WireSettings
from streamer.wire.outbox import OutboxSettings

CONNECT_S = 10.0
LINGER_S = 1.0
"""The broker inside stays this long after the last message, for subscribers that lag behind."""


def run(path: Path) -> int:
    """The service; the exit status."""
    config = load_config(path)
    plans = plans_of(config)
    with broker_for(config.broker, config.embedded) as broker:
        warm_up()
        if config.broker.url == EMBEDDED:
            announce(broker, config.wire, plans)
        else:
            warn(f"connecting to the MQTT broker {broker.url}; samples are read meanwhile")
        return asyncio.run(
            serve(
                plans,
                broker,
                run=config.run,
                record=config.record,
                wire=config.wire,
                outbox=config.outbox,
                outputs=config.outputs,
                must_connect=False,
                linger_s=LINGER_S if config.broker.url == EMBEDDED else 0.0,
            ),
        )


def replay(paths: Sequence[Path], *, speed: float, named: Named, bed: str | None, context: Path | None = None) -> int:
    """Recordings over MQTT; the exit status."""
    settings, wire = named.settings(), named.wire()
    recordings, skipped = expand(paths)
    say_skipped(skipped)
    plans = plans_of_recordings(recordings, speed=speed, bed=bed, context=context)
    with broker_for(settings, may_move=True) as broker:
        warm_up()
        return asyncio.run(serve(plans, broker, wire=wire, linger_s=LINGER_S if settings.url == EMBEDDED else 0.0))


def announce(broker: BrokerSettings, wire: WireSettings, plans: Sequence[BedPlan]) -> None:
    """Where to listen, on standard error."""
    beds = ", ".join(plan.bed for plan in plans)
    warn(f"MQTT broker {broker.url}, topics {wire.prefix}/#, beds: {beds}")
    warn(f"listen with: {listen_command(broker, wire)}")


def listen_command(broker: BrokerSettings, wire: WireSettings) -> str:
    """A line to copy."""
    address = broker.address
    login = f" -u {shlex.quote(address.username)} -P PASSWORD" if address.username else ""
    return f"mosquitto_sub -h {address.host} -p {address.port}{login} -v -t '{wire.prefix}/#'"


async def serve(
    plans: Sequence[BedPlan],
    broker: BrokerSettings,
    *,
    run: RunSettings | None = None,
    record: RecordSettings | None = None,
    wire: WireSettings | None = None,
    outbox: OutboxSettings | None = None,
    outputs: Sequence[OutputConfig] = (),
    must_connect: bool = True,
    linger_s: float = 0.0,
) -> int:
    """Publish beds until they end or a signal comes; the exit status.

    Raises:
        BrokerError: ``must_connect`` and no broker is there.
        OutputError: An output cannot be opened.
    """
    publisher = MqttPublisher(broker, outbox=outbox, wire=wire)
    others = {
        f"{number} ({one.kind})": find_output(one.kind).make(one.options) for number, one in enumerate(outputs, start=1)
    }
    all_of_them = FanOut(publisher, others)
    with stop_on_signals() as stop, _Bars() as bars:
        async with all_of_them:
            if must_connect:
                await publisher.wait_connected(CONNECT_S)
                announce(broker, wire or WireSettings(), plans)
            outcomes = await run_beds(
                plans, all_of_them, settings=run, record=record, wire=wire, stop=stop, on_progress=bars.at
            )
        if not stop.is_set():
            await asyncio.sleep(linger_s)
    for problem in all_of_them.problems():
        warn(problem)
    return max(status_of(outcomes, publisher), int(bool(all_of_them.problems())))


def status_of(outcomes: Sequence[BedOutcome], publisher: MqttPublisher) -> int:
    """0 when all beds ended well and all was delivered; else the errors are said, and 1."""
    for outcome in outcomes:
        if outcome.error:
            warn(f"bed {outcome.bed}: {outcome.error}")
        else:
            warn(f"bed {outcome.bed}: {outcome.breaths} breath{'s' * (outcome.breaths != 1)} published")
        if outcome.dropped:
            warn(f"bed {outcome.bed}: {outcome.dropped} messages lost while the broker was away")
    undelivered = sum(publisher.undelivered.values())
    if undelivered:
        raise BrokerError(f"{undelivered} messages were not delivered to the MQTT broker before the end")
    return int(any(outcome.error or outcome.dropped for outcome in outcomes))


class _Bars:
    """How far each bed is, on a terminal only."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def at(self, bed: str, device_s: float) -> None:
        """A bed has come so far."""
        shown = f"{bed}  {device_s:.0f} s"
        if bed in self._tasks:
            self._progress.update(self._tasks[bed], description=shown)  # type: ignore[arg-type]
        else:
            self._tasks[bed] = self._progress.add_task(shown, total=None)
