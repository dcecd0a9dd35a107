"""Limits on what one caller can hold: connections, heads that never end, memory."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import listener
from gateway.budget import Budget
from gateway.connections import Connections
from gateway.problems import UpstreamOverloaded
from tests.support.stage import Stage
from tests.support.wire import dial, head


def test_who_counts_as_one_client() -> None:
    tested = Connections(1, [ip_network("10.0.0.0/8")])
    assert tested.client_of("192.0.2.1") == tested.client_of("::ffff:192.0.2.1")
    assert tested.client_of("2001:db8::1") == tested.client_of("2001:db8::ffff:1")
    assert tested.client_of("2001:db8::1") != tested.client_of("2001:db8:0:1::1")
    assert tested.client_of("fe80::1%eth0") == tested.client_of("fe80::2")
    assert tested.client_of("10.1.2.3") is None
    assert tested.client_of("") is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())), st.integers(1, 3))
def test_nobody_holds_more_than_the_limit_and_nothing_stays_behind(
    steps: list[tuple[str, bool]], limit: int
) -> None:
    tested, held = Connections(limit), dict.fromkeys("abc", 0)
    for client, enters in steps:
        if enters:
            admitted = tested.enter(client)
            assert admitted == (held[client] < limit)
            held[client] += admitted
        elif held[client]:
            tested.leave(client)
            held[client] -= 1
    for client, count in held.items():
        for _ in range(count):
            tested.leave(client)
    assert all(tested.enter(client) for client in "abc")


def test_memory_that_is_not_there_is_not_given() -> None:
    budget = Budget(100)
    budget.take(60)
    with pytest.raises(UpstreamOverloaded):
        budget.take(41)
    budget.give_back(60)
    budget.take(100)


async def test_one_address_cannot_take_all_connections(until: Any) -> None:
    limit = {"drain_timeout: 1s": "drain_timeout: 1s, max_connections_per_client: 3"}
    async with Stage(replace=limit) as stage, dial(stage.gateway.public.port) as first:
        async with dial(stage.gateway.public.port), dial(stage.gateway.public.port):
            async with dial(stage.gateway.public.port) as fourth:
                assert await fourth.rest() == b""
            await first.send(head("GET", "/docs"))
            assert (await first.answer()).status == 200
        # Those who have left make room.
        await until(lambda: len(stage.gateway.public.server.connections) == 1)
        async with dial(stage.gateway.public.port) as later:
            await later.send(head("GET", "/docs"))
            assert (await later.answer()).status == 200


async def test_a_head_that_takes_too_long_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listen = listener.listen

    async def impatient(*arguments: object, **options: object) -> object:
        return await listen(*arguments, **options, head_seconds=0.2)  # type: ignore[arg-type]

    monkeypatch.setattr(listener, "listen", impatient)
    async with Stage() as stage:
        async with dial(stage.gateway.public.port) as slow:
            for byte in b"GET /docs HTTP/1.1\r\nHost: x\r\nX-A: ":
                slow.writer.write(bytes([byte]))
                await asyncio.sleep(0.002)
            assert await slow.rest() == b""
        # The deadline is the head's, not the connection's.
        async with dial(stage.gateway.public.port) as patient:
            for _ in range(3):
                await patient.send(head("GET", "/docs")[:20], head("GET", "/docs")[20:])
                assert (await patient.answer()).status == 200
                await asyncio.sleep(0.12)


async def test_bodies_beyond_the_memory_are_turned_away_and_it_is_given_back(stage: Stage) -> None:
    caller = stage.caller()
    budget = Budget(200_000)
    stage.gateway._observer._budget = budget
    large = b"[" + b" " * 300_000 + b"]"
    refused = await caller.put("/entity/jobs/properties", data=large)
    assert (refused.status, refused.code) == (503, "upstream_overloaded")
    budget.take(200_000)
