"""The commands. Each is a few lines: what is long to import is imported where it is used."""

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from gateway import __version__
from gateway.risks import Risk

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _with_risks(command: Callable[..., None]) -> Callable[..., None]:
    """Adds a flag per risk; the command gets those taken, as ``Risk``, in ``taken``."""

    @functools.wraps(command)
    def with_taken(**arguments: Any) -> None:
        taken = {risk for risk in Risk if arguments.pop(risk.flag[2:].replace("-", "_"))}
        command(**arguments, taken=taken)

    for risk in reversed(Risk):
        with_taken = click.option(risk.flag, is_flag=True, help=risk.words)(with_taken)
    return with_taken


@main.command()
@_CONFIG
@_with_risks
def serve(config: Path, taken: set[Risk]) -> None:
    """Run the gateway until it is told to stop.

    \b
    SIGTERM stops it: requests under way may end within listen.drain_timeout; a second one
    stops it at once.
    SIGHUP, or a change of the file, reloads the configuration.

    \b
    Example: olgw serve --config /etc/olgw/gateway.yaml
    """
    import structlog

    from gateway import hardening, logs, run, supervisor
    from gateway.stores import StoreUnusable

    settings = _load_secure(config, taken, hardening.load)
    logs.configure(settings.log)
    for risk in sorted(taken):
        structlog.get_logger("gateway").warning("insecure", flag=risk.flag)
    for mistake in hardening.shown_secrets(config):
        structlog.get_logger("gateway").warning("secret_shown", where=str(mistake))
    # Windows cannot share a listener between processes (no SO_REUSEPORT): one does the work.
    several = settings.listen.workers > 1 and sys.platform != "win32"
    serve = supervisor.serve if several else run.serve
    try:
        hardening.check_libraries(taken)
        run.run(serve(config, settings, taken))
    except (StoreUnusable, OSError) as error:
        raise click.ClickException(f"cannot start: {error}") from error


@main.command()
@_CONFIG
@_with_risks
def check(config: Path, taken: set[Risk]) -> None:
    """Validate a configuration; every mistake at once, with its line. Exit code 0 or 1.

    \b
    Example: olgw check --config gateway.yaml
    """
    from gateway import hardening

    settings = _load_secure(config, taken, hardening.validate)
    refused = hardening.refusals(config, settings, taken)
    for mistake in (*refused, *hardening.shown_secrets(config)):
        click.echo(f"warning: {mistake}", err=True)
    if refused:
        click.echo("warning: olgw serve will not start with that", err=True)
    teams, pipelines = len(settings.teams), len(settings.pipelines)
    click.echo(f"{config}: good ({teams} teams, {pipelines} pipelines)")


@main.command()
@_CONFIG
def doctor(config: Path) -> None:
    """Check what surrounds the gateway. Exit code 0 or 1.

    \b
    Looks at issuers and their keys, clocks, OL Connect, its credentials, the store.
    ok: good   !!: to be put right   --: cannot be judged from here

    \b
    Example: olgw doctor --config gateway.yaml
    """
    import structlog

    from gateway import run
    from gateway.doctor import Mark, examine

    settings = _load(config)
    # What the log would say is among the findings, in words for whoever is asking.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    is_well = True
    click.echo(f"{Mark.GOOD} config: {config} is valid")

    async def tell() -> None:
        nonlocal is_well
        async for finding in examine(settings):
            is_well = is_well and finding.mark is not Mark.BAD
            click.echo(str(finding))

    before = structlog.get_config()
    # What goes wrong here is a finding, and said once.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    try:
        run.run(tell())
    finally:
        structlog.configure(**before)
    sys.exit(0 if is_well else 1)


@main.command()
@click.option("--port", default=8080, show_default=True, help="Public port.")
@click.option("--admin-port", default=9090, show_default=True, help="Admin port.")
def demo(port: int, admin_port: int) -> None:
    """Start simulator, issuer and gateway; nothing to configure.

    \b
    All on loopback: an OL Connect simulator, an OIDC issuer, the gateway and its demo page.
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
    """List all endpoints, and which team may call them.

    \b
    Teams come from a configuration; without one, the endpoints alone.
    Example: olgw routes --config gateway.yaml
    """
    from gateway.routelist import rows, table

    listed = rows(_load(config) if config else None)
    click.echo(json.dumps(listed, indent=2) if as_json else table(listed))


@main.command()
@click.option(
    "--config", "config", type=click.Path(path_type=Path), help="Whose public URL to use."
)
def openapi(config: Path | None) -> None:
    """Print the simplified face as OpenAPI 3.1.

    \b
    For generators of clients, and for tools that try requests out.
    Example: olgw openapi --config gateway.yaml > openapi.json
    """
    from gateway.api.openapi import document

    server_url = _load(config).public_url if config else "/"
    click.echo(json.dumps(document(server_url), indent=2))


@main.command()
@_CONFIG
@click.option("--token-file", type=click.File("r"), help="A caller's token; - reads it from stdin.")
@click.option("--team", help="Ask as a member of this team; with a token, its OL-Team.")
@click.argument("method")
@click.argument("path")
def explain(
    config: Path, token_file: IO[str] | None, team: str | None, method: str, path: str
) -> None:
    """Decide one request offline, and say why. Exit code 0: allowed, 1: refused.

    \b
    Example: olgw explain --config gateway.yaml --team billing GET /rest/serverengine/entity/jobs/5
    """
    from gateway.explain import explain as decide

    if token_file is None and team is None:
        raise click.UsageError("Say who asks: --token-file or --team.")
    token = None if token_file is None else token_file.read().strip()
    explanation = decide(
        _load(config), method.upper(), path, now=time.time(), token=token, team=team
    )
    click.echo(str(explanation))
    sys.exit(0 if explanation.allowed else 1)


@main.group()
def audit() -> None:
    """The audit journal (log.audit).

    \b
    Example: olgw audit verify audit.jsonl
    """


@audit.command("verify")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def audit_verify(path: Path) -> None:
    """Check that no line of a journal was changed, moved or taken out. Exit code 0 or 1.

    \b
    Whether lines are missing at the end cannot be told from the file: compare their number.
    Example: olgw audit verify audit.jsonl
    """
    from gateway.rules.audit import verify

    with path.open("rb") as lines:
        verdict = verify(lines)
    if verdict.line is not None:
        raise click.ClickException(f"{path}:{verdict.line}: {verdict.reason}")
    click.echo(f"{path}: good ({verdict.lines} lines)")


@main.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    \b
    Example: olgw schema > gateway.schema.json
    """
    from gateway.settings import schema as settings_schema

    click.echo(json.dumps(settings_schema(), indent=2))


@main.command()
@click.option(
    "--admin", default="http://127.0.0.1:9090", show_default=True, help="The admin listener's URL."
)
def health(admin: str) -> None:
    """Ask a running gateway whether it is ready. Exit code 0 or 1.

    \b
    For Docker's HEALTHCHECK, and for you.
    Example: olgw health --admin http://127.0.0.1:9090
    """
    from urllib.error import URLError
    from urllib.request import ProxyHandler, build_opener

    if not admin.startswith(("http://", "https://")):
        raise click.BadParameter("must be an http:// or https:// URL", param_hint="--admin")
    try:
        url = f"{admin.rstrip('/')}/readyz?verbose"
        # Not through a proxy that the environment names for others.
        with build_opener(ProxyHandler({})).open(url, timeout=3) as answer:
            click.echo(answer.read().decode(), nl=False)
    except (URLError, OSError) as error:
        click.echo(f"not ready: {getattr(error, 'reason', error)}", err=True)
        sys.exit(1)


@main.command()
def version() -> None:
    """Print the version.

    \b
    Example: olgw version
    """
    click.echo(__version__)


def _load(path: Path) -> "Settings":
    from gateway.catalogue import ENDPOINTS
    from gateway.settings import InvalidSettings, load

    try:
        return load(path, known_endpoints=ENDPOINTS)
    except InvalidSettings as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _load_secure(
    path: Path, taken: set[Risk], load: "Callable[[Path, set[Risk]], Settings]"
) -> "Settings":
    from gateway.settings import InvalidSettings

    try:
        return load(path, taken)
    except InvalidSettings as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _pair(option: str) -> tuple[str, str]:
    name, separator, value = option.partition("=")
    if not separator:
        raise click.BadParameter("must be NAME=VALUE", param_hint="--option")
    return name, value
