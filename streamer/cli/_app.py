"""Every command with its arguments, and the module that does it."""

# ruff: noqa: PLC0415 (--help and --version must not wait for what a command needs)

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.cli._options import (
    Broker,
    BrokerConfig,
    Context,
    Format,
    OneRecording,
    PasswordFile,
    Rate,
    Recordings,
    Speed,
    Strict,
    speed_of,
)
from streamer.files.output import say

app = typer.Typer(
    name="ventstream",
    help="Mechanical ventilation: waveforms in, breath-by-breath mechanics out over MQTT. "
    "Research software, not a medical device: no alarms, no advice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 (a flag's callback)
    if wanted:
        try:
            say(f"ventstream {installed_version('ventstream')}")
        except PackageNotFoundError:
            say("ventstream, not installed")
        raise typer.Exit


@app.callback()
def _top(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version.")] = False,
) -> None:
    pass


@app.command(epilog="Example: ventstream demo --speed 5")
def demo(
    *,
    speed: Speed = "1",
    broker: Broker = None,
    config: BrokerConfig = None,
    password_file: PasswordFile = None,
    context: Context = None,
) -> int:
    """Play a bundled session through the whole pipeline and publish it."""
    from streamer.cli.commands.broker import Named
    from streamer.cli.commands.demo import demo as command

    named = Named(url=broker, config=config, password_file=password_file)
    return command(speed=speed_of(speed), named=named, context=context)


@app.command(epilog="Example: ventstream run config/ward.toml")
def run(config: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML; config/default.toml shows all.")]) -> int:
    """Run the service: beds, sources and broker from one file, until Ctrl-C."""
    from streamer.cli.commands.run_replay import run as command

    return command(config)


@app.command(epilog="Example: ventstream replay session.csv --speed 10 --broker mqtt://127.0.0.1:1883 --bed icu-04")
def replay(
    *,
    recordings: Recordings,
    speed: Speed = "1",
    broker: Broker = None,
    config: BrokerConfig = None,
    password_file: PasswordFile = None,
    bed: Annotated[str | None, typer.Option(metavar="ID", help="Bed label; default: the file's name.")] = None,
    context: Context = None,
) -> int:
    """Publish recorded sessions over MQTT, one bed each."""
    from streamer.cli.commands.broker import Named
    from streamer.cli.commands.run_replay import replay as command

    named = Named(url=broker, config=config, password_file=password_file)
    return command(recordings, speed=speed_of(speed), named=named, bed=bed, context=context)


@app.command(epilog="Example: ventstream analyze recordings/ -o breaths.parquet --summaries minutes.csv --jobs 4")
def analyze(
    *,
    recordings: Recordings,
    out: Annotated[
        str | None, typer.Option("-o", "--out", metavar="OUT", help="Breaths: .parquet, .csv, .jsonl, or - .")
    ] = None,
    summaries: Annotated[str | None, typer.Option(metavar="OUT", help="Rolling summaries, likewise.")] = None,
    context: Context = None,
    jobs: Annotated[int, typer.Option(min=1, help="Recordings at a time.")] = 1,
    format_name: Format = None,
    rate: Rate = None,
    strict: Strict = False,
) -> int:
    """Analyse recordings as fast as possible into tables; without -o, a summary of each."""
    from streamer.cli.commands.analyze import analyze as command

    given: dict[str, Any] = {"context": context, "format_name": format_name, "rate_hz": rate}
    return command(recordings, out=out, summaries=summaries, jobs=jobs, strict=strict, **given)


@app.command(epilog="Example: ventstream report cohort/cohort.toml -o report.html -o report.pdf -o numbers.csv")
def report(
    *,
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="A cohort or patient file (.toml), or a recording with events.")
    ],
    out: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--out",
            metavar="OUT",
            help="May be repeated. Page: .html; pictures: .pdf, .png, .svg; numbers: .csv, .parquet, .jsonl, or - .",
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Recordings at a time; default: all processors.")] = None,
    strict: Strict = False,
) -> int:
    """Compare time points of a study with its baseline: before proning and hours after, say."""
    from streamer.cli.commands.report import report as command

    return command(study, outs=out or (), jobs=jobs, strict=strict)


@app.command(epilog="Example: ventstream plot replay_data/dead_space.parquet --at 60 -o breath.png")
def plot(
    *,
    recording: OneRecording,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Picture: .png, .svg or .pdf.")],
    breath: Annotated[int | None, typer.Option(min=0, metavar="N", help="Number of the breath, from 0.")] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="[RUN:]SECONDS",
            help="A time, as in tables; with RUN, where a clock begins again, by that run's clock or from its start.",
        ),
    ] = None,
    context: Context = None,
    format_name: Format = None,
    rate: Rate = None,
    strict: Strict = False,
) -> int:
    """Draw one breath: volumetric capnogram, waveforms, numbers. Without a choice, the last one with a dead space."""
    from streamer.cli.commands.plot import plot as command

    given: dict[str, Any] = {"context": context, "format_name": format_name, "rate_hz": rate}
    return command(recording, out=out, number=breath, at=at, strict=strict, **given)


@app.command(epilog="Example: ventstream simulate vcv_hold -o vcv.csv --truth vcv.truth.json")
def simulate(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A TOML file, or a bundled scenario's name.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", help="Recording: .csv or .parquet; for a cohort a folder.")
    ],
    truth: Annotated[
        Path | None, typer.Option(metavar="OUT.json", help="What is true of it; for a cohort a folder.")
    ] = None,
) -> int:
    """Write a recording from the lung simulator, or those of a cohort, with its truth."""
    from streamer.cli.commands.simulate import simulate as command

    return command(scenario, out, truth)


@app.command(epilog="Example: ventstream convert capture.txt -o capture.parquet")
def convert(
    *,
    recording: OneRecording,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Recording: .csv or .parquet.")],
    format_name: Format = None,
    rate: Rate = None,
    context: Context = None,
    strict: Strict = False,
) -> int:
    """Write any readable recording as a canonical one."""
    from streamer.cli.commands.convert import convert as command

    return command(recording, out, format_name=format_name, rate_hz=rate, context=context, strict=strict)


@app.command(epilog="Example: ventstream emulate pb840 session.csv --port pty")
def emulate(
    *,
    device: Annotated[
        str | None,
        typer.Argument(
            metavar="[DEVICE]", help="pb840, medibus, json_lines; without one they are listed.", show_default=False
        ),
    ] = None,
    recording: Annotated[
        Path | None, typer.Argument(metavar="RECORDING", help="A file of any readable format.", show_default=False)
    ] = None,
    port: Annotated[
        str,
        typer.Option(
            help="pty (a new pseudo-terminal), tcp://127.0.0.1:PORT (0: any), mqtt://HOST/TOPIC, or a serial port."
        ),
    ] = "pty",
    speed: Speed = "1",
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    format_name: Format = None,
    rate: Rate = None,
    context: Context = None,
) -> int:
    """Stand in for a device: say what it would, played from a recording, until its end or Ctrl-C."""
    if device is None:
        from streamer.cli.commands.lists import emulators

        return emulators()
    from streamer.cli.commands.emulate import emulate as command

    source = {"format_name": format_name, "rate_hz": rate, "context": context}
    return command(device, recording, port=port, speed=speed_of(speed), loop=loop, **source)


@app.command(epilog="Example: ventstream watch --broker mqtt://127.0.0.1:1883")
def watch(
    *,
    broker: Annotated[str | None, typer.Option(metavar="URL", help="Default: this machine.")] = None,
    config: BrokerConfig = None,
    password_file: PasswordFile = None,
) -> int:
    """Show the beds of a broker, one line each, live."""
    from streamer.cli.commands.broker import Named
    from streamer.cli.commands.watch import watch as command

    return command(Named(url=broker, config=config, password_file=password_file))


@app.command(epilog="Example: ventstream metrics")
def metrics() -> int:
    """List what is measured, with units, codes and sources."""
    from streamer.cli.commands.lists import metrics as command

    return command()


@app.command(epilog="Example: ventstream formats")
def formats() -> int:
    """List what can be read."""
    from streamer.cli.commands.lists import formats as command

    return command()


@app.command(epilog="Example: ventstream check config/ward.toml")
def check(
    *,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="CONFIG|RECORDING...", help="A .toml configuration, recordings, or folders of them."),
    ],
    format_name: Format = None,
    rate: Rate = None,
    context: Context = None,
    strict: Strict = False,
) -> int:
    """Explain a configuration or a recording, or say what is wrong with it."""
    from streamer.cli.commands.check import check as command

    return command(paths, format_name=format_name, rate_hz=rate, context=context, strict=strict)
