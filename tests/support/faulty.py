"""A stage whose ways to OL Connect, to the issuer and to Redis lead through fault proxies."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import listdir
from pathlib import Path
from time import monotonic
from typing import Self

from gateway.wiring import Clock
from tests.support.faultproxy import FaultProxy
from tests.support.stage import REST, Reply, Stage

# Five are promised, to which ``test_breaker.py`` holds the breaker, and the long storm the gateway;
# the rest is for a machine that stands still in between.
RECOVERY_SECONDS = 20.0

SILENCE_IS_SHORT = "read_timeout: 1s, connect_timeout: 500ms"
"""For tests in which somebody says nothing; a machine that stands still looks the same."""


class Hand:
    """Holds the gateway's monotonic clock, so that no pause is over before a test lets go."""

    def __init__(self) -> None:
        self._held: float | None = None

    def __call__(self) -> float:
        return monotonic() if self._held is None else self._held

    @contextmanager
    def holding(self) -> Iterator[None]:
        self._held = monotonic()
        yield
        self._held = None


@dataclass
class FaultyStage(Stage):
    """``redis_port`` 0: the store is the process's memory."""

    redis_port: int = 0
    timeouts: str = "read_timeout: 30s, connect_timeout: 30s"
    hand: Hand = field(default_factory=Hand)
    upstream: FaultProxy = field(default_factory=FaultProxy)
    keys: FaultProxy = field(default_factory=FaultProxy)
    redis: FaultProxy = field(default_factory=FaultProxy)

    async def __aenter__(self) -> Self:
        self.clock = Clock(monotonic=self.hand)
        for proxy in self._proxies():
            await proxy.listen()
        await super().__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(None, None, None)
        for proxy in self._proxies():
            await proxy.close()

    def _proxies(self) -> tuple[FaultProxy, ...]:
        return (self.upstream, self.keys, self.redis)

    def text(self, **replace: str) -> str:
        self.upstream.target = self.simulator.port
        self.keys.target = int(self.issuer.url.rpartition(":")[2])
        self.redis.target = self.redis_port
        jwks = f'jwks: {{url: "{self.keys.url}/jwks"}}'
        changes = {
            f'upstream: {{url: "{self.simulator.url}"': f'upstream: {{url: "{self.upstream.url}"',
            "audiences: [olconnect]": f"audiences: [olconnect], {jwks}",
            "read_timeout: 15s": self.timeouts,
        }
        if self.redis_port:
            changes['store: "memory:"'] = f'store: "redis://127.0.0.1:{self.redis.port}/0"'
        return super().text(**changes, **replace)

    def as_authorised(self, *forms: tuple[str, str]) -> None:
        """Whatever reached OL Connect is one of these, byte for byte, or the gateway's own."""
        allowed = {(method, REST + path) for method, path in forms} | _OWN
        reached = {(entry.method, entry.raw_path) for entry in self.simulator.record.requests}
        assert reached <= allowed, reached - allowed

    def arrivals(self, method: str, path: str) -> int:
        """How often such a request reached OL Connect."""
        return sum(entry.method == method for entry in self.requests(path))


_OWN = {
    ("POST", f"{REST}/authentication/login"),
    ("HEAD", f"{REST}/authentication"),
}


async def recovers(ask: Callable[[], Awaitable[Reply]]) -> None:
    """Ask until it works. A caller waits a little between two attempts."""
    began = monotonic()
    while True:
        reply = await ask()
        if reply.status == 200:
            return
        assert monotonic() - began < RECOVERY_SECONDS, f"{reply.status} {reply.body[:200]!r}"
        await asyncio.sleep(0.05)


def descriptors(pid: int | str = "self") -> int:
    """Open descriptors of a process; of this one, which is simulator, proxies and callers, too."""
    return len(listdir(f"/proc/{pid}/fd"))


def resident_bytes(pid: int | str = "self") -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def tally(replies: list[Reply]) -> Mapping[int, int]:
    return {
        status: sum(r.status == status for r in replies) for status in {r.status for r in replies}
    }
