"""Bodies on their way through: counted, bounded, never held whole unless they must be read."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from time import monotonic

import aiohttp

from gateway.exchange import Exchange
from gateway.inbound import Inbound
from gateway.problems import BodyTooLarge, MalformedRequest
from gateway.rules import headers
from gateway.upstream.call import Call

READ_LIMIT = 32 * 1024 * 1024
"""Bytes of a body that must be read because ids stand in it, and of an answer likewise."""

# A body that makes no progress for this long is given up.
_IDLE_SECONDS = 30.0
_GRACE_SECONDS = 20.0
_SLOWEST = 500  # bytes per second, of a caller who is waited for longer than that
_FIRST_BYTES = 512
_SPOOL_BYTES = 1024 * 1024


class CallerBody:
    """A request's body. It is asked for (RFC 9110 section 10.1.1) only once it is wanted."""

    def __init__(self, request: Inbound, exchange: Exchange, limit: int) -> None:
        self._request = request
        self._exchange = exchange
        self._limit = limit
        self.length = request.content_length
        self.exists = request.body_exists
        self._first = request.complete or b""
        self._invited = False
        self._waited_seconds = 0.0

    def check_length(self) -> None:
        """Raises BodyTooLarge where the length is announced, before a byte of it is taken."""
        if self.length is not None and self.length > self._limit:
            raise self._too_large(self._limit)

    async def begin(self) -> None:
        """Wait for the first bytes, if there are any: a caller who sends none must not hold a
        connection to OL Connect while it makes up its mind. Raises MalformedRequest.
        """
        while self.exists and len(self._first) < _FIRST_BYTES:
            chunk = await self._next(len(self._first))
            if not chunk:
                return
            self._first += chunk

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """A whole body of JSON. Raises BodyTooLarge, UnsupportedMediaType, MalformedRequest."""
        headers.plain_json(self._request.raw_headers)
        limit = min(limit, self._limit)
        if self.length is not None and self.length > limit:
            raise self._too_large(limit)
        if self._request.complete is not None:
            return self._take_whole(self._request.complete)
        body = bytearray()
        async for chunk in self._chunks(limit):
            self._exchange.hold(len(chunk))
            body += chunk
        return bytes(body)

    def _take_whole(self, body: bytes) -> bytes:
        self._exchange.bytes_in += len(body)
        self._exchange.hold(len(body))
        return body

    async def stream(self, call: Call) -> AsyncIterator[bytes]:
        """The body as it comes; what breaks it off is left in ``call.failure``."""
        try:
            async for chunk in self._chunks(self._limit):
                yield chunk
        except (BodyTooLarge, MalformedRequest) as problem:
            call.failure = problem
            raise

    async def spool(self) -> tuple[SpooledTemporaryFile[bytes], str]:
        """The whole body on disk, and its SHA-256. Raises as ``stream``."""
        digest = hashlib.sha256()
        file = SpooledTemporaryFile[bytes](max_size=_SPOOL_BYTES)
        try:
            async for chunk in self._chunks(self._limit):
                digest.update(chunk)
                file.write(chunk)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file, digest.hexdigest()

    async def _chunks(self, limit: int) -> AsyncIterator[bytes]:
        received = 0
        while self.exists:
            chunk, self._first = self._first, b""
            chunk = chunk or await self._next(received)
            if not chunk:
                return
            received += len(chunk)
            self._exchange.bytes_in += len(chunk)
            if received > limit:
                raise self._too_large(limit)
            yield chunk

    async def _next(self, received: int) -> bytes:
        """The next piece, empty at the end; ``received`` bytes have come before it."""
        if self._request.complete is not None:
            return b""
        await self._invite()
        began = monotonic()
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                chunk = await self._request.content.readany()
        except TimeoutError as error:
            raise MalformedRequest("The body stopped coming.") from error
        except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError) as error:
            raise MalformedRequest("The body broke off or is badly framed.") from error
        # Of the time that the caller takes: one whom OL Connect keeps waiting is not slow.
        self._waited_seconds += monotonic() - began
        enough = _SLOWEST * self._waited_seconds
        if chunk and self._waited_seconds > _GRACE_SECONDS and received + len(chunk) < enough:
            raise MalformedRequest("The body comes too slowly.")
        return chunk

    async def _invite(self) -> None:
        # RFC 9110 section 10.1.1: whoever speaks HTTP/1.0 would take the line for the answer.
        if self._invited or self._request.version < aiohttp.HttpVersion11:
            return
        self._invited = True
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.invite()

    def _too_large(self, limit: int) -> BodyTooLarge:
        return BodyTooLarge(f"At most {limit} bytes are accepted here.")
