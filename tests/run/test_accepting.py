"""A listening socket that Python closes for good on Windows (gh-93821) is opened again."""

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web

from gateway.listener import Listener, _reopen, keep_accepting, listen
from gateway.settings import Address
from gateway.tasks import TaskSet


async def _answer(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="here")


def _refused(_problem: object) -> web.Response:
    return web.Response(status=400)


async def _listening() -> Listener:
    address = Address("127.0.0.1", 0)
    return await listen(_answer, address, malformed=_refused, max_header_bytes=8192)


async def _get(listener: Listener) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


def _fail(listener: Listener, message: str) -> None:
    """Say what the loop says, and do to the socket what it does."""
    (socket,) = listener.site._server.sockets  # type: ignore[union-attr]
    context: dict[str, Any] = {"message": message, "socket": socket, "exception": OSError(64)}
    asyncio.get_running_loop().call_exception_handler(context)


async def test_the_address_is_listened_on_again(caplog: pytest.LogCaptureFixture) -> None:
    tasks, failed, other = TaskSet(), await _listening(), await _listening()
    keep_accepting((failed, other), tasks)
    before = failed.site, other.site, failed.port
    with caplog.at_level(logging.CRITICAL, "asyncio"):
        _fail(failed, "Accept failed on a socket")
    await tasks.finish(1)
    assert failed.site is not before[0]
    assert other.site is before[1]
    assert failed.port == before[2]
    assert b"here" in await _get(failed)
    assert b"here" in await _get(other)
    for listener in (failed, other):
        await listener.stop()


async def test_it_tries_until_the_address_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.listener._REOPEN_SECONDS", 0.01)
    tasks, failed = TaskSet(), await _listening()
    failed.site._server.close()  # type: ignore[union-attr]
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", failed.port)
    reopening = tasks.start(_reopen(failed))
    await asyncio.sleep(0.05)
    assert not reopening.done()
    taken.close()
    await taken.wait_closed()
    await reopening
    assert b"here" in await _get(failed)
    await failed.stop()


async def test_other_failures_are_only_reported(caplog: pytest.LogCaptureFixture) -> None:
    tasks, listener = TaskSet(), await _listening()
    keep_accepting((listener,), tasks)
    before = listener.site
    _fail(listener, "something else")
    await tasks.finish(1)
    assert listener.site is before
    assert "something else" in caplog.text
    await listener.stop()
