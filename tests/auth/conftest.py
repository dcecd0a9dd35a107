"""A real issuer on a real socket, the gateway's side of it, and a forger's tools."""

import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import stamina
from jwt.algorithms import get_default_algorithms

from gateway.auth import keys, requests
from gateway.auth.issuers import ConnectedIssuer, Surroundings, connect
from gateway.auth.requests import open_session
from gateway.auth.tokens import Authenticator
from gateway.model import Caller
from gateway.problems import Problem
from gateway.settings import Issuer
from gateway.simulator.issuer import Client, DemoIssuer, SigningKey, new_key
from gateway.tasks import TaskSet
from tests.support.ports import free_port

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


class Clock:
    """Unix time that moves when a test says so."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


def encoded(part: Mapping[str, Any] | bytes | str) -> str:
    raw = part if isinstance(part, bytes) else None
    if raw is None:
        raw = part.encode() if isinstance(part, str) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Forge:
    """Makes tokens that no honest issuer would make, signed with the issuer's own key if wanted."""

    issuer: DemoIssuer
    clock: Clock

    def key(self, algorithm: str = "RS256") -> SigningKey:
        return next(key for key in self.issuer.keys if key.algorithm == algorithm)

    def header(self, algorithm: str = "RS256", **parameters: Any) -> dict[str, Any]:
        return {"alg": algorithm, "kid": self.key(algorithm).kid} | parameters

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims with changes; None leaves a claim out."""
        now = int(self.clock())
        good = {"iss": self.issuer.url, "aud": "olconnect", "sub": "ann", "exp": now + 600}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(
        self,
        header: Mapping[str, Any] | bytes | None = None,
        payload: Mapping[str, Any] | bytes | None = None,
        *,
        algorithm: str = "RS256",
        key: SigningKey | None = None,
    ) -> str:
        signing_input = (
            f"{encoded(self.header(algorithm) if header is None else header)}"
            f".{encoded(self.claims() if payload is None else payload)}"
        )
        return f"{signing_input}.{self.signature(signing_input, algorithm, key)}"

    def signature(
        self, signing_input: str, algorithm: str = "RS256", key: SigningKey | None = None
    ) -> str:
        private = (key or self.key(algorithm)).private
        return encoded(get_default_algorithms()[algorithm].sign(signing_input.encode(), private))


@dataclass
class Side:
    """The gateway's side: one configured issuer, and what was observed of it."""

    surroundings: Surroundings
    issuer: ConnectedIssuer
    authenticator: Authenticator
    results: list[tuple[str, str]] = field(default_factory=list)

    async def refusal(self, token: str) -> str:
        """The code with which the token is refused; fails if it is accepted."""
        began = time.thread_time()
        with pytest.raises(Problem) as refused:
            await self.authenticator.identify(token)
        # A core that the host takes away may count as used; what this is about takes minutes.
        assert time.thread_time() - began < 10.0
        assert not token or token not in refused.value.detail
        return refused.value.code

    async def outcome(self, token: str) -> Caller | str:
        try:
            return await self.authenticator.identify(token)
        except Problem as problem:
            return problem.code


MakeSide = Callable[..., Side]


@pytest.fixture(autouse=True)
def _no_waiting_between_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issuers are slow only where a test says so, not where the machine is."""
    monkeypatch.setattr(keys, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(requests, "_TIMEOUT", aiohttp.ClientTimeout(total=60.0))


@pytest.fixture(scope="session")
def signing_keys() -> list[SigningKey]:
    return [new_key(algorithm) for algorithm in ALGORITHMS]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(clock: Clock, signing_keys: list[SigningKey]) -> AsyncIterator[DemoIssuer]:
    clients = {"portal": Client("s3cret", {"groups": ["ol-billing"]})}
    demo = DemoIssuer(clients, algorithms=(), now=clock)
    demo.keys = list(signing_keys)
    await demo.start(port=free_port())
    yield demo
    await demo.stop()


@pytest.fixture
def forge(issuer: DemoIssuer, clock: Clock) -> Forge:
    return Forge(issuer, clock)


@pytest.fixture
async def surroundings(clock: Clock) -> AsyncIterator[Surroundings]:
    tasks = TaskSet()
    async with open_session() as session:
        yield Surroundings(session, tasks, clock)
        await tasks.cancel()


@pytest.fixture
def session(surroundings: Surroundings) -> aiohttp.ClientSession:
    return surroundings.session


@pytest.fixture
def make_side(issuer: DemoIssuer, surroundings: Surroundings) -> MakeSide:
    """The gateway's side of ``issuer``; keyword arguments are settings of the issuer's."""

    def make(**changes: Any) -> Side:
        chosen = {"issuer": issuer.url, "audiences": ("olconnect",), "leeway": "30s"} | changes
        connected = connect({"demo": Issuer(**chosen)}, surroundings)["demo"]
        side = Side(surroundings, connected, Authenticator([], surroundings.now))
        side.authenticator = Authenticator(
            [connected.verifier],
            surroundings.now,
            lambda name, result: side.results.append((name, result)),
        )
        return side

    return make


@pytest.fixture
def side(make_side: MakeSide) -> Side:
    return make_side()


@pytest.fixture
async def settled(surroundings: Surroundings) -> Callable[[], Awaitable[None]]:
    """Waits until no background work is left."""

    async def wait() -> None:
        await surroundings.tasks.finish(60)

    return wait
