"""A client that sends the bytes it is told to, and reads answers without repairing them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Raw:
    """One answer as it came. Names are in lower case; ``lines`` keeps order and repetitions."""

    status: int
    lines: list[tuple[str, str]]
    body: bytes
    head: bytes

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.lines if known == name.lower()]

    def one(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, values
        return values[0] if values else None

    @property
    def code(self) -> str | None:
        """The problem's code, in the form of either face."""
        import json  # noqa: PLC0415

        content: dict[str, Any] = json.loads(self.body)
        code = content.get("code") or content.get("error", {}).get("code")
        return None if code is None else str(code)


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self, *, bodiless: bool = False) -> Raw:
        """The next answer; ``bodiless`` for one to HEAD. EOF inside it raises."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, lines = _parsed(head)
            if bodiless or status in (204, 304) or status < 200:
                return Raw(status, lines, b"", head)
            return Raw(status, lines, await self._body(lines), head)

    async def _body(self, lines: list[tuple[str, str]]) -> bytes:
        fields = dict(lines)
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunks()
        if "content-length" in fields:
            return await self.reader.readexactly(int(fields["content-length"]))
        return await self.reader.read()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readuntil(b"\r\n") == b"\r\n"
        return body

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def reset(self) -> None:
        """Leave without a word."""
        transport: Any = self.writer.transport
        transport.abort()


def _parsed(head: bytes) -> tuple[int, list[tuple[str, str]]]:
    first, *rest = head.decode("latin-1").split("\r\n")[:-2]
    version, status = first.split(" ")[:2]
    assert version.startswith("HTTP/"), first
    lines = [line.partition(":") for line in rest]
    return int(status), [(name.lower(), value.strip()) for name, _, value in lines]


@asynccontextmanager
async def dial(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def head(method: str, target: str, *lines: str, token: str | None = None) -> bytes:
    """A request's head; Host and a token are added, anything else is in ``lines``."""
    first = [f"{method} {target} HTTP/1.1", "Host: gateway.test"]
    if token is not None:
        first.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*first, *lines, "", ""]).encode("latin-1")
