"""Puts an answer on the wire, whole or as a fault wants it."""

import asyncio
from collections.abc import Iterable

from aiohttp import web
from multidict import CIMultiDict

from gateway.simulator import wire
from gateway.simulator.content import Bytes
from gateway.simulator.faults import Fault
from gateway.simulator.options import Options
from gateway.simulator.wire import Answer

SLOW_PARTS = 10
GARBAGE = b"\xff\xfe\x00{garbage]\x80"


class Outgoing(web.StreamResponse):
    """A response that gets no Content-Type unless the answer has one."""

    def __init__(self, answer: Answer, options: Options) -> None:
        super().__init__(status=answer.status, headers=CIMultiDict(answer.headers))
        self.typed = answer.content_type is not None
        if self.typed:
            self.headers["Content-Type"] = wire.content_type(answer, options) or ""
        if answer.status != 204:
            self.content_length = answer.content.size


async def trim_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Takes back what aiohttp adds by itself just before the head is written."""
    response.headers.popall("Server", None)
    if isinstance(response, Outgoing) and not response.typed:
        response.headers.popall("Content-Type", None)


async def send(
    request: web.Request, answer: Answer, options: Options, fault: Fault | None
) -> web.StreamResponse:
    kind = fault.fault if fault else ""
    if kind == "truncate":
        half = Bytes(answer.content.read(answer.content.size // 2))
        answer = Answer(answer.status, half, answer.content_type, answer.headers)
    if kind == "garbage":
        answer = Answer(answer.status, Bytes(GARBAGE), answer.content_type, answer.headers)
    response = Outgoing(answer, options)
    await response.prepare(request)
    if request.method == "HEAD" or answer.status == 204:
        return response
    if kind == "drop_mid_body":
        await response.write(answer.content.read(answer.content.size // 2))
        close(request)
        return response
    if fault and kind == "slow_body":
        await _trickle(response, answer.content.read(), fault.seconds)
    else:
        await _write(response, answer.content.chunks())
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        await response.write(chunk)


async def _trickle(response: web.StreamResponse, body: bytes, seconds: float) -> None:
    step = max(1, len(body) // SLOW_PARTS)
    for start in range(0, len(body), step):
        await asyncio.sleep(seconds / SLOW_PARTS)
        await response.write(body[start : start + step])


def drop(request: web.Request) -> web.StreamResponse:
    """The connection goes at once; the response is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.StreamResponse()


def close(request: web.Request) -> None:
    """What was written still arrives, then the connection ends."""
    if request.transport is not None:
        request.transport.close()


def garble_head(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.write(b"\x00\x01 this is not HTTP\r\n\r\n")
        request.transport.close()
    return web.StreamResponse()
