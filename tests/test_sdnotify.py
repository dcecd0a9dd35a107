"""What systemd hears from a gateway, over a real socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import sdnotify
from gateway.run import Orders, Reloader, follow
from gateway.tasks import TaskSet
from tests.support.stage import Stage

if not hasattr(socket, "AF_UNIX"):
    pytest.skip("no Unix sockets here", allow_module_level=True)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.bind(str(tmp_path / "notify"))
        yield channel


def _heard(manager: socket.socket) -> list[str]:
    heard = []
    while True:
        try:
            heard.append(manager.recv(100).decode())
        except BlockingIOError:
            return heard


def test_a_state_reaches_the_manager(manager: socket.socket) -> None:
    sdnotify.notify(sdnotify.READY, {"NOTIFY_SOCKET": manager.getsockname()})
    assert _heard(manager) == ["READY=1"]


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="no abstract sockets here")
def test_an_abstract_address_is_understood() -> None:
    name = f"olgw-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.setblocking(False)
        sdnotify.notify(sdnotify.WATCHDOG, {"NOTIFY_SOCKET": f"@{name}"})
        assert _heard(manager) == ["WATCHDOG=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_nobody_listening_is_no_fault(environ: dict[str, str]) -> None:
    sdnotify.notify(sdnotify.READY, environ)


async def test_a_gateway_tells_how_it_fares(
    stage: Stage, manager: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    orders = Orders()
    orders.order_reload()
    gateway = stage.gateway
    reloader = Reloader(tmp_path / "none.yaml", gateway.settings, gateway.metrics, gateway.reload)
    following = TaskSet().start(follow(orders, reloader))
    heard: list[str] = []
    while "WATCHDOG=1" not in heard:
        await stage.caller().get("/entity/jobsets")
        heard += _heard(manager)
    orders.order_stop()
    await following
    heard += _heard(manager)
    assert heard[:4] == ["READY=1", "RELOADING=1", "READY=1", "WATCHDOG=1"]
    assert heard[-1] == "STOPPING=1"
