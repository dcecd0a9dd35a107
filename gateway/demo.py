"""``olgw demo``: simulator, issuer and gateway on loopback, in one process, ready to be tried."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from gateway import logs
from gateway.app import Gateway
from gateway.demopage import DemoPage
from gateway.greeting import Places, greeting
from gateway.settings import Log, Settings, Sources, parse
from gateway.simulator.issuer import DemoIssuer
from gateway.simulator.options import Options, User
from gateway.simulator.server import Simulator

TEAMS = ("billing", "marketing")
_TOKEN_SECONDS = 12 * 3600.0
_OPERATION_SECONDS = 3.0  # long enough to watch, and to cancel
_SIMULATOR = "http://127.0.0.1:9340"
_ISSUER = "http://127.0.0.1:9400"
_USERS = {"svc-print": User("print-demo"), "svc-archive": User("archive-demo")}


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything that runs in the demo's process."""

    settings: Settings
    simulator: Simulator
    issuer: DemoIssuer
    gateway: Gateway

    def tokens(self) -> dict[str, str]:
        return tokens(self.issuer)


async def serve(port: int, admin_port: int) -> None:
    """Serve until Ctrl-C. Raises OSError when a port is taken."""
    logs.configure(Log())
    async with running(port, admin_port) as demo:
        places = Places(
            demo.settings.public_url,
            f"http://{demo.settings.admin.address}",
            demo.simulator.url,
            demo.issuer.url,
        )
        click.echo(greeting(places, demo.tokens(), powershell=sys.platform == "win32"))
        await _until_told()


@asynccontextmanager
async def running(port: int, admin_port: int) -> AsyncIterator[Demo]:
    """A demo for as long as the context lasts. Raises OSError when a port is taken."""
    async with AsyncExitStack() as stack:
        simulator = Simulator(Options(users=_USERS, operation_seconds=_OPERATION_SECONDS))
        issuer = DemoIssuer(audience="olconnect")
        await simulator.start()
        stack.push_async_callback(simulator.stop)
        await issuer.start()
        stack.push_async_callback(issuer.stop)
        settings = demo_settings(simulator.url, issuer.url, port, admin_port)
        page = DemoPage(lambda: tokens(issuer))
        gateway = await Gateway.open(settings, pages=page.handlers())
        stack.push_async_callback(gateway.close)
        yield Demo(settings, simulator, issuer, gateway)


def demo_settings(simulator: str, issuer: str, port: int, admin_port: int) -> Settings:
    """``config/demo.yaml``, moved to where things run this time."""
    path = _config_file()
    text = path.read_text(encoding="utf-8")
    for written, real in (
        (_SIMULATOR, simulator),
        (_ISSUER, issuer),
        ("127.0.0.1:8080", f"127.0.0.1:{port}"),
        ("127.0.0.1:9090", f"127.0.0.1:{admin_port}"),
    ):
        text = text.replace(written, real)
    return parse(text.encode(), path, Sources(path.parent, {}))


def _config_file() -> Path:
    here = Path(__file__).resolve().parent
    packaged = here / "demo.yaml"
    return packaged if packaged.exists() else here.parent / "config" / "demo.yaml"


def tokens(issuer: DemoIssuer) -> dict[str, str]:
    return {team: token(issuer, team) for team in TEAMS}


def token(issuer: DemoIssuer, team: str) -> str:
    """A token as a company's identity provider would give a member of the team."""
    return issuer.mint(
        subject=f"demo-{team}", groups=[team], name=f"Demo {team}", ttl_seconds=_TOKEN_SECONDS
    )


async def _until_told() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(stop.set))
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
