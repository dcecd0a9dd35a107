"""OL Connect's answer on its way to the caller: small ones whole, the rest as they come."""

import asyncio
from collections.abc import AsyncIterator

from gateway import answers
from gateway.exchange import Exchange
from gateway.inbound import Begun, Inbound
from gateway.problems import Problem
from gateway.upstream.client import Upstream
from gateway.upstream.reply import Reply

_WHOLE_BYTES = 64 * 1024
# A caller who takes nothing for this long is not waiting any more.
_SLOW_READER_SECONDS = 60.0
_NO_BODY = frozenset({204, 304})


async def relay(
    request: Inbound,
    exchange: Exchange,
    upstream: Upstream,
    response: Reply,
    lines: answers.Lines,
) -> answers.Answer:
    """Pass a body on byte for byte. Once its head is out, a failure breaks the connection off.

    Raises what ``Upstream.read`` raises, as long as nothing has been sent.
    """
    lines = list(lines)
    length = response.headers.get("Content-Length")
    if request.method == "HEAD" or response.status in _NO_BODY:
        if length is not None and request.method == "HEAD":
            lines.append(("Content-Length", length))
        return answers.whole(exchange, response.status, lines, None)
    if length is not None and length.isdigit() and int(length) <= _WHOLE_BYTES:
        body = await upstream.read(response, _WHOLE_BYTES)
        return answers.whole(exchange, response.status, lines, body)
    if length is not None:
        lines.append(("Content-Length", length))
    exchange.status = response.status
    answer = await request.begin(response.status, [*lines, *exchange.headers])
    exchange.answering = True
    try:
        await _pump(upstream.chunks(response), answer, exchange)
    except (Problem, TimeoutError) as error:
        # The head promised more than has come: only a broken connection says so (RFC 9112 8).
        if isinstance(error, Problem):
            exchange.problem = error
        _break_off(request)
        raise
    return answer


async def _pump(chunks: AsyncIterator[bytes], answer: Begun, exchange: Exchange) -> None:
    async for chunk in chunks:
        async with asyncio.timeout(_SLOW_READER_SECONDS):
            await answer.write(chunk)
        exchange.bytes_out += len(chunk)
    async with asyncio.timeout(_SLOW_READER_SECONDS):
        await answer.write_eof()


def _break_off(request: Inbound) -> None:
    if request.transport is not None:
        request.transport.abort()
