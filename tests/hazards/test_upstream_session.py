"""The gateway's own credential at OL Connect, and connections that go (pitfalls P22 to P25)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.simulator.options import Options
from gateway.wiring import Clock
from tests.support.peer import OK, Asked, Peer
from tests.support.stage import CONFIG, USERS, Stage

VERSION = "/entity/version"
START = "/workflow/datamining/Promo-EN.OL-datamapper"
OPTIONS = Options(users=USERS, operation_seconds=0.05)


def _logins(stage: Stage) -> int:
    requests = stage.simulator.record.requests
    return sum(entry.raw_path.endswith("/authentication/login") for entry in requests)


def _probes(stage: Stage) -> int:
    return sum(entry.method == "HEAD" for entry in stage.requests("/authentication"))


class Moved:
    """A clock that tests push forward; the real time goes on underneath."""

    def __init__(self) -> None:
        self.seconds = 0.0
        real = Clock()
        self.clock = Clock(
            lambda: real.now() + self.seconds, lambda: real.monotonic() + self.seconds
        )


async def test_200_cold_callers_cost_one_discovery_one_key_fetch_and_one_login(
    stage: Stage,
) -> None:
    callers = [stage.caller("ol-billing", sub=f"user-{n}") for n in range(200)]
    replies = await asyncio.gather(*(caller.get(VERSION) for caller in callers))
    assert {reply.status for reply in replies} == {200}
    assert stage.issuer.requests["discovery"] == 1
    assert stage.issuer.requests["jwks"] == 1
    assert _logins(stage) == 1


@pytest.mark.parametrize("generation", [2019, 2020, 2023])
async def test_an_ended_token_costs_one_login_whoever_waits(generation: int) -> None:
    """In all three generations of 401 and 403; none of them reaches a caller."""
    moved = Moved()
    options = replace(OPTIONS, auth_generation=generation)
    async with Stage(options=options, clock=moved.clock) as stage:
        caller = stage.caller()
        assert (await caller.get(VERSION)).status == 200
        stage.simulator.security.expire_tokens()
        moved.seconds = 20
        replies = await asyncio.gather(*(caller.get(VERSION) for _ in range(50)))
        assert {reply.status for reply in replies} == {200}
        assert _logins(stage) == 2


@pytest.mark.parametrize("generation", [2019, 2020, 2023])
async def test_a_start_with_a_doubtful_token_is_preceded_by_a_probe(generation: int) -> None:
    """Neither refused nor sent twice: the probe finds out that the token has ended."""
    moved = Moved()
    options = replace(OPTIONS, auth_generation=generation)
    async with Stage(options=options, clock=moved.clock) as stage:
        caller = stage.caller()
        file = await caller.upload()
        assert _probes(stage) == 0  # the login was a moment ago
        moved.seconds = 20
        stage.simulator.security.expire_tokens()
        assert (await caller.post(f"{START}/{file}")).status == 202
        assert (_probes(stage), _logins(stage)) == (1, 2)
        assert len(stage.requests(START)) == 1


async def test_a_refused_start_is_502_and_is_never_sent_again(stage: Stage) -> None:
    caller = stage.caller()
    file = await caller.upload()
    stage.simulator.faults.add("error", path=START, status=401, times=None)
    reply = await caller.post(f"{START}/{file}")
    assert (reply.status, reply.code) == (502, "upstream_credential_refused")
    assert "WWW-Authenticate" not in reply.headers
    assert len(stage.requests(START)) == 1


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("team", ["ol-billing", "ol-operators"])
async def test_a_lasting_refusal_is_502_after_one_more_try(
    stage: Stage, team: str, status: int
) -> None:
    stage.simulator.faults.add("error", path=VERSION, status=status, times=None)
    reply = await stage.caller(team).get(VERSION)
    assert (reply.status, reply.code) == (502, "upstream_credential_refused")
    # Basic cannot become better by asking again, nor can a token of a moment ago by a 403.
    tried_again = team == "ol-billing" and status == 401
    assert len(stage.requests(VERSION)) == (2 if tried_again else 1)


async def test_a_refused_login_is_not_repeated_before_the_back_off() -> None:
    moved = Moved()
    # By its hand alone: a slow machine must not be taken for a patient one.
    clock = Clock(monotonic=lambda: 1000.0 + moved.seconds)
    options = replace(OPTIONS, users={"svc-archive": USERS["svc-archive"]})
    async with Stage(options=options, clock=clock) as stage:
        caller = stage.caller()
        for _ in range(20):
            reply = await caller.get(VERSION)
            assert (reply.status, reply.code) == (502, "upstream_credential_refused")
            assert int(reply.headers["Retry-After"]) >= 1
        assert _logins(stage) == 1
        moved.seconds = 1.5
        await caller.get(VERSION)
        await caller.get(VERSION)
        assert _logins(stage) == 2
        stage.simulator.change(users=USERS)
        moved.seconds = 4.5
        assert (await caller.get(VERSION)).status == 200
        assert _logins(stage) == 3


@pytest.mark.parametrize("status", [429, 503])
async def test_the_login_limit_of_ol_connect_is_kept_and_told(status: int) -> None:
    moved = Moved()
    options = replace(OPTIONS, login_limit_per_minute=1, login_limit_status=status)
    async with Stage(options=options, clock=moved.clock) as stage:
        caller = stage.caller()
        assert (await caller.get(VERSION)).status == 200
        stage.simulator.security.expire_tokens()
        moved.seconds = 20
        for _ in range(5):
            reply = await caller.get(VERSION)
            assert (reply.status, reply.code) == (503, "upstream_overloaded")
            assert 1 <= int(reply.headers["Retry-After"]) <= 60
        assert _logins(stage) == 2


async def test_a_token_is_renewed_before_it_ends(until: Any) -> None:
    moved = Moved()
    async with Stage(options=replace(OPTIONS, token_seconds=100), clock=moved.clock) as stage:
        caller = stage.caller()
        assert (await caller.get(VERSION)).status == 200
        moved.seconds = 85
        assert (await caller.get(VERSION)).status == 200
        await until(lambda: _logins(stage) >= 2)
        assert (await caller.get(VERSION)).status == 200
        assert _logins(stage) == 2
        assert [entry.status for entry in stage.requests()] == [200, 200, 200]


async def test_a_lost_connection_costs_a_repetition_where_it_does_no_harm(stage: Stage) -> None:
    """Pitfall P22: an idle connection that OL Connect has closed."""
    caller = stage.caller("ol-operators")
    stage.simulator.faults.add("drop_before", method="GET", path=VERSION)
    assert (await caller.get(VERSION)).status == 200
    assert len(stage.requests(VERSION)) == 2
    stage.simulator.record.clear()
    stage.simulator.faults.add("drop_before", method="GET", path=VERSION, times=2)
    reply = await caller.get(VERSION)
    assert (reply.status, reply.code) == (502, "upstream_unreachable")
    assert len(stage.requests(VERSION)) == 2


async def test_a_lost_connection_repeats_nothing_that_may_have_had_an_effect(
    stage: Stage,
) -> None:
    caller = stage.caller("ol-operators")
    number = stage.simulator.engine.add_zero_file("zeros.bin", 10).id
    for method, path in (
        ("POST", "/filestore/DataFile"),
        ("POST", f"{START}/{number}"),
        ("GET", f"/filestore/delete/{number}"),  # a GET with an effect
        ("POST", f"/filestore/delete/{number}"),
    ):
        stage.simulator.record.clear()
        stage.simulator.faults.add("drop_before", method=method, path=path)
        reply = await caller(method, path, data=b"[]" if method == "POST" else None)
        assert (reply.status, reply.code) == (502, "upstream_unreachable"), path
        assert len(stage.requests(path)) == 1, path


async def test_a_login_and_a_probe_survive_a_lost_connection() -> None:
    moved = Moved()
    async with Stage(clock=moved.clock) as stage:
        stage.simulator.faults.add("drop_before", path="/authentication/login")
        caller = stage.caller()
        file = await caller.upload()
        moved.seconds = 20
        stage.simulator.faults.add("drop_before", method="HEAD", path="/authentication")
        assert (await caller.post(f"{START}/{file}")).status == 202


async def test_connections_are_reused_and_cookies_are_not(peered: Stage, peer: Peer) -> None:
    """Pitfalls P5, P23 and P24: one pool, nobody's cookie in another's request."""
    from tests.support.peer import saying  # noqa: PLC0415

    peer.script = saying(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: JSESSIONID=a; Path=/\r\nContent-Length: 2\r\n\r\nok"
    )
    for group in ("ol-operators", "ol-billing", "ol-operators"):
        for _ in range(5):
            assert (await peered.caller(group).get(VERSION)).text == "ok"
    assert peer.connections == 1
    assert all(asked.all("Cookie") == [] for asked in peer.asked)


async def test_no_proxy_of_the_environment_gets_the_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pitfall P28."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Stage() as stage:
        assert (await stage.caller().get(VERSION)).status == 200


async def test_a_full_gate_answers_503_and_lets_others_through_afterwards(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, until: Any
) -> None:
    """Pitfall P23: whoever waits too long for a connection is told so."""
    told = asyncio.Event()

    async def script(asked: Asked) -> None:
        await told.wait()
        asked.writer.write(OK)

    peer.script = script
    monkeypatch.setattr("gateway.wiring._GATE_PATIENCE_SECONDS", 0.5)
    config = CONFIG.replace("{upstream}", peer.url)
    replace_ = {"read_timeout: 15s": "read_timeout: 60s, max_connections: 1"}
    async with Stage(config=config, replace=replace_) as stage, asyncio.TaskGroup() as group:
        caller = stage.caller("ol-operators")
        slow = group.create_task(caller.get(VERSION))
        await until(lambda: peer.asked)
        replies = await asyncio.gather(*(caller.get(VERSION) for _ in range(2)))
        told.set()
        assert [reply.status for reply in replies] == [503, 503]
        assert (await slow).status == 200
        assert (await caller.get(VERSION)).status == 200
