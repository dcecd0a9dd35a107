"""The compose file against its schema, its files against each other, and its gateway alive."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.app import Gateway
from gateway.catalogue import ENDPOINTS
from gateway.settings import Settings, Sources, parse
from gateway.simulator.options import Options
from gateway.simulator.server import Simulator

OURS = "olconnect-gateway:local"


@pytest.fixture
def compose(deploy: Path, load: Callable[[Path], Any]) -> Any:
    return load(deploy / "compose.yaml")


def test_the_file_follows_the_specification_of_compose(deploy: Path) -> None:
    if find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema is not installed (dependency group deploy)")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, deploy / "compose.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_mounted_is_there(deploy: Path, compose: Any) -> None:
    services = compose["services"].values()
    mounts = [mount for service in services for mount in service.get("volumes", [])]
    sources = {mount.split(":")[0] for mount in mounts}
    files = {source for source in sources if source.startswith(".")}
    assert len(files) > 5
    assert [source for source in files if not (deploy / source).is_file()] == []
    assert sources - files == set(compose["volumes"])


def test_services_wait_for_services_that_exist(compose: Any) -> None:
    services = compose["services"]
    awaited = [name for service in services.values() for name in service.get("depends_on", ())]
    assert set(awaited) <= set(services)
    assert len(awaited) > 5


def test_only_loopback_is_published(compose: Any) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_foreign_images_are_pinned_and_ours_is_hardened(compose: Any) -> None:
    for service in compose["services"].values():
        if service["image"] != OURS:
            assert service["image"].rpartition(":")[2] not in {"", "latest"}
            continue
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.fixture
def tokens(deploy: Path, tmp_path: Path) -> Callable[..., str]:
    """The service ``tokens``, outside a container."""

    def run(*teams: str) -> str:
        command = [sys.executable, str(deploy / "compose/tokens.py"), str(tmp_path), *teams]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


def _settings(deploy: Path, keys: Path, **replace: str) -> Settings:
    path = deploy / "compose/gateway.yaml"
    text = path.read_text(encoding="utf-8")
    changes = {"/var/lib/olgw/keys.json": str(keys), **replace}
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    sources = Sources(path.parent, {"OL_PASSWORD": "secret"})
    return parse(text.encode(), path, sources, known_endpoints=ENDPOINTS)


def test_a_stop_waits_longer_than_the_gateway_drains(
    deploy: Path, compose: Any, tmp_path: Path, tokens: Callable[..., str]
) -> None:
    tokens()
    settings = _settings(deploy, tmp_path / "keys.json")
    assert settings.store.kind == "redis"
    grace = int(compose["services"]["gateway-1"]["stop_grace_period"].removesuffix("s"))
    assert grace > settings.listen.drain_timeout


@pytest.fixture
async def url(deploy: Path, tmp_path: Path, tokens: Callable[..., str]) -> AsyncIterator[str]:
    """A gateway with the configuration of compose, moved to loopback."""
    tokens()
    simulator = Simulator(Options())
    await simulator.start()
    settings = _settings(
        deploy,
        tmp_path / "keys.json",
        **{
            "http://simulator:9340": simulator.url,
            "0.0.0.0:8080": "127.0.0.1:0",
            "0.0.0.0:9090": "127.0.0.1:0",
            "redis://redis:6379/0": '"memory:"',
        },
    )
    gateway = await Gateway.open(settings)
    yield f"http://127.0.0.1:{gateway.public.port}/rest/serverengine"
    await gateway.close()
    await simulator.stop()


async def test_a_token_of_the_trial_opens_the_gateway(url: str, tokens: Callable[..., str]) -> None:
    async with aiohttp.ClientSession() as session:
        for team, status in (("billing", 200), ("marketing", 200), ("strangers", 403)):
            headers = {"auth_token": tokens(team)}
            async with session.get(f"{url}/entity/jobsets", headers=headers) as reply:
                assert reply.status == status
