"""The listener's own part: its limits, and what it says of what is no request."""

import asyncio
import socket

from aiohttp import web

from gateway import listener
from gateway.problems import Problem
from gateway.settings import Address
from tests.support.wire import dial


async def _hello(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="hello")


async def test_what_is_no_request_is_told_to_one_place_and_the_next_is_served() -> None:
    problems: list[str] = []

    def malformed(problem: Problem) -> web.Response:
        problems.append(problem.code)
        return web.Response(status=problem.status, text="no")

    listening = await listener.listen(
        _hello, Address("127.0.0.1", 0), malformed=malformed, max_header_bytes=1000
    )
    try:
        for request, status in (
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 2000 + b"\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ):
            async with dial(listening.port) as wire:
                await wire.send(request)
                answer = await wire.answer()
                assert answer.status == status
                assert status == 200 or await wire.rest() == b""
    finally:
        await listening.stop()
    assert problems == ["headers_too_large", "malformed_request"]


def _refuse(problem: Problem) -> web.Response:
    return web.Response(status=problem.status)


async def test_who_is_being_accepted_when_the_listener_ends_is_served() -> None:
    """asyncio leaves such a connection open, for nobody, until the garbage is collected."""
    listening = await listener.listen(
        _hello, Address("127.0.0.1", 0), malformed=_refuse, max_header_bytes=1000
    )
    with socket.create_connection(("127.0.0.1", listening.port), timeout=60) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0)
        await listening.drain(60.0, lambda: None)
        assert caller.recv(100).startswith(b"HTTP/1.1 200")
    await listening.stop()
