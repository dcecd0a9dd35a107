"""A configuration that changes while the gateway runs: taken over whole, or not at all."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import ENDPOINTS
from gateway.run import Reloader
from gateway.settings import Settings, load
from gateway.simulator.options import User
from tests.support.stage import Stage

posix = pytest.mark.skipif(sys.platform == "win32", reason="SIGHUP is POSIX")

VERSION = "/authentication/version"
STORE = "/filestore"
MARKETING = """
  marketing:
    members: {issuer: corporate, claim: groups, any_of: [ol-marketing]}
    credential: printing
    allow: [{endpoints: ["file_store.*"]}]
"""


def _logins(world: Any) -> int:
    requests = world.simulator.record.requests
    return sum(entry.raw_path.endswith("/authentication/login") for entry in requests)


async def _fetches(gateway: Any) -> Any:
    lines = (await gateway.metrics()).splitlines()
    return next(line for line in lines if line.startswith("olgw_jwks_fetches_total{"))


async def _reloads(gateway: Any, result: str) -> float:
    """One more than was ordered where the gateway looked at the file before the order came."""
    start = f'olgw_config_reloads_total{{result="{result}"}} '
    lines = (await gateway.metrics()).splitlines()
    return next(float(line.removeprefix(start)) for line in lines if line.startswith(start))


@posix
async def test_a_reload_by_signal_changes_rights_at_once_and_keeps_what_was_not_touched(
    world: Any,
) -> None:
    gateway = await world.serve()
    billing, marketing = world.headers(), world.headers("ol-marketing")
    assert await gateway.status(STORE, billing) == 200
    assert await gateway.status(STORE, marketing) == 403
    before = (_logins(world), await _fetches(gateway))

    text = world.configure()
    world.write(text + MARKETING)
    gateway.send(signal.SIGHUP)
    assert (await gateway.line("reloaded"))["needs_restart"] == []
    assert await gateway.status(STORE, marketing) == 200

    # The very token that has just been let in, and is remembered as good.
    world.configure({'"file_store.*", ': ""})
    gateway.send(signal.SIGHUP)
    await gateway.line("reloaded")
    assert await gateway.status(STORE, billing) == 403
    assert await gateway.status(STORE, marketing) == 403

    assert (_logins(world), await _fetches(gateway)) == before
    assert await _reloads(gateway, "success") >= 2


@posix
async def test_a_broken_file_changes_nothing_and_says_where(world: Any) -> None:
    gateway = await world.serve()
    good = world.configure()
    world.write(good.replace("claim: groups", "claims: groups"))
    gateway.send(signal.SIGHUP)
    line = await gateway.line("reload_refused")
    assert any(
        str(world.config) in mistake and "teams.billing.members" in mistake
        for mistake in line["mistakes"]
    )
    assert await gateway.status(VERSION, world.headers()) == 200
    assert "olgw_config_last_reload_successful 0.0" in await gateway.metrics()
    assert await _reloads(gateway, "failure") >= 1

    # Put right, without a signal: the file is looked at.
    world.write(good)
    await gateway.line("reloaded")
    assert "olgw_config_last_reload_successful 1.0" in await gateway.metrics()


async def test_a_secret_in_a_file_that_is_rotated_is_used_from_then_on(world: Any) -> None:
    gateway = await world.serve()
    assert await gateway.status(VERSION, world.headers()) == 200
    world.simulator.change(users={"svc-print": User("rotated")})
    world.simulator.security.expire_tokens()
    world.write("rotated\n", "print.password")
    await gateway.line("reloaded")
    assert await gateway.status(VERSION, world.headers()) == 200


async def test_sections_that_need_a_restart_are_named_and_not_taken_over(world: Any) -> None:
    gateway = await world.serve()
    world.configure(
        {"read_timeout: 60s": "read_timeout: 61s", "requests: problems": "requests: all"}
    )
    assert (await gateway.line("reloaded"))["needs_restart"] == ["upstream", "log"]
    assert await gateway.status(VERSION, world.headers()) == 200


# What a process would show only with luck


async def test_verified_tokens_survive_a_reload_but_not_that_of_their_issuer() -> None:
    async with Stage() as stage:
        token = stage.token()
        caller = stage.caller()
        assert (await caller.get(VERSION)).status == 200
        authenticator = stage.gateway.front.regime.authenticator
        assert authenticator.recall(caller.token or "") is not None
        assert authenticator.recall(token) is None

        stage.gateway.reload(stage.settings())
        renewed = stage.gateway.front.regime.authenticator
        assert renewed is not authenticator
        assert renewed.recall(caller.token or "") is not None

        stage.gateway.reload(stage.settings(**{"audiences: [olconnect]": "audiences: [other]"}))
        assert stage.gateway.front.regime.authenticator.recall(caller.token or "") is None
        assert (await caller.get(VERSION)).code == "token_audience"


async def test_a_request_under_way_is_carried_through_though_its_credential_is_gone(
    until: Any,
) -> None:
    async with Stage() as stage:
        stage.simulator.faults.add("delay", path=VERSION, seconds=0.2)
        async with asyncio.TaskGroup() as group:
            request = group.create_task(stage.caller().get(VERSION))
            await until(lambda: stage.requests(VERSION))
            stage.gateway.reload(stage.settings(printing="typing"))
        assert request.result().status == 200
        assert "printing" not in stage.gateway.front.regime.settings.credentials


def _key_set(stage: Stage) -> dict[str, Any]:
    return {"keys": [key.public_jwk() for key in stage.issuer.keys]}


async def test_keys_in_a_file_are_read_again_when_it_changes(tmp_path: Path, until: Any) -> None:
    async with Stage() as stage:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps(_key_set(stage)))
        text = f'issuer: "{stage.issuer.url}"'
        config = {text: f'{text}, jwks: {{file: "{file}"}}'}
        stage.gateway.reload(stage.settings(**config))
        old = stage.caller()
        assert (await old.get(VERSION)).status == 200

        keys = stage.gateway.front.regime.issuers["corporate"].verifier.keys
        known = keys.generation
        stage.issuer.rotate()
        file.write_text(json.dumps(_key_set(stage)))
        stage.gateway.reload(stage.settings(**config))
        await until(lambda: keys.generation > known)  # though no token asks for it
        assert (await stage.caller().get(VERSION)).status == 200


async def test_a_reload_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Stage() as stage:
        path = tmp_path / "gateway.yaml"
        path.write_text(stage.config.format(upstream=stage.simulator.url, issuer=stage.issuer.url))
        gateway = stage.gateway
        reloader = Reloader(path, gateway.settings, gateway.metrics, gateway.reload)
        regime = stage.gateway.front.regime

        def fail(_settings: Settings) -> None:
            raise RuntimeError("a mistake of ours")

        monkeypatch.setattr("gateway.app.Rulebook", fail)
        await reloader.reload()
        assert stage.gateway.front.regime is regime
        assert not reloader.is_due()
        monkeypatch.undo()
        path.touch()
        assert reloader.is_due()
        await reloader.reload()
        assert stage.gateway.front.regime is not regime
        assert (
            load(path, known_endpoints=ENDPOINTS).teams == stage.gateway.front.regime.settings.teams
        )
