"""The commands. Each is a few lines: what is long to import is imported where it is used."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway import __version__

if TYPE_CHECKING:
    from gateway.settings import Settings

_CONFIG = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar="OLGW_CONFIG",
    required=True,
    help="The configuration file.",
    show_envvar=True,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A gateway in front of OL Connect Server: OIDC tokens in, OL Connect's credentials out.

    \b
    Try it:       olgw demo
    Check:        olgw check --config gateway.yaml
    Run:          olgw serve --config gateway.yaml
    """


@main.command()
@_CONFIG
def serve(config: Path) -> None:
    """Run the gateway until it is told to stop.

    \b
    SIGTERM stops it: requests under way may end within listen.drain_timeout.
    SIGHUP, or a change of the file, reloads the configuration.

    \b
    Example: olgw serve --config /etc/olgw/gateway.yaml
    """
    from gateway import logs, run
    from gateway.stores import StoreUnusable

    settings = _load(config)
    logs.configure(settings.log)
    try:
        run.run(run.serve(config, settings))
    except (StoreUnusable, OSError) as error:
        raise click.ClickException(f"cannot start: {error}") from error


@main.command()
@_CONFIG
def check(config: Path) -> None:
    """Validate a configuration; every mistake at once, with its line. Exit code 0 or 1.

    \b
    Example: olgw check --config gateway.yaml
    """
    settings = _load(config)
    teams, pipelines = len(settings.teams), len(settings.pipelines)
    click.echo(f"{config}: good ({teams} teams, {pipelines} pipelines)")


@main.command()
@click.option("--port", default=8080, show_default=True, help="Public port.")
@click.option("--admin-port", default=9090, show_default=True, help="Admin port.")
def demo(port: int, admin_port: int) -> None:
    """Start everything on loopback: OL Connect simulator, OIDC issuer and gateway.

    \b
    Prints the addresses, two tokens of two teams, and commands that work.
    Example: olgw demo --port 8088 --admin-port 9098
    """
    from gateway import demo as demonstration
    from gateway import run

    try:
        run.run(demonstration.serve(port, admin_port))
    except OSError as error:
        raise click.ClickException(
            f"cannot start: {error.strerror}. Choose other ports: --port, --admin-port"
        ) from error


@main.command()
@click.option("--port", default=9340, show_default=True, help="Port to listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--option",
    "-o",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="How it behaves where OL Connect's documents are silent; may be repeated.",
)
def simulate(port: int, host: str, options: tuple[str, ...]) -> None:
    """Run the OL Connect simulator alone.

    \b
    Log in as ol-admin with password secret.
    Example: olgw simulate --port 9340 -o link_form=comma -o token_seconds=60
    """
    from gateway import run
    from gateway.simulator.errors import SimulatorError
    from gateway.simulator.options import Options, changed
    from gateway.simulator.server import serve

    pairs = dict(_pair(option) for option in options)
    try:
        run.run(serve(port, host, changed(Options(), pairs)))
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--config", "config", type=click.Path(path_type=Path), help="Whose teams to show.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def routes(config: Path | None, as_json: bool) -> None:
    """List the catalogue; with a configuration, which team may call what.

    \b
    Example: olgw routes --config gateway.yaml
    """
    from gateway.routelist import rows, table

    listed = rows(_load(config) if config else None)
    click.echo(json.dumps(listed, indent=2) if as_json else table(listed))


@main.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from gateway.settings import schema as settings_schema

    click.echo(json.dumps(settings_schema(), indent=2))


@main.command()
@click.option(
    "--admin", default="http://127.0.0.1:9090", show_default=True, help="The admin listener's URL."
)
def health(admin: str) -> None:
    """Exit with 0 if the gateway is ready: for Docker's HEALTHCHECK."""
    from urllib.error import URLError
    from urllib.request import urlopen

    if not admin.startswith(("http://", "https://")):
        raise click.BadParameter("must be an http:// or https:// URL", param_hint="--admin")
    try:
        url = f"{admin.rstrip('/')}/readyz?verbose"
        with urlopen(url, timeout=3) as answer:  # noqa: S310 - the scheme was checked above
            click.echo(answer.read().decode(), nl=False)
    except (URLError, OSError) as error:
        click.echo(f"not ready: {getattr(error, 'reason', error)}", err=True)
        sys.exit(1)


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


def _load(path: Path) -> "Settings":
    from gateway.catalogue import ENDPOINTS
    from gateway.settings import InvalidSettings, load

    try:
        return load(path, known_endpoints=ENDPOINTS)
    except InvalidSettings as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _pair(option: str) -> tuple[str, str]:
    name, separator, value = option.partition("=")
    if not separator:
        raise click.BadParameter("must be NAME=VALUE", param_hint="--option")
    return name, value
