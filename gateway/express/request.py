"""A plain request, and the answer to it that is written piece by piece."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import HttpVersion, StreamReader
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDictProxy

from gateway.express import writing
from gateway.express.heads import Head
from gateway.inbound import Cancelable, Earlier, Memo

if TYPE_CHECKING:
    from gateway.server import Connection


class PlainRequest:
    """An ``Inbound`` that came complete."""

    __slots__ = ("_connection", "answered_by", "complete", "earlier", "head")

    def __init__(
        self, connection: "Connection", head: Head, body: bytes, earlier: Earlier | None = None
    ) -> None:
        self.head = head
        self.earlier = earlier
        self.complete: bytes | None = body
        self.answered_by: Cancelable | None = None
        self._connection = connection

    @property
    def memo(self) -> Memo | None:
        return self.head.memo

    @property
    def method(self) -> str:
        return self.head.message.method

    @property
    def raw_path(self) -> str:
        return self.head.message.path

    @property
    def version(self) -> HttpVersion:
        return self.head.message.version

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self.head.message.headers

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return self.head.message.raw_headers

    @property
    def remote(self) -> str | None:
        return self._connection.remote

    @property
    def content_length(self) -> int | None:
        return self.head.length if "Content-Length" in self.head.message.headers else None

    @property
    def body_exists(self) -> bool:
        return self.head.length > 0

    @property
    def content(self) -> StreamReader:
        return EMPTY_PAYLOAD  # the body is ``complete``

    @property
    def transport(self) -> asyncio.Transport | None:
        return self._connection.transport

    async def invite(self) -> None:
        """Nothing waits to be asked for."""

    async def begin(self, status: int, lines: Sequence[tuple[str, str]]) -> "Flow":
        flow = Flow(self._connection, status, lines, is_last=self._connection.is_draining)
        await flow.begin()
        return flow


class Flow:
    """A ``Begun``: its body is as long as its Content-Length says, or chunked."""

    def __init__(
        self,
        connection: "Connection",
        status: int,
        lines: Sequence[tuple[str, str]],
        *,
        is_last: bool,
    ) -> None:
        self.status = status
        self.is_last = is_last
        self._connection = connection
        self._chunked = not any(name.lower() == "content-length" for name, _ in lines)
        framing = [("Transfer-Encoding", "chunked")] if self._chunked else []
        self._head = writing.head(status, [*lines, *framing], None, is_last=is_last)

    async def begin(self) -> None:
        await self._connection.write(self._head)

    async def write(self, data: bytes) -> None:
        if not data:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        await self._connection.write(data)

    async def write_eof(self) -> None:
        if self._chunked:
            await self._connection.write(b"0\r\n\r\n")
